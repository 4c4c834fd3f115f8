using EcoLora.Hosting;
using EcoLora.Messaging.Dapr;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>deploy/kustomize: what the services are told is what they read, and every name leads somewhere.</summary>
public class KustomizeTests
{
    [Theory]
    [InlineData("hub", "Scheduler,Aggregator")]
    [InlineData("site", "Codec,Trainer")]
    public void Every_stateful_set_is_a_service_with_the_ids_ports_and_variables_of_the_code(string overlay, string services)
    {
        Dictionary<object, object>[] sets = [.. KustomizeOverlay.Read(overlay).Services];
        Assert.Equal(services.Split(','), sets.Select(ServiceOf));
        HashSet<string> documented = ServiceFacts.DocumentedVariables();
        foreach (Dictionary<object, object> set in sets)
        {
            string service = ServiceOf(set);
            object pod = KustomizeOverlay.Pod(set), container = KustomizeOverlay.Container(set);
            Dictionary<string, string?> variables = KustomizeOverlay.Variables(set);
            string[] unknown = [.. variables.Keys.Where(name => !name.EndsWith("_API_TOKEN", StringComparison.Ordinal)).Except(ServiceFacts.VariablesOf(service))];
            Assert.Empty(unknown);
            Assert.Empty(variables.Keys.Except(documented));
            Assert.All(["DAPR_API_TOKEN", "APP_API_TOKEN"], token => Assert.Contains(token, variables.Keys));
            Assert.Equal(service == "Scheduler", variables.ContainsKey(ApiAccess.Variable));
            Assert.Equal(("required", "any"), (variables["ECOLORA_SIGNATURES"], variables["ECOLORA_BIND"]));

            ServiceDefinition definition = ServiceFacts.Define(service)(new ServiceVariables(name => OnThisMachine(name, variables)));
            Assert.All([DaprYaml.Text(pod, "metadata", "annotations", "dapr.io/app-id"), DaprYaml.Text(pod, "metadata", "labels", "ecolora/app-id")], id => Assert.Equal(definition.AppId, id));
            object port = DaprYaml.List(container, "ports").Single();
            Assert.Equal("app", DaprYaml.Text(port, "name"));
            string[] ports = [variables["APP_PORT"]!, DaprYaml.Text(pod, "metadata", "annotations", "dapr.io/app-port"), DaprYaml.Text(port, "containerPort")];
            Assert.All(ports, text => Assert.Equal(definition.Port, int.Parse(text)));
            Assert.Equal("1", DaprYaml.Text(set, "spec", "replicas"));
        }
    }

    [Theory]
    [InlineData("hub")]
    [InlineData("site")]
    public void Probes_ask_what_the_services_answer_and_a_sidecar_stays_until_its_app_is_done(string overlay)
    {
        string answers = File.ReadAllText(Path.Combine(Repository.Root, "src", "EcoLora.Hosting", "Dapr", "DaprEndpoints.cs"));
        foreach (Dictionary<object, object> set in KustomizeOverlay.Read(overlay).Services)
        {
            object container = KustomizeOverlay.Container(set), pod = KustomizeOverlay.Pod(set);
            foreach ((string probe, string path) in new[] { ("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz") })
            {
                Assert.Equal((path, "app"), (DaprYaml.Text(container, probe, "httpGet", "path"), DaprYaml.Text(container, probe, "httpGet", "port")));
                Assert.Contains($"MapGet(\"{path}\"", answers);
            }
            // docs/hub.md: what is under way gets 30 s.
            int blocks = int.Parse(DaprYaml.Text(pod, "metadata", "annotations", "dapr.io/block-shutdown-duration").TrimEnd('s'));
            int graceful = int.Parse(DaprYaml.Text(pod, "metadata", "annotations", "dapr.io/graceful-shutdown-seconds"));
            Assert.InRange(blocks, 31, int.Parse(DaprYaml.Text(pod, "spec", "terminationGracePeriodSeconds")) - graceful - 1);
        }
    }

