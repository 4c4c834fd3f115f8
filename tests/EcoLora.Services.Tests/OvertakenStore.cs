using EcoLora.Messaging;

namespace EcoLora.Services.Tests;

/// <summary>A store in which somebody else writes between the first reading here and what follows from it.</summary>
internal sealed class OvertakenStore(IStateStore store, Func<Task> overtake) : IStateStore
{
    private bool _isOvertaken;

    /// <summary>The key at whose first reading it happens; null for any.</summary>
    public string? Key { get; init; }

    public async Task<StoredValue?> ReadAsync(string key, CancellationToken cancellation)
    {
        StoredValue? value = await store.ReadAsync(key, cancellation);
        if (!_isOvertaken && (Key is null || key == Key))
        {
            _isOvertaken = true;
            await overtake();
        }
        return value;
    }

    public Task<IReadOnlyList<StoredValue?>> ReadManyAsync(IReadOnlyList<string> keys, CancellationToken cancellation) => store.ReadManyAsync(keys, cancellation);

    public Task<bool> TryWriteAsync(string key, ReadOnlyMemory<byte> value, string? etag, CancellationToken cancellation) =>
        store.TryWriteAsync(key, value, etag, cancellation);

    public Task DeleteAsync(string key, CancellationToken cancellation) => store.DeleteAsync(key, cancellation);
}
