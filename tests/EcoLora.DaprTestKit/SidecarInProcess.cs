using EcoLora.DaprSidecar;

namespace EcoLora.DaprTestKit;

/// <summary>
/// A test sidecar inside the test's process, for tests of what speaks to it: it is reached over HTTP as any other, costs no start of a process, and nothing
/// can kill it (<see cref="SidecarProcess"/> is for that).
/// </summary>
public sealed class SidecarInProcess : IAsyncDisposable
{
    private readonly Sidecar _sidecar;
    private readonly string _appId;

    private SidecarInProcess(SidecarOptions options)
    {
        (_sidecar, HttpPort, _appId) = (new Sidecar(options), options.HttpPort, options.AppId);
        GrpcPort = options.GrpcPort;
        Client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{HttpPort}"), Timeout = TimeSpan.FromSeconds(30) };
        if (options.ApiToken is { } token) Client.DefaultRequestHeaders.Add("dapr-api-token", token);
    }

    /// <summary>What the app finds in DAPR_HTTP_PORT.</summary>
    public int HttpPort { get; }

    /// <summary>What the app finds in DAPR_GRPC_PORT; only sidecars of builds with <c>-p:Feed=full</c> listen there.</summary>
    public int GrpcPort { get; }

    /// <summary>Speaks to the sidecar as the app does, with its token.</summary>
    public HttpClient Client { get; }

    /// <summary>Starts one: components are connected and the API answers. It does not wait for the app.</summary>
    /// <param name="appId">The app id, and the consumer group of its subscriptions.</param>
    /// <param name="appPort">Where the app listens or will listen; null for no app.</param>
    /// <param name="resourcesPath">The folder of component files.</param>
    /// <param name="apiToken">Asked of the app's calls.</param>
    /// <param name="appApiToken">Sent to the app.</param>
    public static async Task<SidecarInProcess> StartAsync(string appId, int? appPort, string resourcesPath, string? apiToken = null, string? appApiToken = null)
    {
        var sidecar = new SidecarInProcess(new SidecarOptions
        {
            AppId = appId,
            AppPort = appPort,
            HttpPort = FreePort.Next(),
            GrpcPort = FreePort.Next(),
            ResourcesPath = resourcesPath,
            ApiToken = apiToken,
            AppApiToken = appApiToken,
            // What a handler has in hand when the test ends is nobody's any more.
            Grace = TimeSpan.Zero,
        });
        await sidecar._sidecar.StartAsync();
        return sidecar;
    }

    /// <summary>Waits until all of the given topics are registered.</summary>
    public Task WaitUntilSubscribedAsync(params string[] topics) =>
        Eventually.TrueAsync(() => SidecarProcess.HasSubscribedAsync(Client, topics), $"sidecar {_appId} is subscribed to {string.Join(", ", topics)}");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _sidecar.StopAsync();
        await _sidecar.DisposeAsync();
        Client.Dispose();
    }
}
