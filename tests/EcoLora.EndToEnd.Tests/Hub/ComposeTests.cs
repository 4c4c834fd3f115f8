using System.Text.RegularExpressions;
using EcoLora.Hosting;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>deploy/compose: services, sidecars, settings, mounts and monitoring fit each other, the code and the repository.</summary>
public partial class ComposeTests
{
    private const string Folder = "deploy/compose";

    private static readonly Dictionary<object, object> _file = DaprYaml.ReadAll(File.ReadAllText(In("compose.yaml"))).Single();
    private static readonly Dictionary<object, object> _services = (Dictionary<object, object>)_file["services"];

    private static IEnumerable<(string Id, object Service)> Apps => _services.Where(service => DaprYaml.Find(service.Value, "build") is not null).Select(service => ((string)service.Key, service.Value));

    [Fact]
    public void Every_app_is_a_service_with_the_settings_of_the_code()
    {
        Assert.Equal(DaprYaml.Apps().Select(app => app.AppId), Apps.Select(app => app.Id));
        HashSet<string> documented = ServiceFacts.DocumentedVariables();
        foreach ((string id, object app) in Apps)
        {
            string service = DaprYaml.Text(app, "build", "args", "SERVICE");
            Dictionary<string, string> variables = DaprYaml.Texts(app, "environment");
            Assert.Empty(variables.Keys.Where(name => !name.EndsWith("_API_TOKEN", StringComparison.Ordinal)).Except(ServiceFacts.VariablesOf(service)));
            Assert.Empty(variables.Keys.Except(documented));
            Assert.Equal(("required", "any"), (variables["ECOLORA_SIGNATURES"], variables["ECOLORA_BIND"]));
            Assert.Equal(service == "Scheduler", variables.ContainsKey(ApiAccess.Variable));
            Assert.Equal(service is "Codec" or "Trainer", variables.ContainsKey("ECOLORA_HUB") && variables.ContainsKey("ECOLORA_ENROLMENT"));
            // The key of its own place: the hub's two share one, each site has another.
            string place = service is "Codec" or "Trainer" ? variables["ECOLORA_SITE"].ToUpperInvariant() : "HUB";
            Assert.StartsWith($"${{{place}_KEY:?", variables["ECOLORA_KEY"]);
            if (place != "HUB") Assert.StartsWith($"${{{place}_ENROLMENT:", variables["ECOLORA_ENROLMENT"]);

            ServiceDefinition definition = ServiceFacts.Define(service)(new ServiceVariables(name => name switch
            {
                ApiAccess.Variable => new string('x', ApiAccess.ShortestToken),
                "ECOLORA_MODELS" or "ECOLORA_DATA" when variables.TryGetValue(name, out string? path) => Path.Combine(Repository.Root, Mounts(app).Single(mount => mount.Target == path).Source),
                _ => variables.GetValueOrDefault(name),
            }));
            Assert.Equal((id, definition.Port), (definition.AppId, int.Parse(variables["APP_PORT"])));
            Assert.Contains(Mounts(app), mount => mount == (id, variables["ECOLORA_VOLUME"], false));
        }
        Assert.Equal(DaprYaml.Apps().Select(app => app.Environment.GetValueOrDefault("ECOLORA_CLIENTS")), Apps.Select(app => DaprYaml.Find(app.Service, "environment", "ECOLORA_CLIENTS")));
    }

