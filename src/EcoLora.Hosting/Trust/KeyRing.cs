using EcoLora.Messaging;

namespace EcoLora.Hosting;

/// <summary>
/// The keys that a service believes: the hub's, and at the hub those of the sites. The sites' are read as a whole and at most every few seconds, so that a name
/// that somebody made up costs nothing, and a revoked key is refused soon.
/// </summary>
/// <param name="hub">The hub's key.</param>
/// <param name="readSites">Reads the sites' keys; null at a site, which believes the hub alone.</param>
/// <param name="clock">The time.</param>
public sealed class KeyRing(PublicKey hub, Func<CancellationToken, Task<IReadOnlyList<SiteKey>>>? readSites, TimeProvider clock) : IDisposable
{
    /// <summary>How long the sites' keys are taken for what they were.</summary>
    public static readonly TimeSpan Age = TimeSpan.FromSeconds(2);

    private readonly KnownKey _hub = new(hub, Signer.Hub);
    private readonly SemaphoreSlim _turn = new(1, 1);
    private Dictionary<KeyId, KnownKey> _sites = [];
    private long? _readAt;

    /// <summary>Whose key that is, or null.</summary>
    /// <exception cref="IOException">The sites' keys cannot be read.</exception>
    public async ValueTask<KnownKey?> FindAsync(KeyId id, CancellationToken cancellation)
    {
        if (id == hub.Id) return _hub;
        if (readSites is null) return null;
        await _turn.WaitAsync(cancellation);
        try
        {
            if (_readAt is not { } readAt || clock.GetElapsedTime(readAt) >= Age)
            {
                long now = clock.GetTimestamp();
                var sites = new Dictionary<KeyId, KnownKey>();
                foreach (SiteKey site in await readSites(cancellation))
                {
                    var key = PublicKey.FromText(site.Key);
                    sites[key.Id] = new KnownKey(key, new Signer(site.Site), site.IsRevoked);
                }
                (_sites, _readAt) = (sites, now);
            }
            return _sites.GetValueOrDefault(id);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();
}
