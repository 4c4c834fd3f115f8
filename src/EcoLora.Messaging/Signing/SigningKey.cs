using System.Security.Cryptography;

namespace EcoLora.Messaging;

/// <summary>
/// An ECDSA key on the curve P-256 with which a site or the hub signs what it publishes. It comes from a secret, as PEM of PKCS #8 (<c>ecolora key</c>
/// makes one), and is never written by a service.
/// </summary>
public sealed class SigningKey : IDisposable
{
    private readonly ECDsa _key;
    private readonly Lock _turn = new();

    private SigningKey(ECDsa key) => (_key, Public) = (key, PublicKey.Of(key));

    /// <summary>What others know of it.</summary>
    public PublicKey Public { get; }

    /// <summary>A new key.</summary>
    public static SigningKey Create() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256));

    /// <summary>Reads a private key.</summary>
    /// <exception cref="FormatException">The text is no private key on P-256. The message does not show it.</exception>
    public static SigningKey FromPem(string pem)
    {
        ArgumentNullException.ThrowIfNull(pem);
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem);
            // A public key alone imports too.
            _ = key.SignHash(new byte[SHA256.HashSizeInBytes]);
            return new SigningKey(key);
        }
        catch (Exception exception) when (exception is CryptographicException or ArgumentException or FormatException)
        {
            key.Dispose();
            throw new FormatException("expected a private key on P-256 as PEM of PKCS #8, found others", exception);
        }
    }

    /// <summary>The private key as PEM of PKCS #8.</summary>
    public string ToPem() => _key.ExportPkcs8PrivateKeyPem();

    /// <summary>Signs a SHA-256.</summary>
    /// <returns>r‖s, 64 bytes.</returns>
    public byte[] Sign(ReadOnlySpan<byte> hash)
    {
        // An instance makes no promise about calls at once.
        lock (_turn) return _key.SignHash(hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();
}
