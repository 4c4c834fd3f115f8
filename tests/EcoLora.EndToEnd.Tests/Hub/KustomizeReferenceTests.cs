using System.Text.RegularExpressions;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>deploy/kustomize: whatever is named is there, or docs/deployment.md says how it gets there; and no secret is in a file.</summary>
public partial class KustomizeReferenceTests
{
    [Theory]
    [InlineData("hub")]
    [InlineData("site")]
    public void Selectors_services_accounts_and_volumes_lead_to_what_they_name(string overlay)
    {
        KustomizeOverlay read = KustomizeOverlay.Read(overlay);
        foreach (Dictionary<object, object> set in read.Of("StatefulSet"))
        {
            object pod = KustomizeOverlay.Pod(set), container = KustomizeOverlay.Container(set);
            Assert.True(Selects(DaprYaml.At(set, "spec", "selector", "matchLabels"), pod));
            Dictionary<object, object> governing = read.The("Service", DaprYaml.Text(set, "spec", "serviceName"));
            Assert.Equal("None", DaprYaml.Text(governing, "spec", "clusterIP"));
            Assert.True(Selects(DaprYaml.At(governing, "spec", "selector"), pod));
            if (DaprYaml.Find(pod, "spec", "serviceAccountName") is string account) read.The("ServiceAccount", account);

            string[] claimed = [.. DaprYaml.ListOrNone(set, "spec", "volumeClaimTemplates").Select(KustomizeOverlay.NameOf)];
            object[] given = [.. DaprYaml.ListOrNone(pod, "spec", "volumes")];
            List<object> mounts = DaprYaml.List(container, "volumeMounts");
            Assert.Equal(claimed.Concat(given.Select(volume => DaprYaml.Text(volume, "name"))).Order(), mounts.Select(mount => DaprYaml.Text(mount, "name")).Order());
            Assert.All(given, volume => Assert.Contains($"`{DaprYaml.Text(volume, "persistentVolumeClaim", "claimName")}`", Guide));
            Dictionary<string, string?> variables = KustomizeOverlay.Variables(set);
            if (variables.TryGetValue("ECOLORA_VOLUME", out string? path)) Assert.Equal(claimed.Single(), MountAt(path!));
            foreach (string place in new[] { "ECOLORA_MODELS", "ECOLORA_DATA" }.Where(variables.ContainsKey)) Assert.Contains(MountAt(Path.GetDirectoryName(variables[place])!), given.Select(volume => DaprYaml.Text(volume, "name")));

            string MountAt(string path) => DaprYaml.Text(mounts.Single(mount => DaprYaml.Text(mount, "mountPath") == path), "name");
        }
        foreach (Dictionary<object, object> service in read.Of("Service"))
        {
            object container = KustomizeOverlay.Container(read.Of("StatefulSet").Single(set => Selects(DaprYaml.At(service, "spec", "selector"), KustomizeOverlay.Pod(set))));
            object port = DaprYaml.List(service, "spec", "ports").Single();
            Assert.Contains(DaprYaml.List(container, "ports"), open => DaprYaml.Text(open, "name") == DaprYaml.Text(port, "name") && DaprYaml.Text(open, "containerPort") == DaprYaml.Text(port, "port"));
        }
        Dictionary<object, object> binding = read.Of("RoleBinding").Single();
        object subject = DaprYaml.List(binding, "subjects").Single();
        Assert.Equal((KustomizeOverlay.NameOf(read.Of("Role").Single()), read.Namespace), (DaprYaml.Text(binding, "roleRef", "name"), DaprYaml.Text(subject, "namespace")));
        Assert.All(read.Services, set => Assert.Equal(DaprYaml.Text(subject, "name"), DaprYaml.Text(KustomizeOverlay.Pod(set), "spec", "serviceAccountName")));
        Assert.Equal(read.Namespace, KustomizeOverlay.NameOf(read.Of("Namespace").Single()));
    }

