using EcoLora.DaprTestKit;
using EcoLora.Messaging.Dapr;
using EcoLora.TestKit;

namespace EcoLora.Messaging.Tests;

/// <summary>Calls by the sidecar.</summary>
public class SidecarInvokerTests : InvokerConformance
{
    private readonly TemporaryFolder _resources = new();
    private SidecarInProcess? _sidecar;
    private ISidecar? _client;

    protected virtual SidecarWay Way => SidecarWay.Http;

    protected override async Task<IInvoker> OpenAsync(int port, TimeSpan patience)
    {
        _sidecar = await SidecarInProcess.StartAsync(Callee, port, _resources.Path, "of-the-sidecar", Token);
        return _client = Way.Open(new DaprOptions(new Uri($"http://127.0.0.1:{_sidecar.HttpPort}")) { ApiToken = "of-the-sidecar", Patience = patience });
    }

    public override async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        if (_sidecar is not null) await _sidecar.DisposeAsync();
        _resources.Dispose();
        await base.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
