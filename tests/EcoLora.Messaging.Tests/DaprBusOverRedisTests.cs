using EcoLora.DaprTestKit;
using EcoLora.Hosting.Dapr;
using EcoLora.Messaging.Dapr;
using Microsoft.AspNetCore.Builder;

namespace EcoLora.Messaging.Tests;

/// <summary>
/// The bus over the test sidecar and a real Redis: what Redis Streams guarantee through Dapr at the least, so no keys and no order, and retries by a Resiliency
/// file.
/// </summary>
public sealed class DaprBusOverRedisTests : MessageBusConformance
{
    private Apps? _apps;

    protected override bool CarriesKeys => false;

    protected override bool KeepsOrder => false;

    protected override IMessageBus MakeBus() => _apps = new Apps();

    protected override Task StartAsync() => ((Apps)Bus).StartAsync();

    protected override async Task StopAsync()
    {
        if (_apps is { } apps) await apps.StopAsync();
    }

    protected override async Task EndAsync()
    {
        if (_apps is { } apps) await apps.DisposeAsync();
    }

    /// <summary>An app with a sidecar for each consumer, since an app is one consumer group, and one that publishes.</summary>
    private sealed class Apps : IMessageBus, IAsyncDisposable
    {
        private readonly Dictionary<string, App> _apps = [];
        private readonly SemaphoreSlim _turn = new(1, 1);
        private readonly List<App> _running = [];
        private RedisServer? _redis;
        private SidecarResources? _resources;
        private App? _publisher;

        public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler)
        {
            if (!_apps.TryGetValue(consumer, out App? app)) _apps.Add(consumer, app = new App(consumer));
            app.Subscribe(topic, handler);
        }

        public async Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
        {
            App publisher = await PublisherAsync();
            await publisher.Bus.PublishAsync(topic, key, payload, cancellation);
        }

        public async Task StartAsync()
        {
            await PublisherAsync();
            foreach (App app in _apps.Values)
            {
                _running.Add(app);
                await app.StartAsync(_resources!.Path);
            }
        }

        /// <summary>Stops the consumers; publishing goes on.</summary>
        public async Task StopAsync()
        {
            foreach (App app in _running) await app.DisposeAsync();
            _running.Clear();
        }

        public async ValueTask DisposeAsync()
        {
            if (_publisher is { } publisher) await publisher.DisposeAsync();
            if (_redis is { } redis) await redis.DisposeAsync();
            _resources?.Dispose();
            _turn.Dispose();
        }

        private async Task<App> PublisherAsync()
        {
            await _turn.WaitAsync();
            try
            {
                if (_publisher is not null) return _publisher;
                _redis = await RedisServer.StartAsync();
                _resources = new SidecarResources(_redis).AddInboundRetry(maxRetries: 200);
                _publisher = new App("publisher");
                await _publisher.StartAsync(_resources.Path);
                return _publisher;
            }
            finally
            {
                _turn.Release();
            }
        }
    }

    private sealed class App(string id) : IAsyncDisposable
    {
        private readonly List<(string Topic, Func<BusMessage, CancellationToken, Task<Verdict>> Handler)> _handlers = [];
        private readonly string _folder = Directory.CreateTempSubdirectory("dapr-app-").FullName;
        private WebApplication? _web;
        private SidecarProcess? _sidecar;
        private SidecarClient? _client;
        private DaprBus? _bus;

        public DaprBus Bus => _bus ?? throw new InvalidOperationException("not started");

        public void Subscribe(string topic, Func<BusMessage, CancellationToken, Task<Verdict>> handler) => _handlers.Add((topic, handler));

        /// <summary>The sidecar first, which waits for the app; without handlers there is nothing to wait for.</summary>
        public async Task StartAsync(string resources)
        {
            int? port = _handlers.Count > 0 ? FreePort.Next() : null;
            _sidecar = await SidecarProcess.StartAsync(id, port, resources, "of-the-app", "of-the-sidecar");
            var options = new DaprOptions(new Uri($"http://127.0.0.1:{_sidecar.HttpPort}")) { ApiToken = "of-the-app", AppToken = "of-the-sidecar" };
            _client = new SidecarClient(options);
            _bus = new DaprBus(_client, new PartStore(new DurableFolder(_folder), PartLimits.Default, TimeProvider.System));
            foreach ((string topic, Func<BusMessage, CancellationToken, Task<Verdict>> handler) in _handlers) _bus.Subscribe(topic, id, handler);
            await _client.WaitUntilReadyAsync(Cancellation);
            if (port is null) return;
            _web = LoopbackApp.Make(port.Value);
            _web.MapDapr(_client, _bus);
            await _web.StartAsync();
            await _sidecar.WaitUntilSubscribedAsync([.. _bus.Topics]);
        }

        public async ValueTask DisposeAsync()
        {
            if (_sidecar is not null) await _sidecar.DisposeAsync();
            if (_web is not null) await _web.DisposeAsync();
            _bus?.Dispose();
            _client?.Dispose();
            Directory.Delete(_folder, recursive: true);
        }
    }
}
