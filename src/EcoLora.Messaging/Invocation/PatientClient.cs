using System.Globalization;
using System.Net;

namespace EcoLora.Messaging;

/// <summary>Sends requests with <see cref="Patience"/>.</summary>
public sealed class PatientClient : IDisposable
{
    /// <summary>Most bytes of an answer.</summary>
    public const int LargestAnswer = 64 << 20;

    /// <summary>The content type of bytes that are nothing but bytes.</summary>
    public const string ContentType = "application/octet-stream";

    private readonly Patience _patience;

    /// <summary>Makes the client; nothing is sent yet.</summary>
    /// <param name="patience">How long a call that failed is tried again before its caller is told.</param>
    /// <param name="transport">What sends requests, or null for the usual; disposed with the client.</param>
    public PatientClient(TimeSpan patience, HttpMessageHandler? transport = null)
    {
        _patience = new Patience(patience);
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
    public Task<HttpResponseMessage> SendAsync(string callee, Func<HttpRequestMessage> request, CancellationToken cancellation, params HttpStatusCode[] expected) =>
        _patience.TryAsync(() => TryAsync(callee, request, expected, cancellation), cancellation);

    /// <summary>Whether it is answered with success now.</summary>
    public async Task<bool> IsSuccessAsync(Uri uri, CancellationToken cancellation)
    {
        try
        {
            using HttpResponseMessage response = await Http.GetAsync(uri, cancellation);
            return response.IsSuccessStatusCode;
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException && !cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>A request with these bytes, if any.</summary>
    public static HttpRequestMessage Request(HttpMethod method, Uri uri, ReadOnlyMemory<byte>? body) => WithBody(new HttpRequestMessage(method, uri), body);

    /// <summary>The request with these bytes, if any.</summary>
    public static HttpRequestMessage WithBody(HttpRequestMessage request, ReadOnlyMemory<byte>? body)
    {
        if (body is { } bytes) request.Content = new ReadOnlyMemoryContent(bytes) { Headers = { ContentType = new(ContentType) } };
        return request;
    }

    /// <inheritdoc/>
    public void Dispose() => Http.Dispose();

    private async Task<Tried<HttpResponseMessage>> TryAsync(string callee, Func<HttpRequestMessage> request, HttpStatusCode[] expected, CancellationToken cancellation)
    {
        using HttpRequestMessage message = request();
        try
        {
            HttpResponseMessage response = await Http.SendAsync(message, cancellation);
            if (response.IsSuccessStatusCode || expected.Contains(response.StatusCode)) return new(response, null, false);
            using (response)
            {
                string text = await response.Content.ReadAsStringAsync(cancellation);
                string found = string.Create(CultureInfo.InvariantCulture, $"{(int)response.StatusCode} {text[..Math.Min(300, text.Length)]}");
                // What is said about the request itself does not get better.
                bool isFinal = response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.NotFound;
                return new(null, new CallException(callee, PathOf(message), found), isFinal);
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException && !cancellation.IsCancellationRequested)
        {
            return new(null, new CallException(callee, PathOf(message), exception.Message), false);
        }
    }

    private static string PathOf(HttpRequestMessage message) => message.RequestUri!.IsAbsoluteUri ? message.RequestUri.PathAndQuery : message.RequestUri.OriginalString;
}
