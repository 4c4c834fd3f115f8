using System.Collections.Concurrent;
using System.Security.Cryptography;
using Confluent.Kafka;
using EcoLora.DaprTestKit;
using EcoLora.TestKit;

namespace EcoLora.Messaging.Kafka.Tests;

/// <summary>Brokers that go and come, refuse and are slow, and much that goes through them.</summary>
public sealed class KafkaBrokerTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_broker_that_goes_down_and_comes_back_costs_nothing()
    {
        using MockKafka kafka = MockKafka.Start();
        int troubles = 0;
        var inbox = new Inbox();
        await using KafkaBus consumer = kafka.Listen("segments", inbox, _ => Interlocked.Increment(ref troubles));
        await using var publisher = new KafkaBus(new KafkaOptions(kafka.Endpoint, "hub"));
        await PublishAsync(0, 20);
        await Eventually.TrueAsync(() => inbox.Keys == 20, "all are heard before", TimeSpan.FromSeconds(30));
        for (int broker = 1; broker <= 3; broker++) kafka.StopBroker(broker);
        Task publishing = PublishAsync(20, 20);
        await Eventually.TrueAsync(() => Volatile.Read(ref troubles) > 0, "the consumer hears that its broker is gone");
        Assert.False(publishing.IsCompleted);
        for (int broker = 1; broker <= 3; broker++) kafka.StartBroker(broker);
        await publishing;
        await Eventually.TrueAsync(() => inbox.Keys == 40, "all are heard", TimeSpan.FromSeconds(30));

        Task PublishAsync(int first, int count) => Task.WhenAll(Enumerable.Range(first, count).Select(i => publisher.PublishAsync("segments", $"{i}", new byte[9], Cancellation)));
    }

    [Fact]
    public async Task Errors_and_slow_answers_lose_nothing_and_publish_nothing_twice()
    {
        using MockKafka kafka = MockKafka.Start();
        var inbox = new Inbox();
        await using KafkaBus consumer = kafka.Listen("segments", inbox);
        await using var publisher = new KafkaBus(new KafkaOptions(kafka.Endpoint, "hub"));
        await publisher.PublishAsync("segments", "first", new byte[1], Cancellation);
        await inbox.WaitForAsync("first", 1);
        kafka.SetRoundTrip(TimeSpan.FromMilliseconds(50));
        kafka.Fail(KafkaRequest.Produce, ErrorCode.NotLeaderForPartition, ErrorCode.RequestTimedOut, ErrorCode.NotEnoughReplicas, ErrorCode.LeaderNotAvailable);
        kafka.Fail(KafkaRequest.Fetch, ErrorCode.NotLeaderForPartition, ErrorCode.Unknown, ErrorCode.UnknownTopicOrPart);
        kafka.Fail(KafkaRequest.OffsetCommit, ErrorCode.RequestTimedOut, ErrorCode.NotCoordinatorForGroup, ErrorCode.RebalanceInProgress);
        // One after the other: unlike a broker, the mock cluster accepts a message of an idempotent publisher whose predecessor it has just refused, and the client then takes both for accepted.
        for (int i = 0; i < 50; i++) await publisher.PublishAsync("segments", $"{i}", new byte[100], Cancellation);
        await Eventually.TrueAsync(() => inbox.Keys == 51, "all are heard", TimeSpan.FromSeconds(30));
        Assert.Equal(51, (await kafka.ReadAsync("segments", 51)).Select(message => Convert.ToHexString(message.Key)).Distinct().Count());
        Assert.Equal(51, inbox.Count);
    }

    /// <summary>In parts and signed. The mock cluster keeps 5 MB of a partition, so three frames are on their way at once.</summary>
    [Fact]
    public async Task A_hundred_megabytes_of_frames_arrive_byte_for_byte()
    {
        const int Frames = 63, AtOnce = 3, Size = 1_600_000;
        using MockKafka kafka = MockKafka.Start();
        using var folder = new TemporaryFolder();
        await using var sending = new KafkaBus(new KafkaOptions(kafka.Endpoint, "hub"));
        await using var receiving = new KafkaBus(new KafkaOptions(kafka.Endpoint, "codec"));
        using PartedBus from = Site.Around(sending, folder["from"]), to = Site.Around(receiving, folder["to"]);
        var heard = new ConcurrentDictionary<string, byte[]>();
        to.Subscribe("global", "codec", (message, _) =>
        {
            heard[message.Key] = SHA256.HashData(message.Payload.Span);
            return Task.FromResult(Verdict.Success);
        });
        receiving.Start();
        byte[] frame = new byte[Size];
        for (int i = 0; i < Frames; i++)
        {
            new Random(i).NextBytes(frame);
            await from.PublishAsync("global", $"run/{i}", frame, Cancellation);
            await Eventually.TrueAsync(() => heard.Count > i - AtOnce, $"{heard.Count} of {i} frames are heard", TimeSpan.FromSeconds(30));
        }
        await Eventually.TrueAsync(() => heard.Count == Frames, "all frames are heard", TimeSpan.FromSeconds(30));
        for (int i = 0; i < Frames; i++)
        {
            new Random(i).NextBytes(frame);
            Assert.Equal(SHA256.HashData(frame), heard[$"run/{i}"]);
        }
    }
}
