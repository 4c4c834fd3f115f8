using EcoLora.Hosting;
using EcoLora.Messaging;
using EcoLora.Messaging.Dapr;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>components/, dapr.yaml and tye.yaml say what the code says: names, topics, scopes, app ids and ports.</summary>
public class DeploymentFileTests
{
    [Theory]
    [InlineData("redis", "pubsub.redis")]
    [InlineData("rabbitmq", "pubsub.rabbitmq")]
    [InlineData("kafka", "pubsub.kafka")]
    public void Components_have_the_names_topics_and_scopes_of_the_code(string broker, string type)
    {
        var options = new DaprOptions(new Uri("http://127.0.0.1:1"));
        string folder = $"components/{broker}";
        Assert.Equal(["pubsub.yaml", "resiliency.yaml", "secretstore.yaml", "statestore.yaml"],
            Directory.GetFiles(Path.Combine(Repository.Root, folder)).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Dictionary<object, object> pubsub = DaprYaml.Read($"{folder}/pubsub.yaml"), store = DaprYaml.Read($"{folder}/statestore.yaml"), secrets = DaprYaml.Read($"{folder}/secretstore.yaml");
        Assert.Equal((options.PubSub, type), (DaprYaml.Text(pubsub, "metadata", "name"), DaprYaml.Text(pubsub, "spec", "type")));
        Assert.Equal((options.StateStore, "state.redis"), (DaprYaml.Text(store, "metadata", "name"), DaprYaml.Text(store, "spec", "type")));
        Assert.All([pubsub, store], component => Assert.Equal(DaprYaml.Text(secrets, "metadata", "name"), DaprYaml.Text(component, "auth", "secretStore")));

        Dictionary<string, string> metadata = DaprYaml.List(pubsub, "spec", "metadata").Where(entry => ((Dictionary<object, object>)entry).ContainsKey("value"))
            .ToDictionary(entry => DaprYaml.Text(entry, "name"), entry => DaprYaml.Text(entry, "value"));
        Assert.Equal(ServiceFacts.EveryTopic, metadata["allowedTopics"].Split(','));
        var heard = new Dictionary<string, string[]> { [AppIds.Scheduler] = ServiceFacts.Hears("Scheduler"), [AppIds.Aggregator] = ServiceFacts.Hears("Aggregator") };
        var said = new Dictionary<string, string[]> { [AppIds.Scheduler] = ServiceFacts.Says("Scheduler"), [AppIds.Aggregator] = ServiceFacts.Says("Aggregator") };
        Assert.Equal(heard, Scopes(metadata["subscriptionScopes"]));
        Assert.Equal(said.ToDictionary(says => says.Key, says => says.Value.Concat(heard[says.Key].Select(topic => topic + IMessageBus.DeadLetterSuffix)).ToArray()), Scopes(metadata["publishingScopes"]));

        Dictionary<object, object> resiliency = DaprYaml.Read($"{folder}/resiliency.yaml");
        string retry = DaprYaml.Text(resiliency, "spec", "targets", "components", options.PubSub, "inbound", "retry");
        Assert.Equal("90", DaprYaml.Text(resiliency, "spec", "policies", "retries", retry, "maxRetries"));
        Assert.DoesNotContain(metadata.Keys, name => name.Contains("assword", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_app_of_dapr_yaml_is_a_service_at_its_port()
    {
        List<DaprApp> apps = DaprYaml.Apps();
        Assert.Equal(["scheduler", "aggregator", "codec-north", "trainer-north-0", "codec-south", "trainer-south-0"], apps.Select(app => app.AppId));
        Assert.Equal(2 * apps.Count, apps.SelectMany(app => new[] { app.AppPort, app.HttpPort }).Distinct().Count());
        var defaults = new Dictionary<string, int>();
        foreach (DaprApp app in apps)
        {
            ServiceDefinition definition = ServiceFacts.Define(app.Service)(new ServiceVariables(name => Absolute(name, app.Environment.GetValueOrDefault(name))));
            Assert.Equal(definition.AppId, app.AppId);
            // The first of a kind has the port that it takes by itself, the next ones follow.
            int index = defaults[app.Service] = defaults.TryGetValue(app.Service, out int former) ? former + 1 : 0;
            Assert.Equal(definition.Port + index, app.AppPort);
            Assert.True(File.Exists(Path.Combine(Repository.Root, "services", app.Service.ToLowerInvariant(), $"EcoLora.Services.{app.Service}.csproj")));
            Assert.Equal($"artifacts/bin/EcoLora.Services.{app.Service}/release/EcoLora.Services.{app.Service}.dll", app.Program);
        }
        Assert.True(Directory.Exists(Path.Combine(Repository.Root, (string)DaprYaml.List(DaprYaml.Read("dapr.yaml"), "common", "resourcesPaths").Single())));
        // Each client of the quickstart has one host.
        int clients = RunFile.Read(Path.Combine(Repository.Root, "samples", "quickstart.yaml"), []).Federation.Clients;
        Assert.Equal("0-9,10-19", string.Join(',', apps.Where(app => app.Service == "Trainer").Select(app => app.Environment["ECOLORA_CLIENTS"])));
        Assert.Equal(20, clients);
    }

    [Fact]
    public void Tye_yaml_says_the_same_as_dapr_yaml()
    {
        Dictionary<object, object> tye = DaprYaml.Read("tye.yaml");
        object dapr = DaprYaml.List(tye, "extensions").Single();
        Assert.Equal((string)DaprYaml.List(DaprYaml.Read("dapr.yaml"), "common", "resourcesPaths").Single(), DaprYaml.Text(dapr, "components-path"));
        List<object> services = DaprYaml.List(tye, "services");
        List<DaprApp> apps = DaprYaml.Apps();
        Assert.Equal(apps.Select(app => app.AppId), services.Select(service => DaprYaml.Text(service, "name")));
        foreach ((DaprApp app, object service) in apps.Zip(services))
        {
            Assert.Equal($"services/{app.Service.ToLowerInvariant()}/EcoLora.Services.{app.Service}.csproj", DaprYaml.Text(service, "project"));
            Assert.Equal(app.AppPort, int.Parse(DaprYaml.Text(DaprYaml.List(service, "bindings").Single(), "port")));
            Assert.Equal(app.AppId, DaprYaml.Text(dapr, "services", app.AppId, "app-id"));
            Assert.Equal(app.HttpPort, int.Parse(DaprYaml.Text(dapr, "services", app.AppId, "http-port")));
            var variables = DaprYaml.List(service, "env").Cast<string>().Select(variable => variable.Split('=', 2)).ToDictionary(parts => parts[0], parts => parts[1]);
            Assert.Equal(app.AppPort.ToString(System.Globalization.CultureInfo.InvariantCulture), variables["APP_PORT"]);
            foreach ((string name, string value) in app.Environment)
            {
                if (name is "ECOLORA_MODELS" or "ECOLORA_DATA" && app.Service != "Trainer") continue;
                Assert.Equal(name is "ECOLORA_MODELS" or "ECOLORA_DATA" or "ECOLORA_VOLUME" ? "../../" + value : value, variables[name]);
            }
        }
    }

    private static string? Absolute(string name, string? value) => value is not null && name is "ECOLORA_MODELS" or "ECOLORA_DATA" ? Path.Combine(Repository.Root, value!) : value;

    private static Dictionary<string, string[]> Scopes(string text) =>
        text.Split(';').Select(scope => scope.Split('=')).ToDictionary(parts => parts[0], parts => parts[1].Split(','));
}
