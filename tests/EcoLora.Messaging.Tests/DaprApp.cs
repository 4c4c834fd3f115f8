using EcoLora.DaprTestKit;
using EcoLora.Messaging.Dapr;
using EcoLora.TestKit;
using Microsoft.AspNetCore.Builder;

namespace EcoLora.Messaging.Tests;

/// <summary>An app beside a test sidecar: one consumer group, with the bus that services have but for signatures.</summary>
internal sealed class DaprApp(string id, SidecarWay way) : IAsyncDisposable
{
    private readonly List<(string Topic, Func<BusMessage, CancellationToken, Task<Verdict>> Handler)> _handlers = [];
    private WebApplication? _web;
    private TemporaryFolder? _folder;
    private SidecarInProcess? _sidecar;
    private ISidecar? _client;
    private PartedBus? _bus;

    public PartedBus Bus => _bus ?? throw new InvalidOperationException("not started");

    public void Subscribe(string topic, Func<BusMessage, CancellationToken, Task<Verdict>> handler) => _handlers.Add((topic, handler));

    /// <summary>The sidecar first, which waits for the app; without handlers there is nothing to wait for.</summary>
    public async Task StartAsync(string resources)
    {
        int? port = _handlers.Count > 0 ? FreePort.Next() : null;
        _sidecar = await SidecarInProcess.StartAsync(id, port, resources, "of-the-app", "of-the-sidecar");
        _folder = new TemporaryFolder();
        var options = new DaprOptions(new Uri($"http://127.0.0.1:{_sidecar.HttpPort}")) { GrpcEndpoint = new Uri($"http://127.0.0.1:{_sidecar.GrpcPort}"), ApiToken = "of-the-app" };
        _client = way.Open(options);
        var dapr = new DaprBus(_client);
        _bus = new PartedBus(dapr, new PartStore(new DurableFolder(_folder.Path), PartLimits.Default, TimeProvider.System));
        foreach ((string topic, Func<BusMessage, CancellationToken, Task<Verdict>> handler) in _handlers) _bus.Subscribe(topic, id, handler);
        await _client.WaitUntilReadyAsync(TestContext.Current.CancellationToken);
        if (port is null) return;
        _web = LoopbackApp.Make(port.Value);
        way.Map(_web, new AppToken("of-the-sidecar"), dapr);
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
