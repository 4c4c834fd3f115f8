using System.Text.RegularExpressions;
using EcoLora.Hosting;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>deploy/kustomize: the hub's two doors let in what people and sites ask, and nothing else; and a site knocks at the right one.</summary>
public class KustomizeDoorTests
{
    private static readonly KustomizeOverlay _hub = KustomizeOverlay.Read("hub");

    [Fact]
    public void Sites_reach_the_two_calls_that_they_make()
    {
        Assert.Equal("scheduler-api", Behind("sites", "POST", "/" + ServiceTrust.EnrolmentPath));
        Assert.Equal("aggregator-api", Behind("sites", "GET", "/" + InvocationPaths.Change("run-1", 12)));
        string[] others = ["", ServiceTrust.SiteKeysPath, InvocationPaths.Refused, InvocationPaths.Exports("run"), InvocationPaths.Exports("run", "adapter/adapter_config.json"), InvocationPaths.Change("run", 1) + "/x",
            "runs", "runs/run", "sites", "topics/rounds", "dapr/subscribe", "metrics", "healthz", "runs/a/../changes/1"];
        Assert.All(["GET", "POST", "PUT", "DELETE"], method => Assert.All(others, path => Assert.Null(Behind("sites", method, "/" + path))));
        Assert.Null(Behind("sites", "GET", "/" + ServiceTrust.EnrolmentPath));
        Assert.Null(Behind("sites", "POST", "/" + InvocationPaths.Change("run", 1)));
    }

    [Fact]
    public void People_reach_the_page_and_the_api_and_no_service_of_a_sidecar()
    {
        Assert.All(["/", "/hub.css", "/hub.js", "/runs", "/runs/quickstart/events", "/sites", "/sites/north", "/refusals", "/openapi/v1.json"], path => Assert.Equal("scheduler-api", Behind("people", "GET", path)));
        Assert.All([ServiceTrust.EnrolmentPath, ServiceTrust.SiteKeysPath, InvocationPaths.Refused, "topics/reports", "dapr/subscribe", "metrics", "healthz", "readyz"], path => Assert.Null(Behind("people", "POST", "/" + path)));
    }

    [Fact]
    public void Doors_lead_to_services_that_are_there_by_names_that_have_a_certificate()
    {
        List<object> listeners = DaprYaml.List(_hub.Of("Gateway").Single(), "spec", "listeners");
        Assert.All(listeners, listener => Assert.Equal(("HTTPS", "Terminate"), (DaprYaml.Text(listener, "protocol"), DaprYaml.Text(listener, "tls", "mode"))));
        foreach (Dictionary<object, object> route in _hub.Of("HTTPRoute"))
        {
            object parent = DaprYaml.List(route, "spec", "parentRefs").Single();
            Assert.Equal(KustomizeOverlay.NameOf(_hub.Of("Gateway").Single()), DaprYaml.Text(parent, "name"));
            object listener = listeners.Single(listener => DaprYaml.Text(listener, "name") == DaprYaml.Text(parent, "sectionName"));
            Assert.Equal([DaprYaml.Text(listener, "hostname")], DaprYaml.List(route, "spec", "hostnames"));
            foreach (object backend in DaprYaml.List(route, "spec", "rules").Select(rule => DaprYaml.List(rule, "backendRefs").Single()))
            {
                object port = DaprYaml.List(_hub.The("Service", DaprYaml.Text(backend, "name")), "spec", "ports").Single();
                Assert.Equal(DaprYaml.Text(port, "port"), DaprYaml.Text(backend, "port"));
            }
        }
    }

    [Fact]
    public void A_site_calls_scheduler_and_aggregator_by_name_at_the_door_for_sites_with_the_apps_token()
    {
        KustomizeOverlay site = KustomizeOverlay.Read("site");
        object door = DaprYaml.List(_hub.Of("Gateway").Single(), "spec", "listeners").Single(listener => DaprYaml.Text(listener, "name") == "sites");
        Assert.Equal([AppIds.Scheduler, AppIds.Aggregator], site.Of("HTTPEndpoint").Select(KustomizeOverlay.NameOf));
        foreach (Dictionary<object, object> endpoint in site.Of("HTTPEndpoint"))
        {
            Assert.Equal($"https://{DaprYaml.Text(door, "hostname")}", DaprYaml.Text(endpoint, "spec", "baseUrl"));
            object header = DaprYaml.List(endpoint, "spec", "headers").Single();
            Assert.Equal("dapr-api-token", DaprYaml.Text(header, "name"));
            Assert.Null(DaprYaml.Find(header, "value"));
            Assert.Equal("secretstore", DaprYaml.Text(endpoint, "auth", "secretStore"));
        }
    }

    /// <summary>The Service behind a door that a call reaches; null where no route takes it.</summary>
    private static string? Behind(string route, string method, string path) => DaprYaml.List(_hub.The("HTTPRoute", route), "spec", "rules")
        .Where(rule => DaprYaml.List(rule, "matches").Any(match => (DaprYaml.Find(match, "method") is not string only || only == method) && IsPath(DaprYaml.At(match, "path"), path)))
        .Select(rule => DaprYaml.Text(DaprYaml.List(rule, "backendRefs").Single(), "name")).FirstOrDefault();

    private static bool IsPath(object rule, string path)
    {
        string value = DaprYaml.Text(rule, "value");
        return DaprYaml.Text(rule, "type") switch
        {
            "Exact" => path == value,
            "PathPrefix" => path == value || path.StartsWith(value + "/", StringComparison.Ordinal),
            // Some gateways ask for a match of the whole path, others for one anywhere: both ends have to be in the expression.
            "RegularExpression" => value.StartsWith('^') && value.EndsWith('$') && Regex.IsMatch(path, value),
            string other => throw new NotSupportedException($"path type {other}"),
        };
    }
}
