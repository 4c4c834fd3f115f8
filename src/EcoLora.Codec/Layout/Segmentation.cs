namespace EcoLora.Codec;

/// <summary>A part of the LoRA vector: entries [<paramref name="Start"/>, <paramref name="End"/>).</summary>
public readonly record struct SegmentRange(int Start, int End)
{
    /// <summary>Number of entries.</summary>
    public int Length => End - Start;
}

/// <summary>A contiguous piece of one tensor inside a segment.</summary>
/// <param name="Tensor">The tensor.</param>
/// <param name="Start">First entry, counted from the start of the segment.</param>
/// <param name="Length">Number of entries.</param>
public readonly record struct SegmentPiece(LoraTensor Tensor, int Start, int Length);

/// <summary>How the LoRA vector is cut into N_s equal segments; a cut may run through a tensor (method.md, step 4).</summary>
public static class Segmentation
{
    /// <summary>Segment s = [⌊s·|P|/N_s⌋, ⌊(s+1)·|P|/N_s⌋).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The segment is not one of N_s, or N_s is not in 1..|P|.</exception>
    public static SegmentRange Range(int segment, int segments, int length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(segments, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(segments, length);
        ArgumentOutOfRangeException.ThrowIfNegative(segment);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(segment, segments);
        return new SegmentRange((int)((long)segment * length / segments), (int)((long)(segment + 1) * length / segments));
    }

    /// <summary>The pieces of tensors of one role inside the range, in order.</summary>
    public static IEnumerable<SegmentPiece> Pieces(LoraLayout layout, SegmentRange range, LoraRole role)
    {
        foreach (LoraTensor tensor in layout.Tensors)
        {
            if (tensor.Role != role) continue;
            int start = Math.Max(tensor.Offset, range.Start), end = Math.Min(tensor.End, range.End);
            if (start < end) yield return new SegmentPiece(tensor, start - range.Start, end - start);
        }
    }

    /// <summary>Number of entries of one role inside the range.</summary>
    public static int CountOf(LoraLayout layout, SegmentRange range, LoraRole role) => Pieces(layout, range, role).Sum(piece => piece.Length);
}
