using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>What a frame carries.</summary>
public enum FrameKind : byte
{
    /// <summary>One participant's segment of one round, from a codec to the aggregator.</summary>
    Segment = 0,

    /// <summary>The change that makes version <c>BaseVersion + 1</c> of the published adapter, from the aggregator to the codecs.</summary>
    GlobalChange = 1,

    /// <summary>The same in a method that stacks: the accepted segments' frames as they are, with their weights (<see cref="StackFrame"/>).</summary>
    Stack = 2,
}

/// <summary>
/// The identity of a frame: what makes two messages the same message (design.md). Its layout in bytes is in FORMAT.md.
/// </summary>
/// <param name="Kind">What it carries.</param>
/// <param name="RunKey">The run, as <see cref="KeyOf"/> gives it.</param>
/// <param name="Round">Round t ≥ 0.</param>
/// <param name="Client">Number of the client, or <see cref="Aggregator"/>.</param>
/// <param name="Segment">Segment s of a <see cref="FrameKind.Segment"/> frame; 0 in the others.</param>
/// <param name="Segments">N_s of the run; 1 in the others.</param>
/// <param name="BaseVersion">Version of the published adapter that the change is against.</param>
/// <param name="LayoutKey">Low 32 bits of <see cref="LoraLayout.Fingerprint"/> of the exchanged layout.</param>
public sealed record FrameHeader(FrameKind Kind, ulong RunKey, int Round, int Client, int Segment, int Segments, int BaseVersion, uint LayoutKey)
{
    /// <summary>The sender's number in frames from the aggregator.</summary>
    public const int Aggregator = -1;

    /// <summary>Bytes of the fixed part.</summary>
    internal const int Size = 40;

    internal const byte Version = 2;

    /// <summary>The key of a run: the first 8 bytes, little-endian, of SHA-256 over the run's name in UTF-8.</summary>
    public static ulong KeyOf(string run) => BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(run)));

    /// <summary>The entries that the frame covers in a vector of a layout.</summary>
    public SegmentRange Range(LoraLayout layout) => layout.Range(Segment, Segments);

    /// <inheritdoc/>
    public override string ToString() => Kind == FrameKind.Segment
        ? $"segment {Segment}/{Segments} of client {Client}, round {Round}, base version {BaseVersion}"
        : $"{(Kind == FrameKind.Stack ? "stack" : "global change")} of round {Round}, base version {BaseVersion}";

    internal void Write(Span<byte> destination, int parameterBytes)
    {
        Magic.CopyTo(destination);
        destination[4] = Version;
        destination[5] = (byte)Kind;
        BinaryPrimitives.WriteUInt16LittleEndian(destination[6..], Size);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], RunKey);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[16..], LayoutKey);
        BinaryPrimitives.WriteInt32LittleEndian(destination[20..], Round);
        BinaryPrimitives.WriteInt32LittleEndian(destination[24..], Client);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[28..], checked((ushort)Segment));
        BinaryPrimitives.WriteUInt16LittleEndian(destination[30..], checked((ushort)Segments));
        BinaryPrimitives.WriteInt32LittleEndian(destination[32..], BaseVersion);
        BinaryPrimitives.WriteInt32LittleEndian(destination[36..], parameterBytes);
    }

    /// <summary>Reads and checks the fixed part and the checksum of the head, which is the header and the parameters.</summary>
    /// <returns>The header, and where the parameters are, after fields that this reader does not know; the checksum follows them.</returns>
    /// <exception cref="FrameException">Not a frame, one of another version, or one whose head has changed.</exception>
    internal static (FrameHeader Header, Range Parameters) Read(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < Size + sizeof(uint)) throw new FrameException("length", $"at least {Size + sizeof(uint)} bytes", $"{frame.Length}");
        if (!frame.StartsWith(Magic)) throw new FrameException("magic", "'ECLF'", Convert.ToHexString(frame[..4]));
        if (frame[4] != Version) throw new FrameException("version", $"{Version}", $"{frame[4]}");
        if (frame[5] > (byte)FrameKind.Stack) throw new FrameException("kind", "0 to 2", $"{frame[5]}");
        int size = BinaryPrimitives.ReadUInt16LittleEndian(frame[6..]), most = frame.Length - sizeof(uint);
        if (size < Size || size > most) throw new FrameException("header length", $"{Size} to {most}", $"{size}");
        uint parameters = BinaryPrimitives.ReadUInt32LittleEndian(frame[36..]);
        if (parameters > most - size) throw new FrameException("parameter length", $"at most {most - size}", $"{parameters}");
        int end = size + (int)parameters;
        uint stated = BinaryPrimitives.ReadUInt32LittleEndian(frame[end..]), found = Crc32C.Of(frame[..end]);
        if (stated != found) throw new FrameException("checksum", $"{stated:x8}", $"{found:x8}");
        var header = new FrameHeader(
            (FrameKind)frame[5],
            BinaryPrimitives.ReadUInt64LittleEndian(frame[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(frame[20..]),
            BinaryPrimitives.ReadInt32LittleEndian(frame[24..]),
            BinaryPrimitives.ReadUInt16LittleEndian(frame[28..]),
            BinaryPrimitives.ReadUInt16LittleEndian(frame[30..]),
            BinaryPrimitives.ReadInt32LittleEndian(frame[32..]),
            BinaryPrimitives.ReadUInt32LittleEndian(frame[16..]));
        header.Check();
        return (header, size..end);
    }

    private static ReadOnlySpan<byte> Magic => "ECLF"u8;

    private void Check()
    {
        if (Round < 0) throw new FrameException("round", "0 or more", $"{Round}");
        if (BaseVersion < 0) throw new FrameException("base version", "0 or more", $"{BaseVersion}");
        if (Segments < 1 || Segment >= Segments) throw new FrameException("segment", $"0 to {Segments - 1}", $"{Segment}");
        bool fromAggregator = Client == Aggregator;
        if (Kind != FrameKind.Segment && (!fromAggregator || Segments != 1))
            throw new FrameException("sender of a global change", "the aggregator, one segment", $"client {Client}, {Segments} segments");
        if (Kind == FrameKind.Segment && Client < 0) throw new FrameException("client", "0 or more", $"{Client}");
    }
}

/// <summary>Bytes that are not the frame that was expected.</summary>
/// <param name="field">Which part of the frame.</param>
/// <param name="expected">What was expected there.</param>
/// <param name="found">What was found.</param>
public sealed class FrameException(string field, string expected, string found) : FormatException($"frame: {field}: expected {expected}, found {found}")
{
    /// <summary>Which part of the frame, a small fixed vocabulary that can label a counter.</summary>
    public string Field { get; } = field;
}
