using System.Buffers.Binary;
using System.Security.Cryptography;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>A received frame whose checksum and structure have been checked; its values are decoded on demand.</summary>
public sealed class Frame
{
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly LoraLayout _layout;
    private readonly int _bodyOffset;
    private readonly FrameSection _a, _b;

    private Frame(ReadOnlyMemory<byte> bytes, LoraLayout layout, FrameHeader header, int bodyOffset, FrameSection a, FrameSection b)
    {
        (_bytes, _layout, Header, _bodyOffset, _a, _b) = (bytes, layout, header, bodyOffset, a, b);
        Range = header.Range(layout.Length);
    }

    /// <summary>The frame's identity.</summary>
    public FrameHeader Header { get; }

    /// <summary>The entries that it covers.</summary>
    public SegmentRange Range { get; }

    /// <summary>The sizes that the ledger records.</summary>
    public FrameSizes Sizes
    {
        get
        {
            int entriesA = Segmentation.CountOf(_layout, Range, LoraRole.A), entriesB = Range.Length - entriesA;
            int width = FrameSection.Width(_a.Values);
            long kept = (long)_a.Kept + _b.Kept;
            return new FrameSizes(entriesA, _a.Kept, entriesB, _b.Kept, (long)Range.Length * width, kept * (width + sizeof(int)),
                (long)_a.PositionBytes + _b.PositionBytes + _a.ValueBytes + _b.ValueBytes, _bytes.Length);
        }
    }

    /// <summary>What a closing message names: the first 16 bytes of SHA-256 over the frame, in hexadecimal.</summary>
    public static string DigestOf(ReadOnlySpan<byte> frame) => Convert.ToHexStringLower(SHA256.HashData(frame)[..16]);

    /// <summary>Reads only the identity, for a receiver that does not know the run's layout.</summary>
    /// <exception cref="FrameException">Not a frame, or one whose checksum is wrong.</exception>
    public static FrameHeader ReadHeader(ReadOnlySpan<byte> bytes)
    {
        (FrameHeader header, _) = FrameHeader.Read(bytes);
        uint stated = BinaryPrimitives.ReadUInt32LittleEndian(bytes[^sizeof(uint)..]), found = Crc32C.Of(bytes[..^sizeof(uint)]);
        if (stated != found) throw new FrameException("checksum", $"{stated:x8}", $"{found:x8}");
        return header;
    }

    /// <summary>Checks the checksum, the identity's layout and every section's structure and values; nothing that the bytes say is trusted before.</summary>
    /// <param name="bytes">The frame; kept, not copied.</param>
    /// <param name="layout">Layout of the exchanged vector.</param>
    /// <exception cref="FrameException">The bytes are not a whole frame of this layout.</exception>
    public static Frame Read(ReadOnlyMemory<byte> bytes, LoraLayout layout)
    {
        ReadOnlySpan<byte> span = bytes.Span;
        FrameHeader header = ReadHeader(span);
        if (header.LayoutKey != (uint)layout.Fingerprint) throw new FrameException("layout", $"{(uint)layout.Fingerprint:x8}", $"{header.LayoutKey:x8}");
        if (header.Segments > layout.Length) throw new FrameException("segments", $"at most {layout.Length}", $"{header.Segments}");
        SegmentRange range = header.Range(layout.Length);
        int bodyOffset = FrameHeader.Read(span).BodyOffset;
        ReadOnlySpan<byte> body = span[bodyOffset..^sizeof(uint)];
        int entriesA = Segmentation.CountOf(layout, range, LoraRole.A);
        FrameSection a = FrameSection.Read(body, LoraRole.A, entriesA);
        ReadOnlySpan<byte> rest = body[(FrameSection.HeaderSize + a.PositionBytes + a.ValueBytes)..];
        FrameSection b = FrameSection.Read(rest, LoraRole.B, range.Length - entriesA);
        int left = rest.Length - FrameSection.HeaderSize - b.PositionBytes - b.ValueBytes;
        if (left != 0) throw new FrameException("length", "nothing after section B", $"{left} bytes");
        if (a.Values != b.Values) throw new FrameException("value mode", "one for both sections", $"{a.Values} and {b.Values}");
        var frame = new Frame(bytes, layout, header, bodyOffset, a, b);
        frame.Visit(new ValueCheck());
        return frame;
    }

