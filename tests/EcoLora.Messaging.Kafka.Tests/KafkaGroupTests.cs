using EcoLora.DaprTestKit;

namespace EcoLora.Messaging.Kafka.Tests;

/// <summary>Consumers that come late, come and go, and share a group.</summary>
public sealed class KafkaGroupTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_consumer_that_starts_later_gets_everything_once()
    {
        const int Count = 2000;
        using MockKafka kafka = MockKafka.Start();
        await using var publisher = new KafkaBus(new KafkaOptions(kafka.Endpoint, "hub"));
        await Task.WhenAll(Enumerable.Range(0, Count).Select(i => publisher.PublishAsync("rounds", $"{i}", BitConverter.GetBytes(i), Cancellation)));
        var inbox = new Inbox();
        await using KafkaBus late = kafka.Listen("rounds", inbox);
        await Eventually.TrueAsync(() => inbox.Count == Count, $"{Count} messages, so far {inbox.Count}", TimeSpan.FromSeconds(30));
        Assert.Equal(Count, inbox.Keys);
    }

    [Fact]
    public async Task Members_that_come_and_go_share_the_partitions_and_lose_nothing()
    {
        using MockKafka kafka = MockKafka.Start();
        await using var publisher = new KafkaBus(new KafkaOptions(kafka.Endpoint, "hub"));
        Inbox first = new(), second = new();
        KafkaBus one = kafka.Listen("segments", first);
        int published = 0;
        await PublishUntilAsync(() => first.Count > 0);
        await using KafkaBus two = kafka.Listen("segments", second);
        await PublishUntilAsync(() => second.Count > 0);
        await one.DisposeAsync();
        int before = second.Count;
        await PublishUntilAsync(() => second.Count > before + 100);
        await Eventually.TrueAsync(() => Enumerable.Range(0, published).All(i => first.Of($"{i}") + second.Of($"{i}") > 0), "every message is handled", TimeSpan.FromSeconds(30));

        Task PublishUntilAsync(Func<bool> condition) => Eventually.TrueAsync(async () =>
        {
            await publisher.PublishAsync("segments", $"{published++}", new byte[9], Cancellation);
            return condition();
        }, "the members share", TimeSpan.FromSeconds(30));
    }
}
