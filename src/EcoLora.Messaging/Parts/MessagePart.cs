using System.Buffers.Binary;
using System.Security.Cryptography;

namespace EcoLora.Messaging;

/// <summary>
/// A piece of a message that is larger than brokers take, see docs/wire-format.md. Little-endian: "ECLP", version 1 (u8), three zero bytes, the first 16
/// bytes of SHA-256 over the whole message, its length (u32), where in it the piece lies (u32), then the piece. All pieces of a message but the last are
/// of the largest size, so where one lies says how long it is.
/// </summary>
/// <param name="Message">Identity of the whole message: 16 bytes in hexadecimal.</param>
/// <param name="Length">Bytes of the whole message.</param>
/// <param name="Offset">Where the piece begins.</param>
/// <param name="Piece">The piece.</param>
public sealed record MessagePart(string Message, int Length, int Offset, ReadOnlyMemory<byte> Piece)
{
    /// <summary>Largest message on a broker, 900 KiB: below the smallest default limit, Kafka's 1 MiB.</summary>
    public const int MaximumSize = 900 * 1024;

    /// <summary>Largest message that may be cut into parts.</summary>
    public const int MaximumLength = 1 << 30;

    /// <summary>Bytes before the piece.</summary>
    public const int HeaderSize = 32;

    /// <summary>Largest message that is not cut: there is room for a signature.</summary>
    public const int WholeSize = MaximumSize - SignedMessage.HeaderSize;

    /// <summary>Bytes of every piece but the last.</summary>
    public const int PieceSize = WholeSize - HeaderSize;

    private const byte Version = 1;
    private const int IdentitySize = 16;

    private static ReadOnlySpan<byte> Magic => "ECLP"u8;

    /// <summary>Number of pieces of the whole message.</summary>
    public int Count => (Length + PieceSize - 1) / PieceSize;

    /// <summary>How many messages a message of that length is on a broker: one, or its pieces.</summary>
    public static int CountOf(int length) => length <= WholeSize ? 1 : (length + PieceSize - 1) / PieceSize;

    /// <summary>Number of this piece, from 0.</summary>
    public int Number => Offset / PieceSize;

    /// <summary>Whether bytes from a broker are a part: no other message begins so.</summary>
    public static bool IsPart(ReadOnlySpan<byte> bytes) => bytes.StartsWith(Magic);

    /// <summary>What is put on the broker for a message: the message itself, byte for byte, or its parts.</summary>
    /// <exception cref="ArgumentException">The message is larger than 1 GiB.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Cut(ReadOnlyMemory<byte> message)
    {
        if (message.Length > MaximumLength)
            throw new ArgumentException($"expected a message of at most {MaximumLength} bytes, found {message.Length}", nameof(message));
        return message.Length <= WholeSize && !IsPart(message.Span) ? [message] : CutUp(message);
    }

    /// <summary>Reads a part.</summary>
    /// <exception cref="PartException">The bytes are not one.</exception>
    public static MessagePart Read(ReadOnlyMemory<byte> bytes)
    {
        ReadOnlySpan<byte> span = bytes.Span;
        if (!IsPart(span)) throw new PartException("magic", "ECLP", Convert.ToHexString(span[..Math.Min(4, span.Length)]));
        if (span.Length <= HeaderSize) throw new PartException("length", $"more than {HeaderSize} bytes", $"{span.Length}");
        if (span[4] != Version) throw new PartException("version", $"{Version}", $"{span[4]}");
        if (span[5..8].ContainsAnyExcept((byte)0)) throw new PartException("reserved bytes", "zeros", Convert.ToHexString(span[5..8]));
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(span[24..]), offset = BinaryPrimitives.ReadUInt32LittleEndian(span[28..]);
        if (length is 0 or > MaximumLength) throw new PartException("message length", $"1 to {MaximumLength}", $"{length}");
        if (offset >= length || offset % PieceSize != 0) throw new PartException("offset", $"a multiple of {PieceSize} below {length}", $"{offset}");
        long expected = Math.Min(PieceSize, length - offset);
        if (span.Length - HeaderSize != expected) throw new PartException("piece", $"{expected} bytes", $"{span.Length - HeaderSize}");
        return new MessagePart(Convert.ToHexStringLower(span[8..24]), (int)length, (int)offset, bytes[HeaderSize..]);
    }

    /// <summary>The identity of a whole message.</summary>
    public static string IdentityOf(ReadOnlySpan<byte> message) => Convert.ToHexStringLower(SHA256.HashData(message)[..IdentitySize]);

    private static IEnumerable<ReadOnlyMemory<byte>> CutUp(ReadOnlyMemory<byte> message)
    {
        byte[] digest = SHA256.HashData(message.Span);
        for (int offset = 0; offset < message.Length; offset += PieceSize)
        {
            ReadOnlyMemory<byte> piece = message.Slice(offset, Math.Min(PieceSize, message.Length - offset));
            byte[] part = new byte[HeaderSize + piece.Length];
            Magic.CopyTo(part);
            part[4] = Version;
            digest.AsSpan(0, IdentitySize).CopyTo(part.AsSpan(8));
            BinaryPrimitives.WriteInt32LittleEndian(part.AsSpan(24), message.Length);
            BinaryPrimitives.WriteInt32LittleEndian(part.AsSpan(28), offset);
            piece.Span.CopyTo(part.AsSpan(HeaderSize));
            yield return part;
        }
    }
}

/// <summary>Bytes that begin like a part of a message and are none.</summary>
/// <param name="field">The field that is wrong.</param>
/// <param name="expected">What it must be.</param>
/// <param name="found">What it is.</param>
public sealed class PartException(string field, string expected, string found) : FormatException($"part: {field}: expected {expected}, found {found}")
{
    /// <summary>The field that is wrong.</summary>
    public string Field { get; } = field;
}