    /// <summary>Writes the decoded segment, zero where nothing was kept.</summary>
    /// <param name="destination">[segment].</param>
    public void Decode(Span<float> destination)
    {
        destination.Clear();
        Visit(new ValueCopy(destination));
    }

    /// <summary>Adds weight × value into double sums of the segment (Eq. 2), without a dense copy.</summary>
    /// <param name="weight">w_i.</param>
    /// <param name="sums">[segment].</param>
    public void Accumulate(double weight, Span<double> sums) => Visit(new ValueSum(weight, sums));

    private interface IVisitor
    {
        /// <summary>One kept value and its index in the segment.</summary>
        void Visit(int index, float value);
    }

    private readonly struct ValueCheck : IVisitor
    {
        public void Visit(int index, float value)
        {
            if (!float.IsFinite(value)) throw new FrameException("value", "a finite number", $"{value} at {index}");
        }
    }

    private readonly ref struct ValueCopy(Span<float> destination) : IVisitor
    {
        private readonly Span<float> _destination = destination;

        public void Visit(int index, float value) => _destination[index] = value;
    }

    private readonly ref struct ValueSum(double weight, Span<double> sums) : IVisitor
    {
        private readonly Span<double> _sums = sums;

        public void Visit(int index, float value) => _sums[index] += weight * value;
    }

    private void Visit<TVisitor>(TVisitor visitor)
        where TVisitor : IVisitor, allows ref struct
    {
        ReadOnlySpan<byte> body = _bytes.Span[_bodyOffset..^sizeof(uint)];
        VisitSection(body, _a, visitor);
        VisitSection(body[(FrameSection.HeaderSize + _a.PositionBytes + _a.ValueBytes)..], _b, visitor);
    }

    private void VisitSection<TVisitor>(ReadOnlySpan<byte> body, FrameSection section, TVisitor visitor)
        where TVisitor : IVisitor, allows ref struct
    {
        int entries = Segmentation.CountOf(_layout, Range, section.Role), width = FrameSection.Width(section.Values);
        ReadOnlySpan<byte> values = body.Slice(FrameSection.HeaderSize + section.PositionBytes, section.ValueBytes);
        float inverse = SectionValues.PowerOfTwo(-section.ScaleExponent);
        int[]? kept = section.Positions == PositionMode.All ? null : new int[section.Kept];
        if (kept is not null && !GolombPositions.TryDecode(body.Slice(FrameSection.HeaderSize, section.PositionBytes), section.GolombParameter, entries, kept))
            throw new FrameException("positions", $"{section.Kept} ascending indexes below {entries}", "others");
        int next = 0, passed = 0;
        foreach (SegmentPiece piece in Segmentation.Pieces(_layout, Range, section.Role))
        {
            // Indexes count the role's entries of the segment; a piece maps them to its place in the segment.
            for (; next < section.Kept; next++)
            {
                int index = (kept is null ? next : kept[next]) - passed;
                if (index >= piece.Length) break;
                visitor.Visit(piece.Start + index, SectionValues.Read(values.Slice(next * width, width), section.Values, inverse));
            }
            passed += piece.Length;
        }
    }
}

/// <summary>The sizes of a frame, stage by stage (docs/ledger.md).</summary>
/// <param name="EntriesA">A entries of the segment.</param>
/// <param name="KeptA">Of these, kept.</param>
/// <param name="EntriesB">B entries of the segment.</param>
/// <param name="KeptB">Of these, kept.</param>
/// <param name="Segment">Bytes of the segment's entries at the frame's value width.</param>
/// <param name="Sparse">Kept entries × (value width + a 4-byte index).</param>
/// <param name="Coded">Coded positions and values.</param>
/// <param name="Framed">The whole frame.</param>
public sealed record FrameSizes(int EntriesA, int KeptA, int EntriesB, int KeptB, long Segment, long Sparse, long Coded, long Framed);
