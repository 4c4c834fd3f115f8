using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace EcoLora.Messaging;

/// <summary>Sends requests, and sends them again while whoever is called, or what is behind, is away.</summary>
internal sealed class PatientClient : IDisposable
{
    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(50), _longestPause = TimeSpan.FromSeconds(2);

    private const int LargestAnswer = 64 << 20;

    private readonly TimeSpan _patience;

    /// <summary>Makes the client; nothing is sent yet.</summary>
    /// <param name="patience">How long a call that failed is tried again before its caller is told.</param>
    /// <param name="transport">What sends requests, or null for the usual; disposed with the client.</param>
    public PatientClient(TimeSpan patience, HttpMessageHandler? transport = null)
    {
        _patience = patience;
        // A token goes to nobody but whom it is for.
        Http = new HttpClient(transport ?? new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5), AllowAutoRedirect = false }) { MaxResponseContentBufferSize = LargestAnswer };
    }

    /// <summary>What sends a request once.</summary>
    public HttpClient Http { get; }

    /// <summary>As <see cref="IInvoker.InvokeAsync"/>.</summary>
    /// <param name="callee">Who is called, for messages.</param>
    /// <param name="request">Makes the request, anew for each try.</param>
    /// <param name="cancellation">Ends trying.</param>
    /// <param name="expected">Codes that are answers too.</param>
    /// <exception cref="CallException">A refusal, or the patience is over.</exception>
    public async Task<HttpResponseMessage> SendAsync(string callee, Func<HttpRequestMessage> request, CancellationToken cancellation, params HttpStatusCode[] expected)
    {
        var clock = Stopwatch.StartNew();
        for (TimeSpan pause = _firstPause; ; pause = Longer(pause))
        {
            string failure;
            using HttpRequestMessage message = request();
            try
            {
                HttpResponseMessage response = await Http.SendAsync(message, cancellation);
                if (response.IsSuccessStatusCode || expected.Contains(response.StatusCode)) return response;
                using (response)
                {
                    string text = await response.Content.ReadAsStringAsync(cancellation);
                    failure = string.Create(CultureInfo.InvariantCulture, $"{(int)response.StatusCode} {text[..Math.Min(300, text.Length)]}");
                    // What is said about the request itself does not get better.
                    if (response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.NotFound)
                        throw new CallException(callee, PathOf(message), failure);
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException && !cancellation.IsCancellationRequested)
            {
                failure = exception.Message;
            }
            if (clock.Elapsed + pause > _patience) throw new CallException(callee, PathOf(message), failure);
            await Task.Delay(pause, cancellation);
        }
    }

    /// <summary>Asks until the answer is yes.</summary>
    public static async Task UntilAsync(Func<Task<bool>> ask, CancellationToken cancellation)
    {
        for (TimeSpan pause = _firstPause; !await ask(); pause = Longer(pause)) await Task.Delay(pause, cancellation);
    }

    /// <summary>A request with these bytes, if any.</summary>
    public static HttpRequestMessage Request(HttpMethod method, Uri uri, ReadOnlyMemory<byte>? body)
    {
        var request = new HttpRequestMessage(method, uri);
        if (body is { } bytes) request.Content = new ReadOnlyMemoryContent(bytes) { Headers = { ContentType = new("application/octet-stream") } };
        return request;
    }

    /// <inheritdoc/>
    public void Dispose() => Http.Dispose();

    private static string PathOf(HttpRequestMessage message) => message.RequestUri!.IsAbsoluteUri ? message.RequestUri.PathAndQuery : message.RequestUri.OriginalString;

    private static TimeSpan Longer(TimeSpan pause) => TimeSpan.FromTicks(Math.Min(2 * pause.Ticks, _longestPause.Ticks));
}
