using EcoLora.DaprTestKit;
using EcoLora.Messaging.Dapr;

namespace EcoLora.Messaging.Tests;

/// <summary>The state store over Dapr's HTTP API: a test sidecar on a real Redis.</summary>
public sealed class DaprStateStoreTests(DaprStateStoreTests.Server server) : StateStoreConformance, IClassFixture<DaprStateStoreTests.Server>
{
    protected override Task<IStateStore> OpenAsync()
    {
        Assert.SkipUnless(RedisServer.IsInstalled, RedisServer.SkipReason);
        return Task.FromResult<IStateStore>(new DaprStateStore(server.Client!));
    }

    /// <summary>One Redis and one sidecar for all of these tests.</summary>
    public sealed class Server : IAsyncLifetime
    {
        private RedisServer? _redis;
        private SidecarResources? _resources;
        private SidecarProcess? _sidecar;

        internal SidecarClient? Client { get; private set; }

        public async ValueTask InitializeAsync()
        {
            if (!RedisServer.IsInstalled) return;
            _redis = await RedisServer.StartAsync();
            _resources = new SidecarResources(_redis);
            _sidecar = await SidecarProcess.StartAsync("state", null, _resources.Path);
            Client = new SidecarClient(new DaprOptions(new Uri($"http://127.0.0.1:{_sidecar.HttpPort}")));
        }

        public async ValueTask DisposeAsync()
        {
            Client?.Dispose();
            if (_sidecar is not null) await _sidecar.DisposeAsync();
            _resources?.Dispose();
            if (_redis is not null) await _redis.DisposeAsync();
        }
    }
}
