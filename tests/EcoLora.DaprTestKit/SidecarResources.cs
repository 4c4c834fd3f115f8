using System.Text.RegularExpressions;
using EcoLora.TestKit;

namespace EcoLora.DaprTestKit;

/// <summary>
/// A resources folder in the making: a pubsub named <c>pubsub</c> on Redis, RabbitMQ or Kafka, a state store named <c>statestore</c> on Redis, and what is added.
/// </summary>
public sealed class SidecarResources : IDisposable
{
    private readonly TemporaryFolder folder = new();

    /// <param name="redis">The server behind both components.</param>
    /// <param name="pubsub">More metadata of the pubsub, such as processingTimeout.</param>
    public SidecarResources(RedisServer redis, params (string Name, string Value)[] pubsub)
    {
        Add("pubsub.yaml", Component("pubsub", "pubsub.redis", [("redisHost", redis.Endpoint), .. pubsub]));
        Add("statestore.yaml", Component("statestore", "state.redis", [("redisHost", redis.Endpoint)]));
    }

    /// <param name="redis">The server behind the state store.</param>
    /// <param name="rabbit">The server behind the pubsub.</param>
    /// <param name="pubsub">More metadata of the pubsub. Without any it has Dapr's defaults, which lose messages.</param>
    public SidecarResources(RedisServer redis, RabbitServer rabbit, params (string Name, string Value)[] pubsub)
        : this(redis) =>
        Add("pubsub.yaml", Component("pubsub", "pubsub.rabbitmq", [("hostname", rabbit.Endpoint), .. pubsub]));

    /// <param name="redis">The server behind the state store.</param>
    /// <param name="kafka">The brokers behind the pubsub.</param>
    /// <param name="pubsub">More metadata of the pubsub. Without any it has Dapr's defaults, by which a new app misses what was published before.</param>
    public SidecarResources(RedisServer redis, MockKafka kafka, params (string Name, string Value)[] pubsub)
        : this(redis) =>
        Add("pubsub.yaml", Component("pubsub", "pubsub.kafka", [("brokers", kafka.Endpoint), ("authType", "none"), .. pubsub]));

    private SidecarResources()
    {
    }

    /// <summary>The folder, for <c>--resources-path</c>.</summary>
    public string Path => folder.Path;

    /// <summary>The product's own component files of a broker, at the addresses of the test's servers.</summary>
    /// <param name="broker">The folder in components/: redis, rabbitmq or kafka.</param>
    /// <param name="redis">Stands for localhost:6379.</param>
    /// <param name="rabbit">Stands for localhost:5672.</param>
    /// <param name="kafka">Stands for localhost:9092.</param>
    /// <param name="areTopicsScoped">Whether only the product's topics may be used, as its files say; most tests have topics of their own.</param>
    public static SidecarResources OfProduct(string broker, RedisServer redis, RabbitServer? rabbit = null, MockKafka? kafka = null, bool areTopicsScoped = false)
    {
        SidecarResources resources = new();
        foreach (string file in Directory.GetFiles(System.IO.Path.Combine(Repository.Root, "components", broker), "*.yaml"))
        {
            string yaml = File.ReadAllText(file).Replace("localhost:6379", redis.Endpoint, StringComparison.Ordinal);
            if (rabbit is not null) yaml = yaml.Replace("localhost:5672", rabbit.Endpoint, StringComparison.Ordinal);
            if (kafka is not null) yaml = yaml.Replace("localhost:9092", kafka.Endpoint, StringComparison.Ordinal);
            if (!areTopicsScoped) yaml = Regex.Replace(yaml, "  - name: (allowedTopics|publishingScopes|subscriptionScopes)\n    value: .*\n", "");
            resources.Add(System.IO.Path.GetFileName(file), yaml);
        }
        return resources;
    }

    /// <summary>Writes or replaces a file.</summary>
    public SidecarResources Add(string name, string yaml)
    {
        File.WriteAllText(folder[name], yaml);
        return this;
    }

    /// <summary>A Resiliency file with one retry policy for what the pubsub delivers.</summary>
    public SidecarResources AddInboundRetry(int maxRetries, string duration = "20ms") => Add("resiliency.yaml", $"""
        apiVersion: dapr.io/v1alpha1
        kind: Resiliency
        metadata:
          name: resiliency
        spec:
          policies:
            retries:
              again:
                policy: constant
                duration: {duration}
                maxRetries: {maxRetries}
          targets:
            components:
              pubsub:
                inbound:
                  retry: again
        """);

    /// <summary>A component file as text.</summary>
    public static string Component(string name, string type, params (string Name, string Value)[] metadata) => $"""
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata:
          name: {name}
        spec:
          type: {type}
          version: v1
          metadata:

        """ + string.Concat(metadata.Select(m => $"  - name: {m.Name}\n    value: \"{m.Value}\"\n"));

    /// <inheritdoc/>
    public void Dispose() => folder.Dispose();
}
