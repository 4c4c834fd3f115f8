namespace EcoLora.Messaging;

/// <summary>A stored value.</summary>
/// <param name="Value">The bytes that were written.</param>
/// <param name="ETag">Names this version of the value; what it looks like is the store's business.</param>
public sealed record StoredValue(ReadOnlyMemory<byte> Value, string ETag);

/// <summary>
/// Small durable state under keys of one app, each change conditional on what was read, so that of two writers the first wins and the other learns of it. The
/// conformance suite in tests/EcoLora.Messaging.Tests says what an implementation must do.
/// </summary>
public interface IStateStore
{
    /// <summary>The value, or null where there is none.</summary>
    Task<StoredValue?> ReadAsync(string key, CancellationToken cancellation);

    /// <summary>Values in the order of the keys; null where there is none.</summary>
    Task<IReadOnlyList<StoredValue?>> ReadManyAsync(IReadOnlyList<string> keys, CancellationToken cancellation);

    /// <summary>Writes the value if the key still holds the version that was read; durable when this returns true.</summary>
    /// <param name="key">1 to 200 of a-z, 0-9, '-' and '.'.</param>
    /// <param name="value">UTF-8 text.</param>
    /// <param name="etag">The version that was read; null inserts, which succeeds only where there is no value. Where
    /// the value was deleted since, a store may refuse or write (Dapr's Redis store writes).</param>
    /// <param name="cancellation">Gives up; the value may have been written.</param>
    /// <returns>False when the key holds another version: nothing was written.</returns>
    Task<bool> TryWriteAsync(string key, ReadOnlyMemory<byte> value, string? etag, CancellationToken cancellation);

    /// <summary>Deletes the value, if there is one.</summary>
    Task DeleteAsync(string key, CancellationToken cancellation);
}

/// <summary>The rule for keys, which holds for every store.</summary>
public static class StateKey
{
    /// <summary>The key itself.</summary>
    /// <exception cref="ArgumentException">It has other characters, or too many or none.</exception>
    public static string Checked(string key)
    {
        bool isKey = key.Length is >= 1 and <= 200 && key.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-' or '.');
        return isKey ? key : throw new ArgumentException($"key: expected 1 to 200 of a-z, 0-9, '-' and '.', found '{key}'", nameof(key));
    }
}
