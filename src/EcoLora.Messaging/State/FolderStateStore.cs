using System.Security.Cryptography;

namespace EcoLora.Messaging;

/// <summary>State of a run in one process: a file per key, whole or absent. The ETag is a digest of the value, so a value that came back counts as unchanged.</summary>
/// <param name="folder">The folder; nobody else writes to it.</param>
public sealed class FolderStateStore(DurableFolder folder) : IStateStore
{
    private const string Suffix = ".json";

    private readonly Lock _lock = new();

    /// <inheritdoc/>
    public Task<StoredValue?> ReadAsync(string key, CancellationToken cancellation)
    {
        lock (_lock) return Task.FromResult(Read(key));
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<StoredValue?>> ReadManyAsync(IReadOnlyList<string> keys, CancellationToken cancellation)
    {
        lock (_lock) return Task.FromResult<IReadOnlyList<StoredValue?>>([.. keys.Select(Read)]);
    }

    /// <inheritdoc/>
    public Task<bool> TryWriteAsync(string key, ReadOnlyMemory<byte> value, string? etag, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        lock (_lock)
        {
            if (Read(key)?.ETag != etag) return Task.FromResult(false);
            folder.Write(FileOf(key), value);
            return Task.FromResult(true);
        }
    }

    /// <inheritdoc/>
    public Task DeleteAsync(string key, CancellationToken cancellation)
    {
        lock (_lock) folder.Delete(FileOf(key));
        return Task.CompletedTask;
    }

    private StoredValue? Read(string key) =>
        folder.Read(FileOf(key)) is { } value ? new StoredValue(value, Convert.ToHexStringLower(SHA256.HashData(value).AsSpan(0, 16))) : null;

    private static string FileOf(string key) => StateKey.Checked(key) + Suffix;
}
