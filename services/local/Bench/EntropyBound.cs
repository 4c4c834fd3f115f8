namespace EcoLora.Local.Bench;

/// <summary>
/// What a code of independent positions, tokens and 8 raw bits does not go below, in bits per kept entry: entropy of the positions, entropy of the token (the
/// high byte of <see cref="PeerPlanes.Distance"/>), and 8.
/// </summary>
internal static class EntropyBound
{
    private const int Classes = 16, Tokens = 256, RawBits = 8;

    /// <summary>One density for all: H(p)/p + H(token) + 8.</summary>
    public static double Of(SparseUpdate update) => Bits(update, _ => 0);

    /// <summary>
    /// Each block of 1024 entries has one of 16 density classes, ⌊ln(p/(1−p))⌋ between −8 and 7, which the receiver knows for free: the entropies given the
    /// class.
    /// </summary>
    public static double OfClasses(SparseUpdate update) => Bits(update, ClassOf);

    private static double Bits(SparseUpdate update, Func<ReadOnlySpan<Half>, int> classOf)
    {
        if (update.Kept == 0) return 0;
        long[] entries = new long[Classes];
        long[][] tokens = [.. Enumerable.Range(0, Classes).Select(_ => new long[Tokens])];
        ReadOnlySpan<Half> values = update.Values.Span;
        for (int start = 0; start < values.Length; start += SparseUpdate.Block)
        {
            ReadOnlySpan<Half> block = values[start..Math.Min(start + SparseUpdate.Block, values.Length)];
            int classIndex = classOf(block);
            entries[classIndex] += block.Length;
            foreach (Half value in block)
                if (value != Half.Zero) tokens[classIndex][PeerPlanes.Distance(value, update.Smallest) >> 8]++;
        }
        double bits = 0;
        for (int i = 0; i < Classes; i++)
        {
            long kept = tokens[i].Sum();
            bits += Entropy([kept, entries[i] - kept]) + Entropy(tokens[i]) + RawBits * kept;
        }
        return bits / update.Kept;
    }

    private static int ClassOf(ReadOnlySpan<Half> block)
    {
        int kept = SparseUpdate.CountOf(block);
        double logit = Math.Log((kept + 0.5) / (block.Length - kept + 0.5));
        return Math.Clamp((int)Math.Floor(logit) + Classes / 2, 0, Classes - 1);
    }

    /// <summary>Bits that an ideal code spends on all symbols: Σ n·log2(total/n).</summary>
    private static double Entropy(ReadOnlySpan<long> counts)
    {
        long total = 0;
        foreach (long count in counts) total += count;
        double bits = 0;
        foreach (long count in counts)
            if (count > 0) bits += count * Math.Log2((double)total / count);
        return bits;
    }
}
