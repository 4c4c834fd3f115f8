using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;

namespace EcoLora.DaprSidecar;

/// <summary>What the app's answer to a delivery means.</summary>
internal enum AppVerdict
{
    Success,
    Retry,
    Drop,
}

/// <summary>The app on 127.0.0.1: discovery, deliveries, invocations.</summary>
internal sealed class AppChannel(SidecarOptions options) : IDisposable
{
    private readonly HttpClient client = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false })
    {
        BaseAddress = new($"http://127.0.0.1:{options.AppPort}"),
        Timeout = Timeout.InfiniteTimeSpan,
        // daprd's limit goes both ways: a longer answer is an error of transport.
        MaxResponseContentBufferSize = options.MaxBodySize,
    };

    public async Task WaitForPortAsync(CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(IPAddress.Loopback, options.AppPort!.Value, cancellation);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(50, cancellation); // a port tells only when asked, as daprd asks
            }
        }
    }

    /// <summary>GET; null unless the app answers 2xx. After an error of transport it is asked again, as often as there are pauses.</summary>
    public async Task<byte[]?> GetAsync(string path, IReadOnlyList<TimeSpan> pauses, CancellationToken cancellation)
    {
        for (int failures = 0; ; failures++)
        {
            try
            {
                using HttpRequestMessage request = Request(HttpMethod.Get, path);
                using HttpResponseMessage response = await client.SendAsync(request, cancellation);
                return response.IsSuccessStatusCode ? await response.Content.ReadAsByteArrayAsync(cancellation) : null;
            }
            catch (HttpRequestException)
            {
                if (failures == pauses.Count) return null;
            }
            await Task.Delay(pauses[failures], cancellation);
        }
    }

    /// <summary>POSTs one event and reads the answer by the table of the contract.</summary>
    public async Task<AppVerdict> DeliverAsync(string route, byte[] cloudEvent, IReadOnlyDictionary<string, string> headers, CancellationToken cancellation)
    {
        try
        {
            using HttpRequestMessage request = Post(route, cloudEvent, CloudEvent.ContentType, headers);
            using HttpResponseMessage response = await client.SendAsync(request, cancellation);
            if (response.StatusCode == HttpStatusCode.NotFound) return AppVerdict.Drop;
            return response.IsSuccessStatusCode ? Status(await response.Content.ReadAsByteArrayAsync(cancellation)) : AppVerdict.Retry;
        }
        catch (HttpRequestException)
        {
            return AppVerdict.Retry;
        }
    }

    /// <summary>
    /// POSTs several events and reads the answer, which is another table: an entry without a status is to be tried again, and a 404 means that all are done
    /// with, without dead letters.
    /// </summary>
    public async Task<IReadOnlyDictionary<string, AppVerdict>> DeliverBulkAsync(
        string route, byte[] envelope, IReadOnlyDictionary<string, string> headers, string[] entryIds, CancellationToken cancellation)
    {
        Dictionary<string, AppVerdict> verdicts = entryIds.ToDictionary(id => id, _ => AppVerdict.Retry, StringComparer.Ordinal);
        try
        {
            using HttpRequestMessage request = Post(route, envelope, "application/json", headers);
            using HttpResponseMessage response = await client.SendAsync(request, cancellation);
            if (response.StatusCode == HttpStatusCode.NotFound) return entryIds.ToDictionary(id => id, _ => AppVerdict.Success, StringComparer.Ordinal);
            if (!response.IsSuccessStatusCode) return verdicts;
            using JsonDocument document = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(cancellation));
            if (!document.RootElement.TryMember("statuses", out JsonElement statuses) || statuses.ValueKind != JsonValueKind.Array) return verdicts;
            foreach (JsonElement entry in statuses.EnumerateArray())
                if (entry.Text("entryId") is { } id && verdicts.ContainsKey(id))
                    verdicts[id] = entry.Text("status") switch { "SUCCESS" => AppVerdict.Success, "DROP" => AppVerdict.Drop, _ => AppVerdict.Retry };
            return verdicts;
        }
        catch (Exception error) when (error is HttpRequestException or JsonException or FormatException)
        {
            return entryIds.ToDictionary(id => id, _ => AppVerdict.Retry, StringComparer.Ordinal);
        }
    }

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        AddToken(request);
        return client.SendAsync(request, cancellation);
    }

    public void Dispose() => client.Dispose();

    private static AppVerdict Status(byte[] body)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            // A body of another shape, or a status that is no text, is unparsable to daprd: an acknowledgement.
            if (document.RootElement.ValueKind != JsonValueKind.Object) return AppVerdict.Success;
            if (!document.RootElement.TryGetProperty("status", out JsonElement status)) return AppVerdict.Success;
            if (status.ValueKind != JsonValueKind.String) return AppVerdict.Success;
            return status.GetString() switch { "" or "SUCCESS" => AppVerdict.Success, "DROP" => AppVerdict.Drop, _ => AppVerdict.Retry };
        }
        catch (JsonException)
        {
            return AppVerdict.Success;
        }
    }

    private HttpRequestMessage Post(string route, byte[] body, string contentType, IReadOnlyDictionary<string, string> headers)
    {
        HttpRequestMessage request = Request(HttpMethod.Post, "/" + route.TrimStart('/'));
        request.Content = new ByteArrayContent(body);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        foreach ((string name, string value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    private HttpRequestMessage Request(HttpMethod method, string path)
    {
        HttpRequestMessage request = new(method, path);
        AddToken(request);
        return request;
    }

    private void AddToken(HttpRequestMessage request)
    {
        if (options.AppApiToken is { } token) request.Headers.TryAddWithoutValidation(ApiToken.Header, token);
    }
}
