namespace EcoLora.Messaging.Kafka.Tests;

public class TopicRuleTests
{
    private static readonly TopicRule _rule = new(4, 3, TimeSpan.FromDays(7));

    [Fact]
    public void A_topic_as_it_would_be_made_has_no_faults() => Assert.Empty(_rule.Faults(Topic(_rule.Settings)));

    [Fact]
    public void More_of_everything_is_no_fault() =>
        Assert.Empty(_rule.Faults(new TopicFacts("rounds", 12, 5, new Dictionary<string, string>
        {
            ["cleanup.policy"] = "delete",
            ["retention.ms"] = "-1",
            ["max.message.bytes"] = "10485760",
            ["min.insync.replicas"] = "3",
        }, 0, 0)));

    [Fact]
    public void What_the_brokers_do_not_tell_is_not_judged() => Assert.Empty(_rule.Faults(Topic(null)));

    [Theory]
    [InlineData("cleanup.policy", "compact", "cleanup.policy: expected delete, found compact")]
    [InlineData("cleanup.policy", "compact,delete", "cleanup.policy: expected delete, found compact,delete")]
    [InlineData("retention.ms", "604799999", "retention.ms: expected 604800000 or more, found 604799999")]
    [InlineData("retention.bytes", "1073741824", "retention.bytes: expected -1, so that only time ends a message, found 1073741824")]
    [InlineData("max.message.bytes", "1048575", "max.message.bytes: expected 1048576 or more, found 1048575")]
    [InlineData("min.insync.replicas", "1", "min.insync.replicas: expected 2 or more, found 1")]
    [InlineData("min.insync.replicas", "4", "min.insync.replicas: expected at most the 3 copies, found 4: nothing can be published")]
    public void A_setting_that_would_lose_or_refuse_messages_is_named(string setting, string value, string fault) =>
        Assert.Equal([fault], _rule.Faults(Topic(new Dictionary<string, string>(_rule.Settings) { [setting] = value })));

    [Fact]
    public void Fewer_partitions_and_copies_are_named() =>
        Assert.Equal(["partitions: expected 4 or more, found 1", "copies: expected 3 or more, found 2"], _rule.Faults(new TopicFacts("rounds", 1, 2, _rule.Settings, 0, 0)));

    [Fact]
    public void On_one_broker_one_copy_in_sync_is_enough() => Assert.Equal("1", new TopicRule(1, 1, TimeSpan.FromDays(1)).Settings["min.insync.replicas"]);

    private static TopicFacts Topic(IReadOnlyDictionary<string, string>? settings) => new("rounds", 4, 3, settings, 0, 0);
}
