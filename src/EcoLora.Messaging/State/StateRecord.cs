using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace EcoLora.Messaging;

/// <summary>
/// One record of a service's state: what was read, and changes to it that fail when anyone else has changed it. Large tensors lie in files that the record
/// names: files are written first, then the record, then what it no longer names is deleted; so a crash leaves files too many, never too few.
/// </summary>
/// <remarks>One caller at a time.</remarks>
/// <typeparam name="T">The record.</typeparam>
public sealed class StateRecord<T>
    where T : class
{
    private readonly IStateStore _store;
    private readonly JsonTypeInfo<T> _type;
    private byte[]? _text;
    private string? _etag;

    private StateRecord(IStateStore store, string key, JsonTypeInfo<T> type) => (_store, Key, _type) = (store, key, type);

    /// <summary>Its key.</summary>
    public string Key { get; }

    /// <summary>The record as stored; null where there is none.</summary>
    public T? Value { get; private set; }

    /// <summary>Replaces the record; durable when this returns.</summary>
    /// <exception cref="StateConflictException">Another process has changed it; nothing was written.</exception>
    public async Task WriteAsync(T value, CancellationToken cancellation)
    {
        byte[] text = JsonSerializer.SerializeToUtf8Bytes(value, _type);
        if (_text is not null && _etag is null)
        {
            // A store does not tell the version that a write made, so it is looked up before the next one.
            StoredValue? stored = await _store.ReadAsync(Key, cancellation);
            if (stored is null || !stored.Value.Span.SequenceEqual(_text)) throw new StateConflictException(Key);
            _etag = stored.ETag;
        }
        bool isWritten = await _store.TryWriteAsync(Key, text, _etag, cancellation);
        // A write whose answer was lost and that was tried again finds its own value.
        if (!isWritten && (await _store.ReadAsync(Key, cancellation))?.Value.Span.SequenceEqual(text) != true) throw new StateConflictException(Key);
        (Value, _text, _etag) = (value, text, null);
    }

    internal static StateRecord<T> Of(IStateStore store, string key, JsonTypeInfo<T> type, StoredValue? stored)
    {
        var record = new StateRecord<T>(store, key, type);
        if (stored is null) return record;
        try
        {
            record.Value = JsonSerializer.Deserialize(stored.Value.Span, type) ?? throw new StateFileException(key, "a record", "null");
        }
        catch (JsonException exception)
        {
            throw new StateFileException(key, "a record", exception.Message);
        }
        (record._text, record._etag) = (stored.Value.ToArray(), stored.ETag);
        return record;
    }
}

/// <summary>Reads records.</summary>
public static class StateRecord
{
    /// <summary>Reads a record.</summary>
    /// <exception cref="StateFileException">What is stored is not one.</exception>
    public static async Task<StateRecord<T>> ReadAsync<T>(IStateStore store, string key, JsonTypeInfo<T> type, CancellationToken cancellation)
        where T : class =>
        StateRecord<T>.Of(store, key, type, await store.ReadAsync(key, cancellation));

    /// <summary>Reads several at once.</summary>
    /// <exception cref="StateFileException">What is stored under one of the keys is not such a record.</exception>
    public static async Task<IReadOnlyList<StateRecord<T>>> ReadManyAsync<T>(
        IStateStore store, IReadOnlyList<string> keys, JsonTypeInfo<T> type, CancellationToken cancellation)
        where T : class
    {
        IReadOnlyList<StoredValue?> stored = await store.ReadManyAsync(keys, cancellation);
        return [.. keys.Select((key, i) => StateRecord<T>.Of(store, key, type, stored[i]))];
    }
}

/// <summary>A record that another process has changed: this one is not, or no longer, the only one of its service.</summary>
/// <param name="key">The record.</param>
public sealed class StateConflictException(string key)
    : IOException($"state {key}: expected the version that was read, found another: a second process of this service has changed it");