    [Fact]
    public void Every_app_has_a_sidecar_in_its_network_with_the_components()
    {
        foreach ((string id, object app) in Apps)
        {
            object sidecar = _services[$"{id}-dapr"];
            Assert.Equal($"service:{id}", DaprYaml.Text(sidecar, "network_mode"));
            Assert.Equal(DaprYaml.ListOrNone(app, "profiles"), DaprYaml.ListOrNone(sidecar, "profiles"));
            string[] command = [.. DaprYaml.List(sidecar, "command").Cast<string>()];
            string After(string flag) => command[Array.IndexOf(command, flag) + 1];
            Assert.Equal((id, DaprYaml.Text(app, "environment", "APP_PORT"), "127.0.0.1", "3500"), (After("--app-id"), After("--app-port"), After("--dapr-listen-addresses"), After("--dapr-http-port")));
            Assert.All(["DAPR_API_TOKEN", "APP_API_TOKEN"], token => Assert.Equal(DaprYaml.Text(app, "environment", token), DaprYaml.Text(sidecar, "environment", token)));
            Assert.All(Mounts(sidecar), mount => Assert.Equal((After("--resources-path"), true), (Path.GetDirectoryName(mount.Target), mount.ReadOnly)));
            Assert.Equal(["pubsub.yaml", "resiliency.yaml", "secretstore.yaml", "statestore.yaml"], Mounts(sidecar).Select(mount => Path.GetFileName(mount.Source)).Order());
            // The sidecar outlasts the half minute that its app may take.
            Assert.InRange(Seconds(After("--dapr-block-shutdown-duration")), 31, Seconds(DaprYaml.Text(sidecar, "stop_grace_period")) - 5);
            Assert.InRange(Seconds(DaprYaml.Text(app, "stop_grace_period")), 31, 300);
        }
        Assert.Equal(2 * Apps.Count() + 4, _services.Count);
    }

    [Theory]
    [InlineData("pubsub", "brokers", "localhost:9092", "kafka:9092")]
    [InlineData("statestore", "redisHost", "localhost:6379", "redis:6379")]
    public void Components_are_those_of_components_kafka_but_for_an_address(string file, string name, string there, string here)
    {
        Dictionary<object, object> ours = DaprYaml.Read($"{Folder}/components/{file}.yaml"), theirs = DaprYaml.Read($"components/kafka/{file}.yaml");
        var address = (Dictionary<object, object>)DaprYaml.List(ours, "spec", "metadata").Single(entry => DaprYaml.Text(entry, "name") == name);
        Assert.Equal(here, address["value"]);
        address["value"] = there;
        Assert.Equivalent(theirs, ours, strict: true);
        Assert.True(_services.ContainsKey(here.Split(':')[0]));
    }

    [Fact]
    public void Mounts_are_there_volumes_are_declared_ports_are_this_machines_and_images_have_a_version()
    {
        var used = new HashSet<string>();
        foreach ((object name, object service) in _services)
        {
            foreach ((string source, _, bool readOnly) in Mounts(service))
            {
                if (!source.Contains('/')) used.Add(source);
                else Assert.True(readOnly && Path.Exists(Path.Combine(Repository.Root, source)), $"{name}: {source}");
            }
            Assert.All(DaprYaml.ListOrNone(service, "ports"), port => Assert.StartsWith("127.0.0.1:", (string)port));
            Assert.Matches(@":v?\d+\.\d+\.\d+$", DaprYaml.Text(service, "image"));
        }
        Assert.Equal(((Dictionary<object, object>)_file["volumes"]).Keys.Cast<string>().Order(), used.Order());
        string[] inCluster = [.. new[] { "hub", "site" }.SelectMany(overlay => KustomizeOverlay.Read(overlay).Of("StatefulSet")).Select(set => DaprYaml.Text(KustomizeOverlay.Container(set), "image").Replace("registry.example/", "", StringComparison.Ordinal))];
        Assert.Superset(inCluster.ToHashSet(), _services.Values.Select(service => DaprYaml.Text(service, "image")).ToHashSet());
        Assert.Contains("--appendonly yes --appendfsync always", (string)DaprYaml.List(_services["redis"], "command")[^1]);
    }

