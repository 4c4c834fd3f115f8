using System.Buffers;
using System.Runtime.InteropServices;

namespace EcoLora.Codec;

/// <summary>Sparsifies, rounds and codes one segment (method.md, steps 5 to 7). Nothing is allocated in the steady state.</summary>
public static class FrameEncoder
{
    /// <summary>Bytes that a frame of this identity takes at most.</summary>
    /// <param name="header">The frame's identity; its range in <paramref name="layout"/> is the segment.</param>
    /// <param name="layout">Layout of the exchanged vector.</param>
    /// <param name="values">How kept values are written.</param>
    public static int MaximumSize(FrameHeader header, LoraLayout layout, ValueMode values)
    {
        SegmentRange range = header.Range(layout);
        long bytes = FrameHeader.Size + 16 + (range.Length * (long)ValueFormat.RawBits(values, all: true) + 7) / 8 + range.Length / 8;
        bytes += 2L * (8 + 80) + 80L * (range.Length / (FrameWriter.LeastBlocks * Planes.Block));
        if (ValueFormat.HasSteps(values))
            foreach (LoraTensor tensor in layout.Tensors)
                if (tensor.Offset < range.End && tensor.End > range.Start)
                    bytes += sizeof(ushort);
        return checked((int)bytes);
    }

    /// <summary>Bytes within which a frame of this identity can always be written, since of each role a single entry may be all that is kept.</summary>
    /// <inheritdoc cref="MaximumSize"/>
    public static int LeastSize(FrameHeader header, LoraLayout layout, ValueMode values)
    {
        SegmentRange range = header.Range(layout);
        long bytes = FrameHeader.Size + sizeof(uint) + 16;
        foreach (LoraRole role in Enum.GetValues<LoraRole>())
        {
            var entries = new SectionEntries();
            entries.Set(layout, range, role);
            bytes += 8 + (ValueFormat.HasSteps(values) ? sizeof(ushort) * entries.Pieces.Length : 0)
                + (sizeof(uint) + 48L) * ((entries.Count + ChunkFormat.MaximumEntries - 1) / ChunkFormat.MaximumEntries);
        }
        return checked((int)bytes);
    }

    /// <summary>
    /// Encodes <paramref name="change"/> (Δ + ρR of the segment) and leaves in its place what the receiver will not have: the residual R_new = change −
    /// sent. The subtraction is exact in binary32, except that for signs it is rounded to nearest.
    /// </summary>
    /// <param name="header">The frame's identity; its range in <paramref name="layout"/> is the segment.</param>
    /// <param name="layout">Layout of the exchanged vector.</param>
    /// <param name="change">[segment] finite numbers; receives the residual. Not touched when the call fails.</param>
    /// <param name="compression">Fractions, value mode and coding.</param>
    /// <param name="destination">At least <see cref="MaximumSize"/> bytes; receives the frame.</param>
    /// <param name="execution">Threads and code path.</param>
    /// <returns>The frame's length.</returns>
    /// <exception cref="ArgumentException">A length that differs from the segment's, or a value that is not finite, named by tensor and index.</exception>
    public static int Encode(FrameHeader header, LoraLayout layout, Span<float> change, Compression compression, Span<byte> destination,
        CodecExecution execution = default)
    {
        FrameWriter writer = Pool<FrameWriter>.Rent();
        try
        {
            return writer.Write(header, layout, change, compression, destination, execution);
        }
        finally
        {
            Pool<FrameWriter>.Return(writer);
        }
    }

    /// <summary>Encodes a segment that is sparse and in binary16 already: exactly these values, except that zeros are not sent.</summary>
    /// <param name="header">The frame's identity; its range in <paramref name="layout"/> is the segment.</param>
    /// <param name="layout">Layout of the exchanged vector.</param>
    /// <param name="values">[segment] finite numbers.</param>
    /// <param name="coding">How positions and values are coded.</param>
    /// <param name="destination">At least <see cref="MaximumSize"/> bytes for <see cref="ValueMode.Fp16"/>; receives the frame.</param>
    /// <param name="execution">Threads and code path.</param>
    /// <returns>The frame's length.</returns>
    /// <exception cref="ArgumentException">A length that differs from the segment's, or a value that is not finite, named by tensor and index.</exception>
    public static int Encode(FrameHeader header, LoraLayout layout, ReadOnlySpan<Half> values, LosslessCoding coding, Span<byte> destination,
        CodecExecution execution = default)
    {
        FrameWriter writer = Pool<FrameWriter>.Rent();
        try
        {
            return writer.Write(header, layout, MemoryMarshal.Cast<Half, ushort>(values), coding, destination, execution);
        }
        finally
        {
            Pool<FrameWriter>.Return(writer);
        }
    }

    /// <summary>Encodes into an array of at most so many bytes: where the fractions come to more, smaller ones are taken.</summary>
    /// <param name="header">The frame's identity; its range in <paramref name="layout"/> is the segment.</param>
    /// <param name="layout">Layout of the exchanged vector.</param>
    /// <param name="change">[segment] finite numbers; receives the residual.</param>
    /// <param name="compression">Fractions at most, value mode and coding.</param>
    /// <param name="mostBytes">At least <see cref="LeastSize"/>; null for no limit.</param>
    /// <exception cref="ArgumentException">As above, or a limit within which no frame can be written; then the change is as it was.</exception>
    public static byte[] EncodeWithin(FrameHeader header, LoraLayout layout, Span<float> change, Compression compression, int? mostBytes)
    {
        float[] before = mostBytes is null ? [] : change.ToArray();
        while (true)
        {
            byte[] frame = Encode(header, layout, change, compression);
            if (mostBytes is not { } most || frame.Length <= most) return frame;
            before.CopyTo(change);
            if (compression.KeepA * layout.Length < 1 && compression.KeepB * layout.Length < 1)
                throw new ArgumentException($"{header}: expected room for {frame.Length} bytes, found {most}", nameof(mostBytes));
            double share = Math.Min(0.95, (double)most / frame.Length);
            compression = compression with { KeepA = compression.KeepA * share, KeepB = compression.KeepB * share };
        }
    }

    /// <summary>Encodes into an array of the frame's length.</summary>
    /// <inheritdoc cref="Encode(FrameHeader, LoraLayout, Span{float}, Compression, Span{byte}, CodecExecution)"/>
    public static byte[] Encode(FrameHeader header, LoraLayout layout, Span<float> change, Compression compression)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(MaximumSize(header, layout, compression.Values));
        try
        {
            return buffer[..Encode(header, layout, change, compression, buffer)];
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
