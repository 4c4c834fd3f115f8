using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace EcoLora.Codec;

/// <summary>
/// A received frame whose head has been checked. Its chunks are checked when they are read, each one whole before any of its values is used; a frame that
/// comes from outside is measured or decoded first, and summed only then.
/// </summary>
public sealed class Frame
{
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly int[] _offsets;

    private Frame(ReadOnlyMemory<byte> bytes, LoraLayout layout)
    {
        ReadOnlySpan<byte> span = bytes.Span;
        _bytes = bytes;
        (Header, Range parameters) = FrameHeader.Read(span);
        if (Header.Kind == FrameKind.Stack) throw new FrameException("kind", "a segment or a global change", $"{Header}");
        if (Header.LayoutKey != (uint)layout.Fingerprint) throw new FrameException("layout", $"{(uint)layout.Fingerprint:x8}", $"{Header.LayoutKey:x8}");
        if (Header.Segments > layout.MostSegments) throw new FrameException("segments", $"at most {layout.MostSegments}", $"{Header.Segments}");
        Range = Header.Range(layout);
        FieldReader reader = ReadIndex(span, parameters, out ValueMode mode, out _offsets);
        Values = mode;
        foreach ((SectionParameters section, LoraRole role) in ((SectionParameters, LoraRole)[])[(A, LoraRole.A), (B, LoraRole.B)])
        {
            section.Set(layout, Range, role);
            section.Read(ref reader, mode);
        }
        if (reader.Left != 0) throw new FrameException("parameters", "their end", $"{reader.Left} more bytes");
        if (Chunks != A.Chunks + B.Chunks) throw new FrameException("chunks", $"{A.Chunks + B.Chunks}", $"{Chunks}");
    }

    /// <summary>The frame's identity.</summary>
    public FrameHeader Header { get; }

    /// <summary>The entries that it covers.</summary>
    public SegmentRange Range { get; }

    /// <summary>How its values are written.</summary>
    public ValueMode Values { get; }

    /// <summary>Number of chunks.</summary>
    public int Chunks => _offsets.Length - 1;

    /// <summary>The whole frame, as it came.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes;

    internal SectionParameters A { get; } = new();

    internal SectionParameters B { get; } = new();

    /// <summary>What a closing message names: the first 16 bytes of SHA-256 over the frame, in hexadecimal.</summary>
    public static string DigestOf(ReadOnlySpan<byte> frame) => Convert.ToHexStringLower(SHA256.HashData(frame)[..16]);

    /// <summary>Checks every checksum and reads the identity, for a receiver that does not know the run's layout.</summary>
    /// <exception cref="FrameException">Not a frame, a head or a chunk that has changed, or another length than the head says.</exception>
    public static FrameHeader ReadHeader(ReadOnlySpan<byte> bytes)
    {
        (FrameHeader header, Range parameters) = FrameHeader.Read(bytes);
        if (header.Kind == FrameKind.Stack)
        {
            StackFrame.Check(header, bytes, parameters);
            return header;
        }
        ReadIndex(bytes, parameters, out _, out int[] offsets);
        for (int chunk = 0; chunk + 1 < offsets.Length; chunk++) ChunkDecoder.CheckSum(bytes[offsets[chunk]..offsets[chunk + 1]]);
        return header;
    }

    /// <summary>Checks the head: identity, layout, parameters, and the place of every chunk. Nothing that the bytes say is trusted before.</summary>
    /// <param name="bytes">The frame; kept, not copied.</param>
    /// <param name="layout">Layout of the exchanged vector.</param>
    /// <exception cref="FrameException">The bytes are not a frame of this layout.</exception>
    public static Frame Open(ReadOnlyMemory<byte> bytes, LoraLayout layout) => new(bytes, layout);

    /// <summary>Checks every chunk and counts what the ledger records.</summary>
    /// <exception cref="FrameException">A chunk is not whole or not valid.</exception>
    public FrameSizes Measure(CodecExecution execution = default)
    {
        FrameReader reader = Pool<FrameReader>.Rent();
        try
        {
            return reader.Measure(this, execution);
        }
        finally
        {
            Pool<FrameReader>.Return(reader);
        }
    }

    /// <summary>Writes the decoded segment, zero where nothing was kept.</summary>
    /// <param name="destination">[segment]; not defined when the call fails.</param>
    /// <param name="execution">Threads and code path.</param>
    /// <exception cref="FrameException">A chunk is not whole or not valid.</exception>
    public void Decode(Span<float> destination, CodecExecution execution = default)
    {
        CheckLength(destination.Length);
        FrameReader reader = Pool<FrameReader>.Rent();
        try
        {
            reader.Decode(this, destination, execution);
        }
        finally
        {
            Pool<FrameReader>.Return(reader);
        }
    }

