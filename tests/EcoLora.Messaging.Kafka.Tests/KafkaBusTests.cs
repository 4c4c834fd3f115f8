using Confluent.Kafka;
using EcoLora.DaprTestKit;

namespace EcoLora.Messaging.Kafka.Tests;

/// <summary>What lies on Kafka, and what becomes of messages that are refused.</summary>
public sealed class KafkaBusTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task On_the_topic_lie_the_payload_and_the_key_and_nothing_else()
    {
        using MockKafka kafka = MockKafka.Start();
        await using var bus = new KafkaBus(new KafkaOptions(kafka.Endpoint, "north"));
        byte[] payload = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        await bus.PublishAsync("segments", "run/7", payload, Cancellation);
        Message<byte[], byte[]> message = Assert.Single(await kafka.ReadAsync("segments", 1));
        Assert.Equal(payload, message.Value);
        Assert.Equal("run/7"u8, message.Key);
        Assert.True(message.Headers is null or { Count: 0 });
    }

    [Fact]
    public async Task A_publisher_is_told_what_was_not_accepted_and_why()
    {
        using MockKafka kafka = MockKafka.Start(brokers: 1);
        kafka.StopBroker(1);
        await using var bus = new KafkaBus(new KafkaOptions(kafka.Endpoint, "north") { Patience = TimeSpan.FromSeconds(1) });
        IOException refusal = await Assert.ThrowsAsync<IOException>(() => bus.PublishAsync("segments", "k", new byte[7], Cancellation));
        Assert.StartsWith("topic segments: expected Kafka to accept a message of 7 bytes, found: Local: ", refusal.Message, StringComparison.Ordinal);
        refusal = await Assert.ThrowsAsync<IOException>(() => bus.PublishAsync("segments", "k", new byte[MessagePart.MaximumSize + 1], Cancellation));
        Assert.Equal("topic segments: expected a message of at most 921600 bytes, found 921601", refusal.Message);
    }

    [Fact]
    public async Task A_publisher_may_give_up()
    {
        using MockKafka kafka = MockKafka.Start(brokers: 1);
        kafka.StopBroker(1);
        await using var bus = new KafkaBus(new KafkaOptions(kafka.Endpoint, "north"));
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        Task publishing = bus.PublishAsync("segments", "k", new byte[7], giveUp.Token);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => publishing);
    }

    /// <summary>Poison is whatever anybody may put on a topic: without a key or a value, with a key that is no text, larger than any message of ours.</summary>
    [Fact]
    public async Task Poison_goes_to_the_dead_letters_byte_for_byte_and_what_comes_after_it_is_handled()
    {
        using MockKafka kafka = MockKafka.Start();
        kafka.CreateTopic("segments", 1);
        (byte[]? Key, byte[]? Value)[] poison = [([0xFF, 0x00], [1]), (null, new byte[1_000_000]), ([], null), ("k"u8.ToArray(), new byte[2 << 20])];
        foreach ((byte[]? key, byte[]? value) in poison) await kafka.PublishAsync("segments", key, value);
        var inbox = new Inbox();
        await using var bus = new KafkaBus(new KafkaOptions(kafka.Endpoint, "hub") { Tries = 3, FirstPause = TimeSpan.FromMilliseconds(1) });
        // The first one is refused at once, the others by an error at each try.
        bus.Subscribe("segments", "hub", async (message, _) =>
        {
            await inbox.AnswerAsync(message);
            return message.Key == "last" ? Verdict.Success : message.Payload.Length == 1 ? Verdict.Drop : throw new InvalidDataException();
        });
        bus.Start();
        await bus.PublishAsync("segments", "last", new byte[] { 2 }, Cancellation);
        await inbox.WaitForAsync("last", 1);
        IReadOnlyList<Message<byte[], byte[]>> dead = await kafka.ReadAsync("segments.dead", 3);
        foreach ((byte[]? key, byte[]? value) in poison[..3])
            Assert.Single(dead, letter => letter.Key.AsSpan().SequenceEqual(key) && letter.Value.AsSpan().SequenceEqual(value));
        Assert.Equal(1 + 3 * 3 + 1, inbox.Count);
        Assert.Equal((3, 1), (bus.Refused["bus: tries are over"], bus.Refused["bus: too large for the dead letters"]));
    }

    [Fact]
    public async Task Dead_letters_over_the_quota_are_counted_and_passed_over()
    {
        using MockKafka kafka = MockKafka.Start();
        await using var bus = new KafkaBus(new KafkaOptions(kafka.Endpoint, "hub"));
        bus.Subscribe("segments", "hub", (_, _) => Task.FromResult(Verdict.Drop));
        bus.Start();
        await Task.WhenAll(Enumerable.Range(0, DeadLetterQuota.Messages + 10).Select(i => bus.PublishAsync("segments", $"{i}", new byte[1], Cancellation)));
        await Eventually.TrueAsync(() => bus.Refused["bus: dead letters over the quota"] == 10, "ten are over the quota");
        Assert.Equal(DeadLetterQuota.Messages, (await kafka.ReadAsync("segments.dead", DeadLetterQuota.Messages)).Count);
    }

    [Fact]
    public async Task A_dead_letter_that_is_dropped_is_done_with()
    {
        using MockKafka kafka = MockKafka.Start();
        var inbox = new Inbox();
        await using var bus = new KafkaBus(new KafkaOptions(kafka.Endpoint, "undertaker"));
        bus.Subscribe("segments.dead", "undertaker", (message, _) => inbox.AnswerAsync(message, Verdict.Drop));
        bus.Subscribe("segments.dead.dead", "undertaker", (message, _) => inbox.AnswerAsync(message, Verdict.Success));
        bus.Start();
        for (int i = 0; i < 2; i++) await bus.PublishAsync("segments.dead", "k", new byte[1], Cancellation);
        await inbox.WaitForAsync("k", 2);
        await bus.DisposeAsync();
        Assert.Equal(2, inbox.Count);
    }

    [Fact]
    public async Task A_topic_has_one_consumer_and_subscriptions_come_before_the_start()
    {
        using MockKafka kafka = MockKafka.Start(brokers: 1);
        await using var bus = new KafkaBus(new KafkaOptions(kafka.Endpoint, "hub"));
        bus.Subscribe("a", "first", (_, _) => Task.FromResult(Verdict.Success));
        Assert.Equal("second: topic a has a consumer in this app, which is one consumer group", Assert.Throws<InvalidOperationException>(() => bus.Subscribe("a", "second", (_, _) => Task.FromResult(Verdict.Success))).Message);
        bus.Start();
        Assert.Equal("late subscribes to b after the bus was started", Assert.Throws<InvalidOperationException>(() => bus.Subscribe("b", "late", (_, _) => Task.FromResult(Verdict.Success))).Message);
        Assert.Throws<InvalidOperationException>(bus.Start);
    }
}
