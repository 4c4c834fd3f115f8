using System.Runtime.InteropServices;

namespace EcoLora.Codec;

/// <summary>Exact top-k by magnitude (method.md, step 5). Ties go to the lower index, so that k is exact and the choice is the same everywhere.</summary>
public static class TopK
{
    private const int LowBits = 16;

    /// <summary>How many of <paramref name="entries"/> a kept fraction k means: k·n to the nearest integer, at least 1 (0 of 0).</summary>
    /// <exception cref="ArgumentOutOfRangeException">k is not in (0, 1].</exception>
    public static int CountFor(double fraction, int entries)
    {
        if (!(fraction > 0 && fraction <= 1)) throw new ArgumentOutOfRangeException(nameof(fraction), fraction, "k must be in (0, 1]");
        return entries == 0 ? 0 : Math.Clamp((int)Math.Round(fraction * entries, MidpointRounding.AwayFromZero), 1, entries);
    }

    /// <summary>
    /// Writes the ascending indexes of the <paramref name="keep"/> entries of largest magnitude. Two counting passes over the magnitude's bits
    /// (high 15, then low 16) find the exact threshold in O(n).
    /// </summary>
    /// <param name="values">Finite numbers; the caller has checked.</param>
    /// <param name="keep">How many, 0..values.Length.</param>
    /// <param name="kept">At least <paramref name="keep"/> long.</param>
    public static void Select(ReadOnlySpan<float> values, int keep, Span<int> kept)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(keep);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(keep, values.Length);
        if (keep == 0) return;
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(values);
        (uint threshold, int ties) = Threshold(bits, keep);
        int count = 0;
        for (int i = 0; i < bits.Length; i++)
        {
            uint magnitude = bits[i] & 0x7FFF_FFFF;
            if (magnitude > threshold || (magnitude == threshold && ties-- > 0)) kept[count++] = i;
        }
    }

    /// <summary>The magnitude of rank <paramref name="keep"/> and how many entries that equal it are kept.</summary>
    private static (uint Threshold, int Ties) Threshold(ReadOnlySpan<uint> bits, int keep)
    {
        int[] counts = new int[1 << LowBits];
        foreach (uint value in bits) counts[(value & 0x7FFF_FFFF) >> LowBits]++;
        (int high, int wanted) = Rank(counts, keep);
        Array.Clear(counts);
        foreach (uint value in bits)
            if ((value & 0x7FFF_FFFF) >> LowBits == (uint)high)
                counts[value & 0xFFFF]++;
        (int low, int ties) = Rank(counts, wanted);
        return (((uint)high << LowBits) | (uint)low, ties);
    }

    /// <summary>The bucket that holds the rank, counted from the largest, and the rank inside it.</summary>
    private static (int Bucket, int Remaining) Rank(int[] counts, int rank)
    {
        int bucket = counts.Length - 1;
        for (; counts[bucket] < rank; bucket--) rank -= counts[bucket];
        return (bucket, rank);
    }
}