    [Theory]
    [InlineData("hub")]
    [InlineData("site")]
    public void Only_those_who_are_named_come_in(string overlay)
    {
        KustomizeOverlay read = KustomizeOverlay.Read(overlay);
        Dictionary<object, object>[] policies = [.. read.Of("NetworkPolicy")];
        object[] pods = [.. read.Of("StatefulSet").Select(KustomizeOverlay.Pod)];
        Assert.All(policies, policy => Assert.Contains(pods, pod => Selects(DaprYaml.At(policy, "spec", "podSelector", "matchLabels"), pod)));
        // The one that lets nobody in holds for all pods; else a pod that no other policy selects would be open.
        object nobody = policies.Single(policy => DaprYaml.Find(policy, "spec", "ingress") is null);
        Assert.All(pods, pod => Assert.True(Selects(DaprYaml.At(nobody, "spec", "podSelector", "matchLabels"), pod)));
        object[] rules = [.. policies.SelectMany(policy => DaprYaml.ListOrNone(policy, "spec", "ingress"))];
        Assert.All(rules, rule => Assert.NotEmpty(DaprYaml.List(rule, "from")));
        // The services' ports, Redis', and the sidecars' among themselves (Dapr's internal gRPC port, by its injector's default).
        Assert.Equal(["50002", "6379", "app"], rules.SelectMany(rule => DaprYaml.List(rule, "ports")).Select(port => DaprYaml.Text(port, "port")).Distinct().Order());
        // Nobody but pods of ours and Prometheus reaches a site.
        object[] peers = [.. rules.SelectMany(rule => DaprYaml.List(rule, "from")).Where(peer => DaprYaml.Find(peer, "namespaceSelector") is not null)];
        string[] namespaces = [.. peers.Select(peer => DaprYaml.Text(peer, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name")).Order()];
        Assert.Equal(overlay == "hub" ? ["envoy-gateway-system", "monitoring"] : ["monitoring"], namespaces);
    }

    [Theory]
    [InlineData("hub")]
    [InlineData("site")]
    public void Every_secret_is_named_only_and_the_guide_makes_it(string overlay)
    {
        KustomizeOverlay read = KustomizeOverlay.Read(overlay);
        Assert.Empty(read.Of("Secret"));
        // What Strimzi makes: for each KafkaUser a Secret of its name, and the cluster's authority.
        var strimzi = read.Of("KafkaUser").SelectMany(user => new[] { $"{KustomizeOverlay.NameOf(user)}/user.crt", $"{KustomizeOverlay.NameOf(user)}/user.key" })
            .Concat(read.Of("Kafka").Select(kafka => $"{KustomizeOverlay.NameOf(kafka)}-cluster-ca-cert/ca.crt")).ToHashSet();
        var made = CreateSecret().Matches(Guide).Where(command => command.Groups["space"].Value == read.Namespace).SelectMany(Made).ToHashSet();

        HashSet<string> ofSidecars = [.. read.Of("Component").SelectMany(component => DaprYaml.List(component, "spec", "metadata")).Concat(read.Of("HTTPEndpoint").SelectMany(endpoint => DaprYaml.List(endpoint, "spec", "headers")))
            .Where(entry => DaprYaml.Find(entry, "secretKeyRef") is not null).Select(entry => Reference(DaprYaml.At(entry, "secretKeyRef")))];
        string[] ofStore = overlay == "hub" ? ["ecolora-key/ecolora-key"] : ["ecolora-key/ecolora-key", "ecolora-hub/ecolora-hub", "ecolora-enrolment/ecolora-enrolment"];
        HashSet<string> named = [.. ofSidecars, .. ofStore];
        // A sidecar may read what is asked of it, and nothing else.
        Assert.Equal(named.Select(secret => secret.Split('/')[0]).Distinct().Order(), DaprYaml.List(DaprYaml.List(read.Of("Role").Single(), "rules").Single(), "resourceNames").Cast<string>().Order());
        Assert.Equal(["get"], DaprYaml.List(DaprYaml.List(read.Of("Role").Single(), "rules").Single(), "verbs"));
        object scope = DaprYaml.List(read.Of("Configuration").Single(), "spec", "secrets", "scopes").Single();
        Assert.Equal("deny", DaprYaml.Text(scope, "defaultAccess"));
        Assert.Empty(ofStore.Select(secret => secret.Split('/')[0]).Except(DaprYaml.List(scope, "allowedSecrets").Cast<string>()));
        Assert.Equal(["ecolora-enrolment", "ecolora-hub", "ecolora-key"], DaprYaml.List(scope, "allowedSecrets").Cast<string>().Order());

        foreach (Dictionary<object, object> set in read.Of("StatefulSet"))
        {
            named.UnionWith(DaprYaml.ListOrNone(KustomizeOverlay.Container(set), "env").Where(entry => DaprYaml.Find(entry, "valueFrom") is not null).Select(entry => Reference(DaprYaml.At(entry, "valueFrom", "secretKeyRef"))));
            if (DaprYaml.Find(KustomizeOverlay.Pod(set), "metadata", "annotations") is not { } annotations) continue;
            // The injector takes the key "token" of these, and the app shows and asks for the same.
            foreach ((string annotation, string variable) in new[] { ("dapr.io/api-token-secret", "DAPR_API_TOKEN"), ("dapr.io/app-token-secret", "APP_API_TOKEN") })
            {
                object entry = DaprYaml.List(KustomizeOverlay.Container(set), "env").Single(entry => DaprYaml.Text(entry, "name") == variable);
                Assert.Equal($"{DaprYaml.Text(annotations, annotation)}/token", Reference(DaprYaml.At(entry, "valueFrom", "secretKeyRef")));
            }
        }
        foreach (object certificate in read.Of("Gateway").SelectMany(gateway => DaprYaml.List(gateway, "spec", "listeners")).SelectMany(listener => DaprYaml.List(listener, "tls", "certificateRefs")))
            named.Add($"{DaprYaml.Text(certificate, "name")}/tls.crt");
        Assert.Equal(named.Order(), named.Where(secret => made.Contains(secret) || strimzi.Contains(secret)).Order());
        Assert.Empty(made.Except(named));
    }

    [Fact]
    public void Prometheus_finds_each_pod_once_and_has_the_schedulers_token()
    {
        List<object> jobs = DaprYaml.List(DaprYaml.Read("deploy/prometheus/kubernetes.yml"), "scrape_configs");
        foreach (KustomizeOverlay overlay in new[] { KustomizeOverlay.Read("hub"), KustomizeOverlay.Read("site") })
        {
            foreach (string id in overlay.Services.Select(set => DaprYaml.Text(KustomizeOverlay.Pod(set), "metadata", "labels", "ecolora/app-id")))
            {
                object job = jobs.Single(job => DaprYaml.List(DaprYaml.List(job, "kubernetes_sd_configs").Single(), "namespaces", "names").Contains(overlay.Namespace)
                    && Regex.IsMatch($"{id};app", $"^(?:{DaprYaml.Text(DaprYaml.List(job, "relabel_configs")[0], "regex")})$"));
                // Its name in Prometheus is the app id.
                Assert.True(DaprYaml.Text(job, "job_name") == id || DaprYaml.List(job, "relabel_configs").Any(rule => DaprYaml.Find(rule, "target_label") is "job"), id);
                Assert.Equal(id == "scheduler", DaprYaml.Find(job, "authorization", "credentials_file") is "/etc/prometheus/secrets/scheduler-api-token/token");
            }
        }
    }

    private static string Guide { get; } = File.ReadAllText(Path.Combine(Repository.Root, "docs", "deployment.md"));

    private static string Reference(object reference) => $"{DaprYaml.Text(reference, "name")}/{DaprYaml.Text(reference, "key")}";

    /// <summary>The keys that a command of the guide makes.</summary>
    private static IEnumerable<string> Made(Match command) => command.Groups["kind"].Value == "tls" ? [$"{command.Groups["name"].Value}/tls.crt"]
        : FromArgument().Matches(command.Groups["rest"].Value).Select(argument => $"{command.Groups["name"].Value}/{argument.Groups[1].Value}");

    private static bool Selects(object labels, object pod) =>
        ((Dictionary<object, object>)labels).All(label => DaprYaml.Find(pod, "metadata", "labels", (string)label.Key) is string value && value == (string)label.Value);

    [GeneratedRegex(@"kubectl -n (?<space>\S+) create secret (?<kind>generic|tls) (?<name>\S+)(?<rest>.*)")]
    private static partial Regex CreateSecret();

    [GeneratedRegex(@"--from-(?:literal|file)=([^= ]+)")]
    private static partial Regex FromArgument();
}
