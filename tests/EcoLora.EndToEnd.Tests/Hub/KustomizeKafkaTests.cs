using EcoLora.Hosting;
using EcoLora.Messaging;
using EcoLora.Messaging.Kafka;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>deploy/kustomize: Kafka's topics are what the code needs, and its users may do what their services do, no more and no less.</summary>
public class KustomizeKafkaTests
{
    private const string Site = "north";

    private static readonly KustomizeOverlay _hub = KustomizeOverlay.Read("hub");

    [Fact]
    public void Topics_are_those_of_the_code_and_lose_nothing()
    {
        var rule = new TopicRule(4, 3, TimeSpan.FromDays(7));
        Assert.Equal(ServiceFacts.EveryTopic.Order(), _hub.Of("KafkaTopic").Select(KustomizeOverlay.NameOf).Order());
        foreach (Dictionary<object, object> topic in _hub.Of("KafkaTopic"))
        {
            Dictionary<string, string> settings = DaprYaml.Texts(topic, "spec", "config");
            Assert.Equal(rule.Settings.Keys.Order(), settings.Keys.Order());
            Assert.Empty(rule.Faults(new TopicFacts(KustomizeOverlay.NameOf(topic), int.Parse(DaprYaml.Text(topic, "spec", "partitions")), int.Parse(DaprYaml.Text(topic, "spec", "replicas")), settings, 0, 0)));
            Assert.Equal("1048576", settings["max.message.bytes"]);
        }
    }

    [Fact]
    public void Users_may_read_what_their_services_hear_and_write_what_they_say()
    {
        Assert.Equal(["kafka-hub", $"kafka-site-{Site}"], _hub.Of("KafkaUser").Select(KustomizeOverlay.NameOf));
        Assert.Equal(Rights(["Scheduler", "Aggregator"], (AppIds.Scheduler, "literal"), (AppIds.Aggregator, "literal")), RightsOf("kafka-hub"));
        // A trainer is a group of its own, with a number behind the prefix.
        string trainers = AppIds.Trainer(Site, 0)[..^1];
        Assert.Equal(Rights(["Codec", "Trainer"], (AppIds.Codec(Site), "literal"), (trainers, "prefix")), RightsOf($"kafka-site-{Site}"));
    }

    [Fact]
    public void Brokers_want_a_certificate_and_the_components_know_their_addresses()
    {
        Dictionary<object, object> kafka = _hub.Of("Kafka").Single();
        string cluster = KustomizeOverlay.NameOf(kafka);
        Assert.All([.. _hub.Of("KafkaTopic"), .. _hub.Of("KafkaUser"), .. _hub.Of("KafkaNodePool")], resource => Assert.Equal(cluster, DaprYaml.Text(resource, "metadata", "labels", "strimzi.io/cluster")));
        Assert.All(_hub.Of("KafkaUser"), user => Assert.Equal("tls", DaprYaml.Text(user, "spec", "authentication", "type")));
        Assert.Equal("simple", DaprYaml.Text(kafka, "spec", "kafka", "authorization", "type"));
        List<object> listeners = DaprYaml.List(kafka, "spec", "kafka", "listeners");
        Assert.All(listeners, listener => Assert.Equal(("true", "tls"), (DaprYaml.Text(listener, "tls"), DaprYaml.Text(listener, "authentication", "type"))));
        object within = listeners.Single(listener => DaprYaml.Text(listener, "type") == "internal"), without = listeners.Single(listener => DaprYaml.Text(listener, "type") != "internal");
        Assert.Equal($"{cluster}-kafka-bootstrap:{DaprYaml.Text(within, "port")}", BrokersOf("hub"));
        Assert.Equal($"{DaprYaml.List(without, "configuration", "bootstrap", "alternativeNames").Single()}:{DaprYaml.Text(without, "port")}", BrokersOf("site"));
        Assert.Equal("false", DaprYaml.Text(kafka, "spec", "kafka", "config", "auto.create.topics.enable"));
        int brokers = int.Parse(DaprYaml.Text(_hub.Of("KafkaNodePool").Single(), "spec", "replicas"));
        Assert.All(_hub.Of("KafkaTopic"), topic => Assert.InRange(int.Parse(DaprYaml.Text(topic, "spec", "replicas")), 1, brokers));

        static string BrokersOf(string overlay) =>
            DaprYaml.Text(DaprYaml.List(KustomizeOverlay.Read(overlay).The("Component", "pubsub"), "spec", "metadata").Single(entry => DaprYaml.Text(entry, "name") == "brokers"), "value");
    }

    /// <summary>What services need: Describe and Read of what they hear and of their groups, Describe and Write of what they say and give up on.</summary>
    private static SortedSet<string> Rights(string[] services, params (string Group, string Pattern)[] groups)
    {
        var rights = new SortedSet<string>(StringComparer.Ordinal);
        foreach (string service in services)
        {
            string[] hears = ServiceFacts.Hears(service), says = [.. ServiceFacts.Says(service), .. hears.Select(topic => topic + IMessageBus.DeadLetterSuffix)];
            rights.UnionWith(hears.SelectMany(topic => new[] { $"topic {topic} literal Describe", $"topic {topic} literal Read" }));
            rights.UnionWith(says.SelectMany(topic => new[] { $"topic {topic} literal Describe", $"topic {topic} literal Write" }));
        }
        rights.UnionWith(groups.SelectMany(group => new[] { $"group {group.Group} {group.Pattern} Describe", $"group {group.Group} {group.Pattern} Read" }));
        return rights;
    }

    private static SortedSet<string> RightsOf(string user) => new(
        DaprYaml.List(_hub.The("KafkaUser", user), "spec", "authorization", "acls").SelectMany(rule => DaprYaml.List(rule, "operations").Select(operation =>
            $"{DaprYaml.Text(rule, "resource", "type")} {DaprYaml.Text(rule, "resource", "name")} {DaprYaml.Text(rule, "resource", "patternType")} {operation}")), StringComparer.Ordinal);
}
