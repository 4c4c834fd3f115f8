using EcoLora.DaprTestKit;
using EcoLora.Messaging.Kafka;
using EcoLora.TestKit;

namespace EcoLora.Messaging.Tests;

/// <summary>What Kafka guarantees through Dapr, on the mock cluster: a key's messages keep their order, and what was published before waits for new consumers.</summary>
public sealed class DaprBusOverKafkaTests
{
    private static readonly ConcurrentSuite _suite = new(() => new DaprBusOverKafkaSuite(SidecarWay.Http));

    public static TheoryData<string> Cases => ConcurrentSuite.Names;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Cases))]
    public Task Conforms(string name)
    {
        Assert.SkipUnless(RedisServer.IsInstalled, RedisServer.SkipReason);
        return _suite.EndOf(name);
    }

    [Fact]
    public async Task Kafka_itself_and_Kafka_through_Dapr_hear_each_other()
    {
        using MockKafka kafka = MockKafka.Start();
        await using RedisServer redis = await RedisServer.StartAsync();
        using SidecarResources resources = SidecarResources.OfProduct("kafka", redis, kafka: kafka);
        using var folder = new TemporaryFolder();
        await using var carrier = new KafkaBus(new KafkaOptions(kafka.Endpoint, "direct"));
        using var direct = new PartedBus(carrier, new PartStore(new DurableFolder(folder.Path), PartLimits.Default, TimeProvider.System));
        await using var dapr = new DaprApp("dapr", SidecarWay.Http);
        byte[][] payloads = [[], [.. Enumerable.Range(0, 256).Select(i => (byte)i)], [.. Enumerable.Range(0, 2_000_000).Select(i => (byte)(i / 7))]];
        TaskCompletionSource<byte[]>[] byDirect = [.. payloads.Select(_ => new TaskCompletionSource<byte[]>())], byDapr = [.. payloads.Select(_ => new TaskCompletionSource<byte[]>())];
        Func<BusMessage, CancellationToken, Task<Verdict>> Into(TaskCompletionSource<byte[]>[] heard) => (message, _) =>
        {
            heard[Array.FindIndex(payloads, payload => payload.Length == message.Payload.Length)].TrySetResult(message.Payload.ToArray());
            return Task.FromResult(Verdict.Success);
        };
        direct.Subscribe("said-by-dapr", "direct", Into(byDirect));
        dapr.Subscribe("said-directly", Into(byDapr));
        carrier.Start();
        await dapr.StartAsync(resources.Path);
        foreach (byte[] payload in payloads)
        {
            await direct.PublishAsync("said-directly", "run/1", payload, Cancellation);
            await dapr.Bus.PublishAsync("said-by-dapr", "run/1", payload, Cancellation);
        }
        TimeSpan patience = TimeSpan.FromSeconds(30);
        for (int i = 0; i < payloads.Length; i++)
        {
            Assert.Equal(payloads[i], await byDirect[i].Task.WaitAsync(patience, Cancellation));
            Assert.Equal(payloads[i], await byDapr[i].Task.WaitAsync(patience, Cancellation));
        }
    }
}

/// <summary>The suite on a cluster of its own.</summary>
internal sealed class DaprBusOverKafkaSuite(SidecarWay way) : DaprBusConformance
{
    private readonly MockKafka _kafka = MockKafka.Start();
    private RedisServer? _redis;

    protected override SidecarWay Way => way;

    protected override bool KeepsOrder => true;

    protected override async Task<SidecarResources> StartBrokerAsync()
    {
        _redis = await RedisServer.StartAsync();
        return SidecarResources.OfProduct("kafka", _redis, kafka: _kafka);
    }

    protected override async Task EndAsync()
    {
        await base.EndAsync();
        if (_redis is { } redis) await redis.DisposeAsync();
        _kafka.Dispose();
    }
}
