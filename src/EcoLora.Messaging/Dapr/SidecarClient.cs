using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace EcoLora.Messaging.Dapr;

/// <summary>An app's calls to its sidecar's HTTP API, with its token.</summary>
public sealed class SidecarClient : ISidecar
{
    /// <summary>Where a sidecar says whether it can publish. <c>/v1.0/healthz</c> waits for the app's port, and an app that waited for that would wait for ever.</summary>
    public static readonly Uri OutboundHealth = new("/v1.0/healthz/outbound", UriKind.Relative);

    private readonly PatientClient _client;
    private readonly string _state;

    /// <summary>Makes the client; nothing is sent yet.</summary>
    /// <param name="options">The sidecar.</param>
    /// <param name="transport">What sends requests, or null for the usual; disposed with the client.</param>
    public SidecarClient(DaprOptions options, HttpMessageHandler? transport = null)
    {
        Options = options;
        _state = $"/v1.0/state/{Uri.EscapeDataString(options.StateStore)}";
        _client = new PatientClient(options.Patience, transport);
        _client.Http.BaseAddress = options.Endpoint;
        if (options.ApiToken is { } token) _client.Http.DefaultRequestHeaders.Add(AppToken.Header, token);
    }

    /// <inheritdoc/>
    public DaprOptions Options { get; }

    /// <inheritdoc/>
    public Task<HttpResponseMessage> InvokeAsync(HttpMethod method, string app, string path, ReadOnlyMemory<byte>? body, CancellationToken cancellation, params HttpStatusCode[] expected) =>
        SendAsync(() => PatientClient.Request(method, new Uri($"/v1.0/invoke/{Uri.EscapeDataString(app)}/method/{path}", UriKind.Relative), body), cancellation, expected);

    /// <inheritdoc/>
    public async Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        string path = $"/v1.0/publish/{Uri.EscapeDataString(Options.PubSub)}/{Uri.EscapeDataString(topic)}?metadata.rawPayload=true&metadata.partitionKey={Uri.EscapeDataString(key)}";
        using HttpResponseMessage response = await SendAsync(() => PatientClient.Request(HttpMethod.Post, new Uri(path, UriKind.Relative), payload), cancellation);
    }

    /// <inheritdoc/>
    public async Task<StoredValue?> ReadStateAsync(string key, CancellationToken cancellation)
    {
        string path = $"{KeyPath(key)}?consistency=strong";
        using HttpResponseMessage response = await SendAsync(() => new HttpRequestMessage(HttpMethod.Get, path), cancellation);
        if (response.StatusCode == HttpStatusCode.NoContent) return null;
        byte[] json = await response.Content.ReadAsByteArrayAsync(cancellation);
        if (json.Length == 0) return null;
        return response.Headers.TryGetValues("ETag", out IEnumerable<string>? etags)
            ? new StoredValue(json, etags.First())
            : throw new CallException("sidecar", path, "a value without ETag");
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<string, StoredValue?>> ReadStatesAsync(IReadOnlyList<string> keys, CancellationToken cancellation)
    {
        string path = $"{_state}/bulk";
        byte[] body = Json(writer =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("keys");
            foreach (string key in keys) writer.WriteStringValue(key);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
        var found = new Dictionary<string, StoredValue?>(StringComparer.Ordinal);
        using HttpResponseMessage response = await SendAsync(() => Post(path, body), cancellation);
        if (response.StatusCode == HttpStatusCode.NoContent) return found;
        try
        {
            using JsonDocument answer = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(cancellation));
            foreach (JsonElement item in answer.RootElement.EnumerateArray())
            {
                // The answer is 200 though the store was away for this key.
                if (item.TryGetProperty("error", out JsonElement error) && error.GetString() is { Length: > 0 }) continue;
                string key = item.GetProperty("key").GetString()!;
                if (!item.TryGetProperty("data", out JsonElement data) || data.ValueKind == JsonValueKind.Null) found[key] = null;
                else if (item.TryGetProperty("etag", out JsonElement etag)) found[key] = new StoredValue(Encoding.UTF8.GetBytes(data.GetRawText()), etag.GetString()!);
                else throw new CallException("sidecar", path, $"{key}: a value without ETag");
            }
            return found;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new CallException("sidecar", path, exception.Message);
        }
    }

    /// <inheritdoc/>
    public async Task<string?> TryWriteStateAsync(string key, ReadOnlyMemory<byte> json, string? etag, CancellationToken cancellation)
    {
        byte[] body = Json(writer =>
        {
            writer.WriteStartArray();
            writer.WriteStartObject();
            writer.WriteString("key", key);
            writer.WritePropertyName("value");
            writer.WriteRawValue(json.Span);
            if (etag is not null) writer.WriteString("etag", etag);
            writer.WriteStartObject("options");
            writer.WriteString("concurrency", "first-write");
            writer.WriteString("consistency", "strong");
            writer.WriteEndObject();
            writer.WriteEndObject();
            writer.WriteEndArray();
        });
        using HttpResponseMessage response = await SendAsync(() => Post(_state, body), cancellation, HttpStatusCode.Conflict, HttpStatusCode.InternalServerError);
        return response.IsSuccessStatusCode ? null : $"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync(cancellation)}";
    }

    /// <inheritdoc/>
    public async Task DeleteStateAsync(string key, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await SendAsync(() => new HttpRequestMessage(HttpMethod.Delete, KeyPath(key)), cancellation);
    }

    /// <inheritdoc/>
    public async Task<string?> ReadSecretAsync(string store, string name, Action<string> refused, CancellationToken cancellation)
    {
        string path = $"/v1.0/secrets/{Uri.EscapeDataString(store)}/{Uri.EscapeDataString(name)}";
        // What the store answers to a secret that it does not have differs from store to store: an empty one, 204, 500.
        using HttpResponseMessage response = await SendAsync(
            () => new HttpRequestMessage(HttpMethod.Get, path), cancellation, HttpStatusCode.NotFound, HttpStatusCode.Unauthorized, HttpStatusCode.Forbidden, HttpStatusCode.InternalServerError);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            refused($"{(int)response.StatusCode}");
            return null;
        }
        try
        {
            return SecretValues.Pick(JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(cancellation), SecretJson.Default.DictionaryStringString) ?? [], name);
        }
        catch (JsonException)
        {
            refused("no object of texts");
            return null;
        }
    }

    /// <inheritdoc/>
    public Task<bool> IsReadyAsync(CancellationToken cancellation) => _client.IsSuccessAsync(OutboundHealth, cancellation);

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> request, CancellationToken cancellation, params HttpStatusCode[] expected) =>
        _client.SendAsync("sidecar", request, cancellation, expected);

    private string KeyPath(string key) => $"{_state}/{Uri.EscapeDataString(key)}";

    private static HttpRequestMessage Post(string path, byte[] body)
    {
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
    }

    private static byte[] Json(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer)) write(writer);
        return buffer.WrittenSpan.ToArray();
    }
}
