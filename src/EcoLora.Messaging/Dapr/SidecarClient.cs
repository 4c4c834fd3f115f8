using System.Net;

namespace EcoLora.Messaging.Dapr;

/// <summary>An app's calls to its sidecar's HTTP API: with its token, and tried again while the sidecar or what is behind it is away.</summary>
public sealed class SidecarClient : IInvoker, IDisposable
{
    private readonly PatientClient _client;

    /// <summary>Makes the client; nothing is sent yet.</summary>
    /// <param name="options">The sidecar.</param>
    /// <param name="transport">What sends requests, or null for the usual; disposed with the client.</param>
    public SidecarClient(DaprOptions options, HttpMessageHandler? transport = null)
    {
        Options = options;
        _client = new PatientClient(options.Patience, transport);
        _client.Http.BaseAddress = options.Endpoint;
        if (options.ApiToken is { } token) _client.Http.DefaultRequestHeaders.Add(AppToken.Header, token);
    }

    /// <summary>The sidecar.</summary>
    public DaprOptions Options { get; }

    /// <summary>Sends a request, again and again until it is answered with success, with one of the expected codes, or with a refusal that does not get better.</summary>
    /// <param name="request">Makes the request, anew for each try.</param>
    /// <param name="cancellation">Ends trying.</param>
    /// <param name="expected">Codes that are answers too.</param>
    /// <exception cref="CallException">A refusal, or the patience of the options is over.</exception>
    public Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> request, CancellationToken cancellation, params HttpStatusCode[] expected) =>
        _client.SendAsync("sidecar", request, cancellation, expected);

    /// <inheritdoc/>
    public Task<HttpResponseMessage> InvokeAsync(HttpMethod method, string app, string path, ReadOnlyMemory<byte>? body, CancellationToken cancellation, params HttpStatusCode[] expected) =>
        SendAsync(() => PatientClient.Request(method, new Uri($"/v1.0/invoke/{Uri.EscapeDataString(app)}/method/{path}", UriKind.Relative), body), cancellation, expected);

    /// <summary>Waits until the sidecar can publish, however late it comes. It is not asked for what needs this app, which would wait for each other.</summary>
    public Task WaitUntilReadyAsync(CancellationToken cancellation) => PatientClient.UntilAsync(() => IsReadyAsync(cancellation), cancellation);

    /// <summary>Whether the sidecar can publish now.</summary>
    public async Task<bool> IsReadyAsync(CancellationToken cancellation)
    {
        try
        {
            using HttpResponseMessage response = await _client.Http.GetAsync(new Uri("/v1.0/healthz/outbound", UriKind.Relative), cancellation);
            return response.IsSuccessStatusCode;
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException && !cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();
}
