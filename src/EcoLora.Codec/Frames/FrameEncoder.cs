using System.Buffers.Binary;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>How a segment is compressed.</summary>
/// <param name="KeepA">Kept fraction k of the segment's A entries, in (0, 1].</param>
/// <param name="KeepB">Kept fraction k of the segment's B entries, in (0, 1].</param>
/// <param name="Values">How kept values are written.</param>
public sealed record Compression(double KeepA, double KeepB, ValueMode Values);

/// <summary>Sparsifies, rounds and codes one segment (method.md, steps 5 to 7).</summary>
public static class FrameEncoder
{
    /// <summary>
    /// Encodes <paramref name="change"/> (Δ + ρR of the segment) and splits it exactly: <paramref name="sent"/> is what the receiver will decode,
    /// <paramref name="residual"/> = change − sent is what it will not. The subtraction is exact in binary32, since sent is change rounded to
    /// fewer bits, or zero, or change itself.
    /// </summary>
    /// <param name="header">The frame's identity; its range in <paramref name="layout"/> is the segment.</param>
    /// <param name="layout">Layout of the exchanged vector.</param>
    /// <param name="change">[segment] finite numbers.</param>
    /// <param name="compression">Fractions and value mode.</param>
    /// <param name="sent">[segment] receives the decoded values, zero where nothing is sent.</param>
    /// <param name="residual">[segment] receives change − sent; may be the same memory as <paramref name="change"/>.</param>
    /// <returns>The frame.</returns>
    /// <exception cref="ArgumentException">A length that differs from the segment's, or a value that is not finite, named by tensor and index.</exception>
    public static byte[] Encode(FrameHeader header, LoraLayout layout, ReadOnlySpan<float> change, Compression compression, Span<float> sent,
        Span<float> residual)
    {
        SegmentRange range = header.Range(layout.Length);
        if (change.Length != range.Length || sent.Length != range.Length || residual.Length != range.Length)
            throw new ArgumentException($"{header}: expected {range.Length} entries, found {change.Length}, {sent.Length} and {residual.Length}");
        CheckFinite(layout, range, change);
        sent.Clear();
        byte[] sectionA = EncodeRole(layout, range, LoraRole.A, change, compression.KeepA, compression.Values, sent);
        byte[] sectionB = EncodeRole(layout, range, LoraRole.B, change, compression.KeepB, compression.Values, sent);
        for (int i = 0; i < residual.Length; i++) residual[i] = change[i] - sent[i];

        byte[] frame = new byte[FrameHeader.Size + sectionA.Length + sectionB.Length + sizeof(uint)];
        header.Write(frame);
        sectionA.CopyTo(frame, FrameHeader.Size);
        sectionB.CopyTo(frame, FrameHeader.Size + sectionA.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(^sizeof(uint)), Crc32C.Of(frame.AsSpan(..^sizeof(uint))));
        return frame;
    }

    /// <summary>Finds the first value that is not finite.</summary>
    /// <exception cref="ArgumentException">There is one: its tensor and index in the tensor are named.</exception>
    private static void CheckFinite(LoraLayout layout, SegmentRange range, ReadOnlySpan<float> change)
    {
        for (int i = 0; i < change.Length; i++)
        {
            if (float.IsFinite(change[i])) continue;
            int index = range.Start + i;
            LoraTensor tensor = layout.Tensors.First(t => index < t.End);
            throw new ArgumentException($"{tensor.Module}.lora_{tensor.Role}[{index - tensor.Offset}]: expected a finite number, found {change[i]}");
        }
    }

    private static byte[] EncodeRole(LoraLayout layout, SegmentRange range, LoraRole role, ReadOnlySpan<float> change, double fraction, ValueMode mode,
        Span<float> sent)
    {
        float[] values = Gather(layout, range, role, change);
        int[] kept = new int[TopK.CountFor(fraction, values.Length)];
        TopK.Select(values, kept.Length, kept);
        sbyte scale = SectionValues.ScaleFor(values, mode);
        float[] rounded = new float[values.Length];
        int count = 0;
        foreach (int index in kept)
        {
            rounded[index] = SectionValues.Round(values[index], mode, scale);
            // A value that rounds to zero tells the receiver nothing, unless all entries travel without positions.
            if (rounded[index] != 0 || kept.Length == values.Length) kept[count++] = index;
            else rounded[index] = 0; // A negative zero that is dropped is decoded as zero.
        }
        Scatter(layout, range, role, rounded, sent);
        return WriteSection(role, mode, scale, kept.AsSpan(0, count), rounded);
    }

    private static byte[] WriteSection(LoraRole role, ValueMode mode, sbyte scale, ReadOnlySpan<int> kept, ReadOnlySpan<float> values)
    {
        bool all = kept.Length == values.Length;
        int parameter = GolombPositions.ParameterFor(kept.Length, values.Length);
        byte[] positions = all ? [] : new byte[GolombPositions.MaximumBytes(kept.Length, values.Length, parameter)];
        int positionBytes = all ? 0 : GolombPositions.Encode(kept, parameter, positions);
        var section = new FrameSection(role, mode, all ? PositionMode.All : PositionMode.Golomb, scale, parameter, kept.Length, positionBytes);
        byte[] bytes = new byte[FrameSection.HeaderSize + positionBytes + section.ValueBytes];
        section.Write(bytes);
        positions.AsSpan(0, positionBytes).CopyTo(bytes.AsSpan(FrameSection.HeaderSize));
        Span<byte> destination = bytes.AsSpan(FrameSection.HeaderSize + positionBytes);
        float power = SectionValues.PowerOfTwo(scale);
        int width = FrameSection.Width(mode);
        for (int i = 0; i < kept.Length; i++) SectionValues.Write(values[kept[i]], mode, power, destination.Slice(i * width, width));
        return bytes;
    }

    private static float[] Gather(LoraLayout layout, SegmentRange range, LoraRole role, ReadOnlySpan<float> segment)
    {
        float[] values = new float[Segmentation.CountOf(layout, range, role)];
        int at = 0;
        foreach (SegmentPiece piece in Segmentation.Pieces(layout, range, role))
        {
            segment.Slice(piece.Start, piece.Length).CopyTo(values.AsSpan(at));
            at += piece.Length;
        }
        return values;
    }

    private static void Scatter(LoraLayout layout, SegmentRange range, LoraRole role, ReadOnlySpan<float> values, Span<float> segment)
    {
        int at = 0;
        foreach (SegmentPiece piece in Segmentation.Pieces(layout, range, role))
        {
            values.Slice(at, piece.Length).CopyTo(segment.Slice(piece.Start, piece.Length));
            at += piece.Length;
        }
    }
}
