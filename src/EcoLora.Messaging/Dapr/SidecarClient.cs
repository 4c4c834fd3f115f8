using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace EcoLora.Messaging.Dapr;

/// <summary>An app's calls to its sidecar's HTTP API: with its token, and tried again while the sidecar or what is behind it is away.</summary>
public sealed class SidecarClient : IDisposable
{
    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(50), _longestPause = TimeSpan.FromSeconds(2);

    private const int LargestAnswer = 64 << 20;

    private readonly HttpClient _http;

    /// <summary>Makes the client; nothing is sent yet.</summary>
    /// <param name="options">The sidecar.</param>
    /// <param name="transport">What sends requests, or null for the usual; disposed with the client.</param>
    public SidecarClient(DaprOptions options, HttpMessageHandler? transport = null)
    {
        Options = options;
        _http = new HttpClient(transport ?? new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) }) { BaseAddress = options.Endpoint, MaxResponseContentBufferSize = LargestAnswer };
        if (options.ApiToken is { } token) _http.DefaultRequestHeaders.Add("dapr-api-token", token);
    }

    /// <summary>The sidecar.</summary>
    public DaprOptions Options { get; }

    /// <summary>Sends a request, again and again until it is answered with success, with one of the expected codes, or with a refusal that does not get better.</summary>
    /// <param name="request">Makes the request, anew for each try.</param>
    /// <param name="cancellation">Ends trying.</param>
    /// <param name="expected">Codes that are answers too.</param>
    /// <exception cref="DaprException">A refusal, or the patience of the options is over.</exception>
    public async Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> request, CancellationToken cancellation, params HttpStatusCode[] expected)
    {
        var clock = Stopwatch.StartNew();
        for (TimeSpan pause = _firstPause; ; pause = Longer(pause))
        {
            string failure;
            using HttpRequestMessage message = request();
            try
            {
                HttpResponseMessage response = await _http.SendAsync(message, cancellation);
                if (response.IsSuccessStatusCode || expected.Contains(response.StatusCode)) return response;
                using (response)
                {
                    string text = await response.Content.ReadAsStringAsync(cancellation);
                    failure = string.Create(CultureInfo.InvariantCulture, $"{(int)response.StatusCode} {text[..Math.Min(300, text.Length)]}");
                    // What the sidecar says about the request itself does not get better.
                    if (response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.NotFound)
                        throw new DaprException(PathOf(message), failure);
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException && !cancellation.IsCancellationRequested)
            {
                failure = exception.Message;
            }
            if (clock.Elapsed + pause > Options.Patience) throw new DaprException(PathOf(message), failure);
            await Task.Delay(pause, cancellation);
        }
    }

    /// <summary>Calls another app's HTTP API, by its app id; as <see cref="SendAsync"/>.</summary>
    /// <param name="method">The verb.</param>
    /// <param name="app">The other app's id.</param>
    /// <param name="path">Path and query on the other app, without a leading slash.</param>
    /// <param name="body">The body, or null.</param>
    /// <param name="cancellation">Ends trying.</param>
    /// <param name="expected">Codes that are answers too.</param>
    /// <exception cref="DaprException">A refusal, or the patience of the options is over.</exception>
    public Task<HttpResponseMessage> InvokeAsync(
        HttpMethod method, string app, string path, ReadOnlyMemory<byte>? body, CancellationToken cancellation, params HttpStatusCode[] expected) => SendAsync(() =>
        {
            var request = new HttpRequestMessage(method, $"/v1.0/invoke/{Uri.EscapeDataString(app)}/method/{path}");
            if (body is { } bytes) request.Content = new ReadOnlyMemoryContent(bytes) { Headers = { ContentType = new("application/octet-stream") } };
            return request;
        }, cancellation, expected);

    /// <summary>Waits until the sidecar can publish, however late it comes. It is not asked for what needs this app, which would wait for each other.</summary>
    public async Task WaitUntilReadyAsync(CancellationToken cancellation)
    {
        for (TimeSpan pause = _firstPause; !await IsReadyAsync(cancellation); pause = Longer(pause)) await Task.Delay(pause, cancellation);
    }

    /// <summary>Whether the sidecar can publish now.</summary>
    public async Task<bool> IsReadyAsync(CancellationToken cancellation)
    {
        try
        {
            using HttpResponseMessage response = await _http.GetAsync(new Uri("/v1.0/healthz/outbound", UriKind.Relative), cancellation);
            return response.IsSuccessStatusCode;
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException && !cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Whether a request that says to come from the sidecar shows the app's token.</summary>
    public bool IsFromSidecar(string? token) => Options.AppToken is not { } expected
        || CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(expected), Encoding.UTF8.GetBytes(token ?? ""));

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private static string PathOf(HttpRequestMessage message) => message.RequestUri!.OriginalString;

    private static TimeSpan Longer(TimeSpan pause) => TimeSpan.FromTicks(Math.Min(2 * pause.Ticks, _longestPause.Ticks));
}

/// <summary>A call that the sidecar refused, or did not take in time.</summary>
/// <param name="path">The call.</param>
/// <param name="found">Its answer.</param>
public sealed class DaprException(string path, string found) : IOException($"sidecar: expected {path} to be taken, found {found}");
