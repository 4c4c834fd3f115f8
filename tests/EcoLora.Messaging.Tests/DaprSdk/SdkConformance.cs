using EcoLora.DaprTestKit;

namespace EcoLora.Messaging.Tests;

/// <summary>The bus by Dapr's SDK, on Redis Streams.</summary>
public sealed class SdkBusOverRedisTests : DaprBusOverRedisTests
{
    protected override SidecarWay Way => SdkWay.Sdk;
}

/// <summary>The bus by Dapr's SDK, on RabbitMQ.</summary>
public sealed class SdkBusOverRabbitTests(RabbitFixture rabbit) : DaprBusOverRabbitTests(rabbit)
{
    protected override SidecarWay Way => SdkWay.Sdk;
}

/// <summary>The bus by Dapr's SDK, on Kafka.</summary>
public sealed class SdkBusOverKafkaTests
{
    private static readonly ConcurrentSuite _suite = new(() => new DaprBusOverKafkaSuite(SdkWay.Sdk));

    public static TheoryData<string> Cases => ConcurrentSuite.Names;

    [Theory]
    [MemberData(nameof(Cases))]
    public Task Conforms(string name)
    {
        Assert.SkipUnless(RedisServer.IsInstalled, RedisServer.SkipReason);
        return _suite.EndOf(name);
    }
}

/// <summary>State by Dapr's SDK.</summary>
public sealed class SdkStateStoreTests(SdkStateStoreTests.SdkServer server) : DaprStateStoreConformance(server), IClassFixture<SdkStateStoreTests.SdkServer>
{
    /// <summary>One Redis and one sidecar for all of these tests.</summary>
    public sealed class SdkServer() : StateServer(SdkWay.Sdk);
}

/// <summary>Invocation by Dapr's SDK.</summary>
public sealed class SdkInvokerTests : SidecarInvokerTests
{
    protected override SidecarWay Way => SdkWay.Sdk;
}

/// <summary>What an app answers to its sidecar by Dapr's SDK.</summary>
public sealed class SdkEndpointsTests : DaprEndpointsTests
{
    protected override SidecarWay Way => SdkWay.Sdk;
}
