using Confluent.Kafka;
using EcoLora.DaprTestKit;

namespace EcoLora.Messaging.Kafka.Tests;

/// <summary>Offsets: what is committed is done with, everything else comes again.</summary>
public sealed class KafkaCommitTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_handled_but_not_committed_comes_again_and_what_was_committed_does_not()
    {
        using MockKafka kafka = MockKafka.Start(brokers: 1);
        await using var publisher = new KafkaBus(new KafkaOptions(kafka.Endpoint, "hub"));
        await publisher.PublishAsync("segments", "message", new byte[1], Cancellation);
        // Every commit of the first one fails, as if it were killed after it has stored and before it has committed.
        kafka.Fail(KafkaRequest.OffsetCommit, [.. Enumerable.Repeat(ErrorCode.Unknown, 10_000)]);
        Inbox first = new(), second = new(), third = new();
        await using (KafkaBus bus = kafka.Listen("segments", first)) await first.WaitForAsync("message", 1);
        kafka.StopFailing(KafkaRequest.OffsetCommit);
        await using (KafkaBus bus = kafka.Listen("segments", second)) await second.WaitForAsync("message", 1);
        await publisher.PublishAsync("segments", "another", new byte[1], Cancellation);
        await using (KafkaBus bus = kafka.Listen("segments", third)) await third.WaitForAsync("another", 1);
        Assert.Equal(0, third.Of("message"));
    }

    [Fact]
    public async Task A_message_in_the_hands_of_a_consumer_that_is_killed_comes_to_the_next()
    {
        using MockKafka kafka = MockKafka.Start(brokers: 1);
        await using var publisher = new KafkaBus(new KafkaOptions(kafka.Endpoint, "hub"));
        await publisher.PublishAsync("segments", "message", new byte[1], Cancellation);
        var settings = new ConsumerConfig { BootstrapServers = kafka.Endpoint, GroupId = "consumer", AutoOffsetReset = AutoOffsetReset.Earliest, EnableAutoCommit = false, SessionTimeoutMs = (int)Listener.Silence.TotalMilliseconds, HeartbeatIntervalMs = 400 };
        using (IConsumer<byte[], byte[]> killed = new ConsumerBuilder<byte[], byte[]>(settings).Build())
        {
            killed.Subscribe("segments");
            await Eventually.TrueAsync(() => killed.Consume(100) is not null, "the first member has it");
        }
        var inbox = new Inbox();
        await using KafkaBus next = kafka.Listen("segments", inbox);
        await inbox.WaitForAsync("message", 1);
    }
}
