using EcoLora.DaprTestKit;

[assembly: AssemblyFixture(typeof(RabbitFixture))]

namespace EcoLora.Messaging.Tests;

/// <summary>What RabbitMQ guarantees through Dapr at the least: a consumer that has never been started misses what was published before.</summary>
[Collection(nameof(RabbitFixture))] // Both ways have the same topics on the one server: one after the other.
public class DaprBusOverRabbitTests(RabbitFixture rabbit) : DaprBusConformance
{
    private RedisServer? _redis;

    protected override bool KeepsForNewConsumers => false;

    protected override async Task<SidecarResources> StartBrokerAsync()
    {
        RabbitServer server = await rabbit.RequireAsync();
        _redis = await RedisServer.StartAsync();
        return SidecarResources.OfProduct("rabbitmq", _redis, server);
    }

    protected override async Task EndAsync()
    {
        await base.EndAsync();
        if (_redis is { } redis) await redis.DisposeAsync();
    }
}
