namespace EcoLora.Messaging;

/// <summary>Who has signed a message.</summary>
/// <param name="Site">Name of the site; null for the hub.</param>
public sealed record Signer(string? Site)
{
    /// <summary>Scheduler and aggregator.</summary>
    public static readonly Signer Hub = new((string?)null);

    /// <inheritdoc/>
    public override string ToString() => Site is null ? "the hub" : $"site {Site}";
}

/// <summary>A key that messages may be signed with.</summary>
/// <param name="Key">The key.</param>
/// <param name="Signer">Whose it is.</param>
/// <param name="IsRevoked">Whether it counts no more.</param>
public sealed record KnownKey(PublicKey Key, Signer Signer, bool IsRevoked = false);
