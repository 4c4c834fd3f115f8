using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;

namespace EcoLora.Messaging;

/// <summary>A key's short name: the first 16 bytes of SHA-256 over its SubjectPublicKeyInfo, big-endian; as text 32 hexadecimal digits.</summary>
/// <param name="Value">The bytes.</param>
public readonly record struct KeyId(UInt128 Value)
{
    /// <summary>Bytes of one.</summary>
    public const int Size = 16;

    /// <summary>Reads one.</summary>
    public static KeyId Read(ReadOnlySpan<byte> bytes) => new(BinaryPrimitives.ReadUInt128BigEndian(bytes));

    /// <summary>Writes it.</summary>
    public void Write(Span<byte> bytes) => BinaryPrimitives.WriteUInt128BigEndian(bytes, Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString("x32", CultureInfo.InvariantCulture);
}

/// <summary>The public half of a <see cref="SigningKey"/>.</summary>
public sealed class PublicKey : IEquatable<PublicKey>
{
    /// <summary>Bytes of a SubjectPublicKeyInfo with an uncompressed point of P-256.</summary>
    private const int InfoSize = 91;

    private const string CurveOid = "1.2.840.10045.3.1.7";

    private readonly ECParameters _point;

    private PublicKey(ECParameters point, byte[] info) => (_point, Text, Id) = (point, Convert.ToBase64String(info), KeyId.Read(SHA256.HashData(info)));

    /// <summary>Its SubjectPublicKeyInfo in base64: 124 characters.</summary>
    public string Text { get; }

    /// <summary>Its short name.</summary>
    public KeyId Id { get; }

    /// <summary>Reads a key.</summary>
    /// <exception cref="FormatException">The text is no public key on P-256.</exception>
    public static PublicKey FromText(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        byte[] info = new byte[InfoSize + 3];
        try
        {
            if (!Convert.TryFromBase64String(text.Trim(), info, out int written) || written != InfoSize) throw new CryptographicException("length");
            using var key = ECDsa.Create();
            key.ImportSubjectPublicKeyInfo(info.AsSpan(0, written), out int read);
            if (read != written) throw new CryptographicException("length");
            return Of(key);
        }
        catch (CryptographicException exception)
        {
            throw new FormatException($"expected a public key on P-256 as base64 of its SubjectPublicKeyInfo, found '{(text.Length > 200 ? text[..200] : text)}'", exception);
        }
    }

    /// <summary>Whether a signature over a SHA-256 is this key's.</summary>
    /// <param name="hash">The SHA-256.</param>
    /// <param name="signature">r‖s, 64 bytes.</param>
    public bool Verify(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> signature)
    {
        using var key = ECDsa.Create(_point);
        return key.VerifyHash(hash, signature, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }

    /// <inheritdoc/>
    public bool Equals(PublicKey? other) => other is not null && other.Text == Text;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PublicKey);

    /// <inheritdoc/>
    public override int GetHashCode() => Id.GetHashCode();

    /// <inheritdoc/>
    public override string ToString() => Text;

    internal static PublicKey Of(ECDsa key)
    {
        ECParameters point = key.ExportParameters(includePrivateParameters: false);
        return point.Curve.Oid?.Value == CurveOid ? new PublicKey(point, key.ExportSubjectPublicKeyInfo()) : throw new CryptographicException("curve");
    }
}
