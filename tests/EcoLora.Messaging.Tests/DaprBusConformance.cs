using EcoLora.DaprTestKit;
using EcoLora.Hosting.Dapr;
using EcoLora.Messaging.Dapr;
using EcoLora.TestKit;
using Microsoft.AspNetCore.Builder;

namespace EcoLora.Messaging.Tests;

/// <summary>The bus over the test sidecar and a real broker: no keys and no order, and retries by a Resiliency file.</summary>
public abstract class DaprBusConformance : MessageBusConformance
{
    private Apps? _apps;

    protected override bool CarriesKeys => false;

    protected override bool KeepsOrder => false;

    protected override IMessageBus MakeBus() => _apps = new Apps(StartBrokerAsync);

    /// <summary>Starts what the broker needs, or finds it running, and makes the component files of all sidecars.</summary>
    protected abstract Task<SidecarResources> StartBrokerAsync();

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
    private sealed class Apps(Func<Task<SidecarResources>> startBrokerAsync) : IMessageBus, IAsyncDisposable
    {
        /// <summary>Makes app ids, and so queues, this test's own where tests share a broker.</summary>
        private readonly string _run = Guid.NewGuid().ToString("N")[..8];
        private readonly Dictionary<string, App> _apps = [];
        private readonly SemaphoreSlim _turn = new(1, 1);
        private readonly List<App> _running = [];
        private SidecarResources? _resources;
        private App? _publisher;

        public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler)
        {
            if (!_apps.TryGetValue(consumer, out App? app)) _apps.Add(consumer, app = new App($"{consumer}-{_run}"));
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
            _resources?.Dispose();
            _turn.Dispose();
        }

        private async Task<App> PublisherAsync()
        {
            await _turn.WaitAsync();
            try
            {
                if (_publisher is not null) return _publisher;
                _resources = (await startBrokerAsync()).AddInboundRetry(maxRetries: 200);
                _publisher = new App($"publisher-{_run}");
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
        private WebApplication? _web;
        private TemporaryFolder? _folder;
        private SidecarInProcess? _sidecar;
        private SidecarClient? _client;
        private PartedBus? _bus;

        public PartedBus Bus => _bus ?? throw new InvalidOperationException("not started");

        public void Subscribe(string topic, Func<BusMessage, CancellationToken, Task<Verdict>> handler) => _handlers.Add((topic, handler));

        /// <summary>The sidecar first, which waits for the app; without handlers there is nothing to wait for.</summary>
        public async Task StartAsync(string resources)
        {
            int? port = _handlers.Count > 0 ? FreePort.Next() : null;
            _sidecar = await SidecarInProcess.StartAsync(id, port, resources, "of-the-app", "of-the-sidecar");
            _folder = new TemporaryFolder();
            var options = new DaprOptions(new Uri($"http://127.0.0.1:{_sidecar.HttpPort}")) { ApiToken = "of-the-app", AppToken = "of-the-sidecar" };
            _client = new SidecarClient(options);
            var dapr = new DaprBus(_client);
            _bus = new PartedBus(dapr, new PartStore(new DurableFolder(_folder.Path), PartLimits.Default, TimeProvider.System));
            foreach ((string topic, Func<BusMessage, CancellationToken, Task<Verdict>> handler) in _handlers) _bus.Subscribe(topic, id, handler);
            await _client.WaitUntilReadyAsync(Cancellation);
            if (port is null) return;
            _web = LoopbackApp.Make(port.Value);
            _web.MapDapr(_client, dapr);
            await _web.StartAsync();
            await _sidecar.WaitUntilSubscribedAsync([.. dapr.Topics]);
        }

        public async ValueTask DisposeAsync()
        {
            if (_sidecar is not null) await _sidecar.DisposeAsync();
            if (_web is not null) await _web.DisposeAsync();
            _bus?.Dispose();
            _client?.Dispose();
            _folder?.Dispose();
        }
    }
}
