using System.Security.Cryptography;
using System.Text;

namespace EcoLora.Messaging;

/// <summary>
/// A message with its signature, as docs/wire-format.md has it: 88 bytes before the payload. The signature is over topic, hub and header too, so that what was
/// said on one topic, or to another hub, cannot be said again elsewhere.
/// </summary>
public static class SignedMessage
{
    /// <summary>Bytes before the payload.</summary>
    public const int HeaderSize = KeyOffset + KeyId.Size + SignatureSize;

    private const int KeyOffset = 8, SignatureSize = 64;

    /// <summary>What no signature of anything else begins with.</summary>
    private static ReadOnlySpan<byte> Purpose => "ecolora signed message 1\n"u8;

    private static ReadOnlySpan<byte> Magic => "ECLS\u0001\0\0\0"u8;

    /// <summary>The key that a message says it is signed with, or null when it is not signed.</summary>
    public static KeyId? KeyOf(ReadOnlySpan<byte> message) =>
        message.Length >= HeaderSize && message.StartsWith(Magic) ? KeyId.Read(message[KeyOffset..]) : null;

    /// <summary>Signs a message.</summary>
    /// <param name="topic">Where it goes.</param>
    /// <param name="payload">The message.</param>
    /// <param name="key">Who says it.</param>
    /// <param name="hub">The hub that sender and receivers belong to.</param>
    public static byte[] Write(string topic, ReadOnlySpan<byte> payload, SigningKey key, KeyId hub)
    {
        byte[] message = new byte[HeaderSize + payload.Length];
        Magic.CopyTo(message);
        key.Public.Id.Write(message.AsSpan(KeyOffset));
        payload.CopyTo(message.AsSpan(HeaderSize));
        key.Sign(Hash(topic, message, hub)).CopyTo(message, KeyOffset + KeyId.Size);
        return message;
    }

    /// <summary>Whether a signed message is what the key's owner said on this topic to this hub.</summary>
    /// <param name="topic">Where it came.</param>
    /// <param name="message">A message of which <see cref="KeyOf"/> is this key's.</param>
    /// <param name="key">The key.</param>
    /// <param name="hub">The receiver's hub.</param>
    public static bool IsGenuine(string topic, ReadOnlySpan<byte> message, PublicKey key, KeyId hub) =>
        key.Verify(Hash(topic, message, hub), message.Slice(KeyOffset + KeyId.Size, SignatureSize));

    /// <summary>SHA-256 over purpose, hub, topic (ended by a zero byte), the header before the signature, and the payload.</summary>
    private static byte[] Hash(string topic, ReadOnlySpan<byte> message, KeyId hub)
    {
        Span<byte> hubBytes = stackalloc byte[KeyId.Size];
        hub.Write(hubBytes);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Purpose);
        hash.AppendData(hubBytes);
        hash.AppendData(Encoding.UTF8.GetBytes(topic));
        hash.AppendData([0]);
        hash.AppendData(message[..(KeyOffset + KeyId.Size)]);
        hash.AppendData(message[HeaderSize..]);
        return hash.GetHashAndReset();
    }
}
