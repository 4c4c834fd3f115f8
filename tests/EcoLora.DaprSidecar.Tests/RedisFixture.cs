using EcoLora.DaprSidecar.Tests;
using EcoLora.DaprTestKit;

[assembly: AssemblyFixture(typeof(RedisFixture))]

namespace EcoLora.DaprSidecar.Tests;

/// <summary>One Redis for all tests of this project; each test uses topics and app ids of its own.</summary>
public sealed class RedisFixture : IAsyncLifetime
{
    private RedisServer? server;

    public RedisServer Server => server ?? throw new InvalidOperationException("redis-server did not start");

    /// <summary>The server, or a skipped test where redis-server is missing.</summary>
    public RedisServer Require()
    {
        Assert.SkipUnless(RedisServer.IsInstalled, RedisServer.SkipReason);
        return Server;
    }

    public async ValueTask InitializeAsync()
    {
        if (RedisServer.IsInstalled) server = await RedisServer.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (server is not null) await server.DisposeAsync();
    }
}