    [Fact]
    public void Every_secret_comes_from_the_environment_and_the_example_has_none()
    {
        string text = File.ReadAllText(In("compose.yaml"));
        var asked = Interpolation().Matches(text).Select(match => match.Groups[1].Value).ToHashSet();
        Dictionary<string, string> example = File.ReadLines(In(".env.example")).Where(line => line.Length > 0 && line[0] != '#').Select(line => line.Split('=', 2)).ToDictionary(parts => parts[0], parts => parts[1]);
        Assert.Equal(asked.Order(), example.Keys.Order());
        Assert.All(example.Values, Assert.Empty);
        // Without a value compose begins nothing; but what the hub tells is not known before the hub is up, and the services refuse to run without it.
        Assert.Equal(["HUB_PUBLIC_KEY", "NORTH_ENROLMENT", "SOUTH_ENROLMENT"], Interpolation().Matches(text).Where(match => match.Groups[2].Value != ":?").Select(match => match.Groups[1].Value).Distinct().Order());
        Assert.Contains(".env", File.ReadLines(Path.Combine(Repository.Root, ".gitignore")));
    }

    [Fact]
    public void Prometheus_has_a_job_for_each_app_and_grafana_finds_the_dashboards()
    {
        Dictionary<object, object> prometheus = DaprYaml.Read($"{Folder}/prometheus.yml");
        IEnumerable<string> jobs = DaprYaml.List(prometheus, "scrape_configs").Select(job => $"{DaprYaml.Text(job, "job_name")} {DaprYaml.List(DaprYaml.List(job, "static_configs").Single(), "targets").Single()}");
        Assert.Equal(Apps.Select(app => $"{app.Id} {app.Id}:{DaprYaml.Text(app.Service, "environment", "APP_PORT")}"), jobs);
        object scheduler = DaprYaml.List(prometheus, "scrape_configs")[0];
        Assert.Equal($"/run/secrets/{DaprYaml.List(_services["prometheus"], "secrets").Single()}", DaprYaml.Text(scheduler, "authorization", "credentials_file"));
        Assert.Equal(ApiAccess.Variable, DaprYaml.Text(_file, "secrets", "scheduler-api-token", "environment"));
        (string Source, string Target, bool ReadOnly)[] mounts = [.. Mounts(_services["prometheus"])];
        Assert.Contains((string)DaprYaml.List(prometheus, "rule_files").Single(), mounts.Select(mount => mount.Target));
        Assert.Contains("deploy/prometheus/alerts.yml", mounts.Select(mount => mount.Source));

        object provider = DaprYaml.List(DaprYaml.Read($"{Folder}/grafana/provisioning/dashboards/ecolora.yml"), "providers").Single();
        string dashboards = Mounts(_services["grafana"]).Single(mount => mount.Target == DaprYaml.Text(provider, "options", "path")).Source;
        Assert.Equal(3, Directory.GetFiles(Path.Combine(Repository.Root, dashboards), "*.json").Length);
        object source = DaprYaml.List(DaprYaml.Read($"{Folder}/grafana/provisioning/datasources/prometheus.yml"), "datasources").Single();
        Assert.Equal(("prometheus", "http://prometheus:9090"), (DaprYaml.Text(source, "type"), DaprYaml.Text(source, "url")));
    }

    private static string In(string file) => Path.Combine(Repository.Root, Folder, file);

    private static int Seconds(string text) => int.Parse(text.TrimEnd('s'));

    /// <summary>A service's mounts: a named volume, or a path from the repository's root.</summary>
    private static IEnumerable<(string Source, string Target, bool ReadOnly)> Mounts(object service) => DaprYaml.ListOrNone(service, "volumes").Cast<string>().Select(text => text.Split(':'))
        .Select(parts => (parts[0][0] == '.' ? Path.GetRelativePath(Repository.Root, Path.GetFullPath(In(parts[0]))) : parts[0], parts[1], parts.Length > 2 && parts[2] == "ro"));

    [GeneratedRegex(@"(?<!\$)\$\{([A-Z_]+)(:[?-])")]
    private static partial Regex Interpolation();
}
