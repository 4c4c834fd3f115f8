using EcoLora.DaprTestKit;

namespace EcoLora.Messaging.Tests;

/// <summary>What Redis Streams guarantee through Dapr at the least. Each test has a Redis of its own.</summary>
public class DaprBusOverRedisTests : DaprBusConformance
{
    private RedisServer? _redis;

    protected override async Task<SidecarResources> StartBrokerAsync()
    {
        _redis = await RedisServer.StartAsync();
        return SidecarResources.OfProduct("redis", _redis);
    }

    protected override async Task EndAsync()
    {
        await base.EndAsync();
        if (_redis is { } redis) await redis.DisposeAsync();
    }
}