    [Theory]
    [InlineData("hub")]
    [InlineData("site")]
    public void Pods_have_bounds_and_no_rights_that_they_do_not_need(string overlay)
    {
        KustomizeOverlay read = KustomizeOverlay.Read(overlay);
        foreach (Dictionary<object, object> set in read.Of("StatefulSet"))
        {
            object pod = DaprYaml.At(KustomizeOverlay.Pod(set), "spec"), container = KustomizeOverlay.Container(set);
            Assert.Equal(("true", "RuntimeDefault"), (DaprYaml.Text(pod, "securityContext", "runAsNonRoot"), DaprYaml.Text(pod, "securityContext", "seccompProfile", "type")));
            Assert.Equal(("false", "true"), (DaprYaml.Text(container, "securityContext", "allowPrivilegeEscalation"), DaprYaml.Text(container, "securityContext", "readOnlyRootFilesystem")));
            Assert.Equal(["ALL"], DaprYaml.List(container, "securityContext", "capabilities", "drop"));
            string user = (string)(DaprYaml.Find(container, "securityContext", "runAsUser") ?? DaprYaml.At(pod, "securityContext", "runAsUser"));
            Assert.NotEqual("0", user);
            Assert.Equal(user, DaprYaml.Text(pod, "securityContext", "fsGroup"));
            Assert.Equal(["limits cpu", "limits memory", "requests cpu", "requests memory"],
                ((Dictionary<object, object>)DaprYaml.At(container, "resources")).SelectMany(kind => ((Dictionary<object, object>)kind.Value).Keys.Select(what => $"{kind.Key} {what}")).Order());
            Assert.Matches(@":\d+\.\d+\.\d+$", DaprYaml.Text(container, "image"));
            // Only a sidecar, which reads secrets, needs the account's token.
            Assert.True(DaprYaml.Find(pod, "serviceAccountName") is "ecolora" || DaprYaml.Find(pod, "automountServiceAccountToken") is "false");
        }
        foreach (Dictionary<object, object> set in read.Services)
        {
            object annotations = DaprYaml.At(KustomizeOverlay.Pod(set), "metadata", "annotations");
            Assert.Equal(("127.0.0.1", "RuntimeDefault", "true"), (DaprYaml.Text(annotations, "dapr.io/sidecar-listen-addresses"),
                DaprYaml.Text(annotations, "dapr.io/sidecar-seccomp-profile-type"), DaprYaml.Text(annotations, "dapr.io/disable-builtin-k8s-secret-store")));
            Assert.All(["cpu-request", "cpu-limit", "memory-request", "memory-limit"], bound => Assert.NotNull(DaprYaml.Find(annotations, "dapr.io/sidecar-" + bound)));
            Assert.Equal(KustomizeOverlay.NameOf(read.Of("Configuration").Single()), DaprYaml.Text(annotations, "dapr.io/config"));
        }
    }

    [Theory]
    [InlineData("hub")]
    [InlineData("site")]
    public void Components_are_those_of_components_kafka_but_for_where_and_as_whom(string overlay)
    {
        KustomizeOverlay read = KustomizeOverlay.Read(overlay);
        var options = new DaprOptions(new Uri("http://127.0.0.1:1"));
        Assert.Equal([options.PubSub, options.StateStore, "secretstore"], read.Of("Component").Select(KustomizeOverlay.NameOf));
        Dictionary<string, string?> pubsub = Compare("pubsub", options.PubSub), store = Compare("statestore", options.StateStore);
        Assert.Equal(["authType", "brokers", "caCert", "clientCert", "clientKey"], pubsub.Keys.Order());
        Assert.Equal("mtls", pubsub["authType"]);
        Assert.Equal(["redisHost", "redisPassword"], store.Keys.Order());
        Assert.Equal("redis:6379", store["redisHost"]);
        Assert.Equal("secretstores.kubernetes", DaprYaml.Text(read.The("Component", "secretstore"), "spec", "type"));
        Assert.All(read.Services, set => Assert.Equal("secretstore", KustomizeOverlay.Variables(set)["ECOLORA_SECRET_STORE"]));
        Dictionary<object, object> resiliency = read.Of("Resiliency").Single();
        Assert.Equivalent(DaprYaml.At(DaprYaml.Read("components/kafka/resiliency.yaml"), "spec"), resiliency["spec"], strict: true);
        string[] begins = [.. DaprYaml.List(KustomizeOverlay.Container(read.The("StatefulSet", "redis")), "command").Cast<string>()];
        Assert.Contains("--appendonly yes --appendfsync always", begins[^1]);

        // The entries that are not the same.
        Dictionary<string, string?> Compare(string file, string name)
        {
            Dictionary<object, object> ours = read.The("Component", name), theirs = DaprYaml.Read($"components/kafka/{file}.yaml");
            Assert.Equal(DaprYaml.Text(theirs, "spec", "type"), DaprYaml.Text(ours, "spec", "type"));
            Assert.Equal(DaprYaml.Text(theirs, "auth", "secretStore"), DaprYaml.Text(ours, "auth", "secretStore"));
            Dictionary<string, string?> here = Entries(ours), there = Entries(theirs);
            Assert.Empty(there.Keys.Except(here.Keys));
            return here.Where(entry => entry.Value is null || there.GetValueOrDefault(entry.Key) != entry.Value).ToDictionary();
        }

        static Dictionary<string, string?> Entries(object component) =>
            DaprYaml.List(component, "spec", "metadata").ToDictionary(entry => DaprYaml.Text(entry, "name"), entry => (string?)DaprYaml.Find(entry, "value"));
    }

    private static string ServiceOf(Dictionary<object, object> set)
    {
        string name = DaprYaml.Text(KustomizeOverlay.Container(set), "image").Split(':')[0].Split('/')[^1];
        return char.ToUpperInvariant(name[0]) + name[1..];
    }

    /// <summary>A variable with what a mount would bring: the sample model and data, and a token.</summary>
    private static string? OnThisMachine(string name, Dictionary<string, string?> variables) => name switch
    {
        ApiAccess.Variable => new string('x', ApiAccess.ShortestToken),
        "ECOLORA_MODELS" or "ECOLORA_DATA" => Path.Combine(Repository.Root, "samples", Path.GetFileName(variables.GetValueOrDefault(name) ?? "")),
        _ => variables.GetValueOrDefault(name),
    };
}