    /// <summary>Writes the decoded segment in binary16, for a frame that was made of binary16 numbers.</summary>
    /// <param name="destination">[segment]; not defined when the call fails.</param>
    /// <param name="execution">Threads and code path.</param>
    /// <exception cref="FrameException">A chunk is not whole or not valid.</exception>
    /// <exception cref="InvalidOperationException">The values are not binary16 numbers without a scale.</exception>
    public void Decode(Span<Half> destination, CodecExecution execution = default)
    {
        CheckLength(destination.Length);
        if (Values != ValueMode.Fp16 || A.ScaleExponent != 0 || B.ScaleExponent != 0)
            throw new InvalidOperationException(
                $"{Header}: expected FP16 values without a scale, found {Values}, scales 2^{-A.ScaleExponent} and 2^{-B.ScaleExponent}");
        FrameReader reader = Pool<FrameReader>.Rent();
        try
        {
            reader.Decode(this, MemoryMarshal.Cast<Half, ushort>(destination), execution);
        }
        finally
        {
            Pool<FrameReader>.Return(reader);
        }
    }

    /// <summary>Adds weight × value into double sums of the segment (Eq. 2), without a dense copy.</summary>
    /// <param name="weight">w_i.</param>
    /// <param name="sums">[segment]; not defined when the call fails.</param>
    /// <param name="execution">Threads and code path.</param>
    /// <exception cref="FrameException">A chunk is not whole or not valid.</exception>
    public void Accumulate(double weight, Span<double> sums, CodecExecution execution = default)
    {
        CheckLength(sums.Length);
        FrameReader reader = Pool<FrameReader>.Rent();
        try
        {
            reader.Accumulate(this, weight, sums, execution);
        }
        finally
        {
            Pool<FrameReader>.Return(reader);
        }
    }

    /// <summary>A chunk's bytes, and how many from its start on may be touched.</summary>
    internal ReadOnlySpan<byte> Chunk(int chunk, out int readable)
    {
        readable = _bytes.Length - _offsets[chunk];
        return _bytes.Span[_offsets[chunk].._offsets[chunk + 1]];
    }

    /// <summary>Bytes of all chunks and of the whole frame.</summary>
    internal (int Coded, int Framed) Lengths => (_offsets[^1] - _offsets[0], _bytes.Length);

    private static FieldReader ReadIndex(ReadOnlySpan<byte> frame, Range parameters, out ValueMode mode, out int[] offsets)
    {
        var reader = new FieldReader(frame[parameters]);
        int modes = reader.Byte("value mode");
        if (modes > (int)ValueMode.Sign) throw new FrameException("value mode", $"0 to {(int)ValueMode.Sign}", $"{modes}");
        mode = (ValueMode)modes;
        int chunks = reader.Varint("chunks", 1, reader.Left / sizeof(uint));
        ReadOnlySpan<byte> lengths = reader.Take("chunks", chunks * (long)sizeof(uint));
        offsets = new int[chunks + 1];
        long at = parameters.End.Value + sizeof(uint);
        for (int chunk = 0; chunk < chunks; chunk++)
        {
            offsets[chunk] = (int)at;
            at += BinaryPrimitives.ReadUInt32LittleEndian(lengths[(chunk * sizeof(uint))..]);
            if (at > frame.Length) break;
        }
        if (at != frame.Length) throw new FrameException("length", $"{at} bytes", $"{frame.Length}");
        offsets[chunks] = frame.Length;
        return reader;
    }

    private void CheckLength(int length)
    {
        if (length != Range.Length) throw new ArgumentException($"{Header}: expected {Range.Length} entries, found {length}");
    }
}

/// <summary>The sizes of a frame, stage by stage (docs/ledger.md).</summary>
/// <param name="EntriesA">A entries of the segment.</param>
/// <param name="KeptA">Of these, kept.</param>
/// <param name="EntriesB">B entries of the segment.</param>
/// <param name="KeptB">Of these, kept.</param>
/// <param name="Segment">Bytes of the segment's entries at the frame's value width.</param>
/// <param name="Sparse">Kept entries × (value width + a 4-byte index).</param>
/// <param name="Golomb">Chunks with the same entries, had they been coded as the paper does: Golomb positions, values as they are.</param>
/// <param name="Coded">Chunks as they are.</param>
/// <param name="Framed">The whole frame.</param>
public sealed record FrameSizes(int EntriesA, int KeptA, int EntriesB, int KeptB, long Segment, long Sparse, long Golomb, long Coded, long Framed);
