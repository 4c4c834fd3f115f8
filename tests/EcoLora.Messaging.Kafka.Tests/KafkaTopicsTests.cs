using EcoLora.DaprTestKit;

namespace EcoLora.Messaging.Kafka.Tests;

/// <summary>
/// What topics are there and how far their readers are. The mock cluster makes no topics on request and tells no settings; both were tried by hand, docs/operations.md
/// says against what.
/// </summary>
public sealed class KafkaTopicsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Topics_are_told_with_their_messages_and_a_group_with_what_it_has_not_handled()
    {
        using MockKafka kafka = MockKafka.Start();
        kafka.CreateTopic("segments", 2);
        kafka.CreateTopic("rounds", 1);
        kafka.CreateTopic("others", 1);
        var inbox = new Inbox();
        await using (KafkaBus publisher = new(new KafkaOptions(kafka.Endpoint, "hub")))
        {
            await using (KafkaBus consumer = kafka.Listen("segments", inbox))
            {
                for (int i = 0; i < 5; i++) await publisher.PublishAsync("segments", $"run/{i}", new byte[9], Cancellation);
                await Eventually.TrueAsync(() => inbox.Keys == 5, "all are heard", TimeSpan.FromSeconds(30));
            }
            for (int i = 0; i < 3; i++) await publisher.PublishAsync("segments", $"run/{i}", new byte[9], Cancellation);
        }
        using var topics = new KafkaTopics(Operator(kafka.Endpoint));
        Assert.Equal(3, topics.CountBrokers());
        Assert.Equal(
            [new TopicFacts("rounds", 1, 3, null, 0, 0), new TopicFacts("segments", 2, 3, null, 8, 0)], await topics.DescribeAsync(["segments", "rounds", "global"]));
        Assert.Equal([new GroupLag("consumer", "segments", 3, 0)], topics.LagOf("consumer", ["segments", "rounds"]));
        Assert.Empty(topics.LagOf("somebody", ["segments", "rounds"]));
        Assert.Null(topics.Groups());
    }

    [Fact]
    public async Task A_cluster_that_makes_no_topics_and_one_that_is_away_are_named()
    {
        using MockKafka kafka = MockKafka.Start();
        kafka.CreateTopic("segments", 2);
        using var topics = new KafkaTopics(Operator(kafka.Endpoint));
        var rule = new TopicRule(1, 1, TimeSpan.FromDays(1));
        Assert.Empty(await topics.CreateAsync(["segments"], rule));
        IOException refusal = await Assert.ThrowsAsync<IOException>(() => topics.CreateAsync(["segments", "rounds"], rule));
        Assert.StartsWith($"Kafka at {kafka.Endpoint}: ", refusal.Message, StringComparison.Ordinal);
        using var away = new KafkaTopics(Operator("127.0.0.1:1"));
        Assert.Contains("127.0.0.1:1", Assert.Throws<IOException>(() => away.CountBrokers()).Message, StringComparison.Ordinal);
    }

    private static KafkaOptions Operator(string brokers) => new(brokers, "operator") { Patience = TimeSpan.FromSeconds(2) };
}
