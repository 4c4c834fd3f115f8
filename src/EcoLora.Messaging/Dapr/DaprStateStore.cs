using System.Buffers;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace EcoLora.Messaging.Dapr;

/// <summary>
/// The state store over Dapr's HTTP API. A value travels as one JSON string: Dapr reads JSON values into Go's own types and writes them anew, which sorts members
/// and rounds large numbers; a string stays what it is. Every write asks for first-write, without which an insert would replace what is there.
/// </summary>
public sealed class DaprStateStore : IStateStore
{
    private const int KeysPerCall = 100;

    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(100);

    private readonly SidecarClient _sidecar;
    private readonly string _path;

    /// <summary>Makes the store; nothing is sent yet.</summary>
    /// <param name="sidecar">The app's sidecar.</param>
    public DaprStateStore(SidecarClient sidecar) => (_sidecar, _path) = (sidecar, $"/v1.0/state/{Uri.EscapeDataString(sidecar.Options.StateStore)}");

    /// <inheritdoc/>
    /// <exception cref="CallException">The sidecar refuses the call, or cannot take it within the patience of the options.</exception>
    public async Task<StoredValue?> ReadAsync(string key, CancellationToken cancellation)
    {
        string path = $"{_path}/{Uri.EscapeDataString(StateKey.Checked(key))}?consistency=strong";
        using HttpResponseMessage response = await _sidecar.SendAsync(() => new HttpRequestMessage(HttpMethod.Get, path), cancellation);
        if (response.StatusCode == HttpStatusCode.NoContent) return null;
        byte[] json = await response.Content.ReadAsByteArrayAsync(cancellation);
        if (json.Length == 0) return null;
        if (!response.Headers.TryGetValues("ETag", out IEnumerable<string>? etags)) throw new CallException("sidecar", path, "a value without ETag");
        return new StoredValue(Text(path, json), etags.First());
    }

    /// <inheritdoc/>
    /// <exception cref="CallException">As above.</exception>
    public async Task<IReadOnlyList<StoredValue?>> ReadManyAsync(IReadOnlyList<string> keys, CancellationToken cancellation)
    {
        var found = new Dictionary<string, StoredValue>(StringComparer.Ordinal);
        foreach (string[] some in keys.Chunk(KeysPerCall))
        {
            byte[] body = Json(writer =>
            {
                writer.WriteStartObject();
                writer.WriteStartArray("keys");
                foreach (string key in some) writer.WriteStringValue(StateKey.Checked(key));
                writer.WriteEndArray();
                writer.WriteEndObject();
            });
            using HttpResponseMessage response = await _sidecar.SendAsync(() => Post($"{_path}/bulk", body), cancellation);
            if (response.StatusCode == HttpStatusCode.NoContent) continue;
            using JsonDocument answer = Parse($"{_path}/bulk", await response.Content.ReadAsByteArrayAsync(cancellation));
            foreach (JsonElement item in answer.RootElement.EnumerateArray())
            {
                string key = item.GetProperty("key").GetString()!;
                if (item.TryGetProperty("error", out JsonElement error) && error.GetString() is { Length: > 0 })
                {
                    // The answer is 200 though the store was away for this key. Reading it alone waits until the store is back.
                    if (await ReadAsync(key, cancellation) is { } value) found[key] = value;
                    continue;
                }
                if (!item.TryGetProperty("data", out JsonElement data) || data.ValueKind == JsonValueKind.Null) continue;
                if (!item.TryGetProperty("etag", out JsonElement etag) || data.ValueKind != JsonValueKind.String)
                    throw new CallException("sidecar", $"{_path}/bulk", $"{key}: a value that is not a text with an ETag");
                found[key] = new StoredValue(Encoding.UTF8.GetBytes(data.GetString()!), etag.GetString()!);
            }
        }
        return [.. keys.Select(key => found.GetValueOrDefault(key))];
    }

    /// <inheritdoc/>
    /// <exception cref="CallException">As above.</exception>
    public async Task<bool> TryWriteAsync(string key, ReadOnlyMemory<byte> value, string? etag, CancellationToken cancellation)
    {
        byte[] body = Json(writer =>
        {
            writer.WriteStartArray();
            writer.WriteStartObject();
            writer.WriteString("key", StateKey.Checked(key));
            writer.WriteString("value", value.Span);
            if (etag is not null) writer.WriteString("etag", etag);
            writer.WriteStartObject("options");
            writer.WriteString("concurrency", "first-write");
            writer.WriteString("consistency", "strong");
            writer.WriteEndObject();
            writer.WriteEndObject();
            writer.WriteEndArray();
        });
        var clock = Stopwatch.StartNew();
        while (true)
        {
            using HttpResponseMessage response = await _sidecar.SendAsync(
                () => Post(_path, body), cancellation, HttpStatusCode.Conflict, HttpStatusCode.InternalServerError);
            if (response.IsSuccessStatusCode) return true;
            // On Redis an insert that is refused is a 500 like any failure, and any failure of a write with an ETag is a 409 like a refusal. What the key holds
            // tells them apart; reading waits until the store is there again.
            if ((await ReadAsync(key, cancellation))?.ETag != etag) return false;
            if (clock.Elapsed > _sidecar.Options.Patience)
                throw new CallException("sidecar", _path, $"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync(cancellation)}");
            await Task.Delay(_pause, cancellation);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="CallException">As above.</exception>
    public async Task DeleteAsync(string key, CancellationToken cancellation)
    {
        string path = $"{_path}/{Uri.EscapeDataString(StateKey.Checked(key))}";
        using HttpResponseMessage response = await _sidecar.SendAsync(() => new HttpRequestMessage(HttpMethod.Delete, path), cancellation);
    }

    private static byte[] Text(string path, byte[] json)
    {
        using JsonDocument document = Parse(path, json);
        return document.RootElement.ValueKind == JsonValueKind.String
            ? Encoding.UTF8.GetBytes(document.RootElement.GetString()!)
            : throw new CallException("sidecar", path, $"a value that is not a text but {document.RootElement.ValueKind}");
    }

    private static JsonDocument Parse(string path, byte[] json)
    {
        try
        {
            return JsonDocument.Parse(json);
        }
        catch (JsonException exception)
        {
            throw new CallException("sidecar", path, exception.Message);
        }
    }

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
