using System.Buffers;
using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace EcoLora.Messaging.Dapr;

/// <summary>
/// The state store over Dapr. A value travels as one JSON string: Dapr reads JSON values that come by HTTP into Go's own types and writes them anew, which sorts members
/// and rounds large numbers; a string stays what it is, whichever way it came.
/// </summary>
public sealed class DaprStateStore : IStateStore
{
    private const int KeysPerCall = 100;

    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(100);

    private readonly ISidecar _sidecar;

    /// <summary>Makes the store; nothing is sent yet.</summary>
    /// <param name="sidecar">The app's sidecar.</param>
    public DaprStateStore(ISidecar sidecar) => _sidecar = sidecar;

    /// <inheritdoc/>
    /// <exception cref="CallException">The sidecar refuses the call, or cannot take it within the patience of the options.</exception>
    public async Task<StoredValue?> ReadAsync(string key, CancellationToken cancellation) => TextOf(key, await _sidecar.ReadStateAsync(StateKey.Checked(key), cancellation));

    /// <inheritdoc/>
    /// <exception cref="CallException">As above.</exception>
    public async Task<IReadOnlyList<StoredValue?>> ReadManyAsync(IReadOnlyList<string> keys, CancellationToken cancellation)
    {
        var values = new List<StoredValue?>(keys.Count);
        foreach (string[] some in keys.Chunk(KeysPerCall))
        {
            foreach (string key in some) StateKey.Checked(key);
            IReadOnlyDictionary<string, StoredValue?> found = await _sidecar.ReadStatesAsync(some, cancellation);
            // A key of which nothing is known is asked for alone, which waits until the store is back.
            values.AddRange(await Task.WhenAll(some.Select(async key => found.TryGetValue(key, out StoredValue? value) ? TextOf(key, value) : await ReadAsync(key, cancellation))));
        }
        return values;
    }

    /// <inheritdoc/>
    /// <exception cref="CallException">As above.</exception>
    public async Task<bool> TryWriteAsync(string key, ReadOnlyMemory<byte> value, string? etag, CancellationToken cancellation)
    {
        StateKey.Checked(key);
        var json = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(json)) writer.WriteStringValue(value.Span);
        var clock = Stopwatch.StartNew();
        while (true)
        {
            if (await _sidecar.TryWriteStateAsync(key, json.WrittenMemory, etag, cancellation) is not { } answer) return true;
            // On Redis an insert that is refused is answered like any failure, and any failure of a write with an ETag like a refusal. What the key holds
            // tells them apart; reading waits until the store is there again.
            if ((await _sidecar.ReadStateAsync(key, cancellation))?.ETag != etag) return false;
            if (clock.Elapsed > _sidecar.Options.Patience) throw new CallException("sidecar", $"state {key}", answer);
            await Task.Delay(_pause, cancellation);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="CallException">As above.</exception>
    public Task DeleteAsync(string key, CancellationToken cancellation) => _sidecar.DeleteStateAsync(StateKey.Checked(key), cancellation);

    private static StoredValue? TextOf(string key, StoredValue? stored)
    {
        if (stored is null) return null;
        try
        {
            using JsonDocument document = JsonDocument.Parse(stored.Value);
            return document.RootElement.ValueKind == JsonValueKind.String
                ? new StoredValue(Encoding.UTF8.GetBytes(document.RootElement.GetString()!), stored.ETag)
                : throw new CallException("sidecar", $"state {key}", $"a value that is not a text but {document.RootElement.ValueKind}");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException) // The latter for half a character.
        {
            throw new CallException("sidecar", $"state {key}", exception.Message);
        }
    }
}
