using EcoLora.DaprTestKit;

namespace EcoLora.Messaging.Tests;

/// <summary>The bus over the test sidecar and a real broker: no keys and no order, and retries by a Resiliency file.</summary>
public abstract class DaprBusConformance : MessageBusConformance
{
    private Apps? _apps;

    /// <summary>How the apps and their sidecars speak to each other.</summary>
    protected virtual SidecarWay Way => SidecarWay.Http;

    protected override bool CarriesKeys => false;

    protected override bool KeepsOrder => false;

    protected override IMessageBus MakeBus() => _apps = new Apps(Way, StartBrokerAsync);

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
    private sealed class Apps(SidecarWay way, Func<Task<SidecarResources>> startBrokerAsync) : IMessageBus, IAsyncDisposable
    {
        /// <summary>Makes app ids, and so queues, this test's own where tests share a broker.</summary>
        private readonly string _run = Guid.NewGuid().ToString("N")[..8];
        private readonly Dictionary<string, DaprApp> _apps = [];
        private readonly SemaphoreSlim _turn = new(1, 1);
        private readonly List<DaprApp> _running = [];
        private SidecarResources? _resources;
        private DaprApp? _publisher;

        public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler)
        {
            if (!_apps.TryGetValue(consumer, out DaprApp? app)) _apps.Add(consumer, app = new DaprApp($"{consumer}-{_run}", way));
            app.Subscribe(topic, handler);
        }

        public async Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
        {
            DaprApp publisher = await PublisherAsync();
            await publisher.Bus.PublishAsync(topic, key, payload, cancellation);
        }

        public async Task StartAsync()
        {
            await PublisherAsync();
            foreach (DaprApp app in _apps.Values)
            {
                _running.Add(app);
                await app.StartAsync(_resources!.Path);
            }
        }

        /// <summary>Stops the consumers; publishing goes on.</summary>
        public async Task StopAsync()
        {
            foreach (DaprApp app in _running) await app.DisposeAsync();
            _running.Clear();
        }

        public async ValueTask DisposeAsync()
        {
            if (_publisher is { } publisher) await publisher.DisposeAsync();
            _resources?.Dispose();
            _turn.Dispose();
        }

        private async Task<DaprApp> PublisherAsync()
        {
            await _turn.WaitAsync();
            try
            {
                if (_publisher is not null) return _publisher;
                _resources = (await startBrokerAsync()).AddInboundRetry(maxRetries: 200);
                _publisher = new DaprApp($"publisher-{_run}", way);
                await _publisher.StartAsync(_resources.Path);
                return _publisher;
            }
            finally
            {
                _turn.Release();
            }
        }
    }
}
