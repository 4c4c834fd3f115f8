using System.Numerics;

namespace EcoLora.Codec;

/// <summary>Counts of symbols to frequencies that add up to 256, with the least cost Σ count·(8 − log2 f), by integers alone.</summary>
internal static class Frequencies
{
    private static readonly long[] _log2 = [.. Enumerable.Range(0, RansTable.Total + 2).Select(f => f == 0 ? 0 : FixedLog2.Of((ulong)f))];

    /// <summary>Bits, in units of <see cref="FixedLog2"/>, of coding the counted symbols.</summary>
    public static long Cost(ReadOnlySpan<long> counts, ReadOnlySpan<int> frequencies)
    {
        long cost = 0;
        for (int i = 0; i < counts.Length; i++)
            if (counts[i] > 0)
                cost += counts[i] * (8L * FixedLog2.One - _log2[frequencies[i]]);
        return cost;
    }

    /// <summary>The best frequencies with at least 1 for every symbol.</summary>
    /// <param name="counts">[1..64] at least one is positive.</param>
    /// <param name="frequencies">[same] receives them.</param>
    public static void Normalize(ReadOnlySpan<long> counts, Span<int> frequencies)
    {
        // Rare symbols get 1 each; what is left is shared among the others by their counts, then unit by unit.
        long rest = 0;
        foreach (long count in counts) rest += count;
        int left = RansTable.Total;
        frequencies.Clear();
        for (bool more = true; more;)
        {
            more = false;
            for (int i = 0; i < counts.Length; i++)
            {
                if (frequencies[i] != 0 || counts[i] * left > rest) continue;
                (frequencies[i], more) = (1, true);
                left--;
                rest -= counts[i];
            }
        }
        int sum = 0;
        for (int i = 0; i < counts.Length; i++) sum += frequencies[i] = frequencies[i] == 1 ? 1 : (int)Math.Max(1, (counts[i] * left + rest / 2) / rest);
        for (; sum < RansTable.Total; sum++) frequencies[Best(counts, frequencies, 1)]++;
        for (; sum > RansTable.Total; sum--) frequencies[Best(counts, frequencies, -1)]--;
    }

    /// <summary>The symbol whose frequency is best raised by one, or lowered by one at the least loss.</summary>
    private static int Best(ReadOnlySpan<long> counts, ReadOnlySpan<int> frequencies, int by)
    {
        int best = -1;
        long gain = long.MinValue;
        for (int i = 0; i < counts.Length; i++)
        {
            int f = frequencies[i];
            if (f + by < 1) continue;
            long change = counts[i] * (_log2[f + by] - _log2[f]);
            if (change > gain) (best, gain) = (i, change);
        }
        return best;
    }

    /// <summary>
    /// The best frequencies of nibbles that have one frequency per population: f1 to f4 as the format writes them. With <paramref name="zero"/> the rest
    /// of 256 belongs to nibble 0; otherwise it is at most 3 and goes to the nibbles 1, 2, 4, one each.
    /// </summary>
    /// <param name="counts">[5] nibbles of each population.</param>
    /// <param name="zero">Whether nibble 0 is a symbol.</param>
    /// <param name="levels">[4] receives f1 to f4.</param>
    public static void NormalizeNibbles(ReadOnlySpan<long> counts, bool zero, Span<int> levels)
    {
        ReadOnlySpan<int> sizes = [1, 4, 6, 4, 1];
        Span<int> f = [1, 1, 1, 1, 1];
        // Nearly what the counts ask for, then unit by unit.
        long total = zero ? counts[0] : 0;
        for (int c = 1; c < 5; c++) total += counts[c];
        int left = RansTable.Total;
        for (int c = zero ? 0 : 1; c < 5; c++)
        {
            if (total > 0) f[c] = (int)Math.Max(1, counts[c] * (RansTable.Total - 32) / (total * sizes[c]));
            left -= sizes[c] * f[c];
        }
        while (true)
        {
            int best = -1;
            long gain = -1;
            for (int c = zero ? 0 : 1; c < 5; c++)
            {
                if (sizes[c] > left) continue;
                long change = counts[c] * (_log2[f[c] + 1] - _log2[f[c]]) / sizes[c];
                if (change > gain) (best, gain) = (c, change);
            }
            // Without a nibble 0 the last units that are too few for any population but the fourth go to it only if that pays more.
            if (best < 0 || !zero && best == 4 && left < 4 && counts[1] > 4 * counts[4]) break;
            f[best]++;
            left -= sizes[best];
        }
        f[1..].CopyTo(levels);
    }

    /// <summary>The frequencies of the 16 nibbles that f1 to f4 mean.</summary>
    /// <returns>False when they do not add up to 256.</returns>
    public static bool OfNibbles(ReadOnlySpan<int> levels, bool zero, Span<int> frequencies)
    {
        int rest = RansTable.Total - (4 * levels[0] + 6 * levels[1] + 4 * levels[2] + levels[3]);
        if (rest < 0 || !zero && rest > 3) return false;
        frequencies[0] = zero ? rest : 0;
        for (int nibble = 1; nibble < 16; nibble++) frequencies[nibble] = levels[BitOperations.PopCount((uint)nibble) - 1];
        if (!zero)
            for (int i = 0; i < rest; i++)
                frequencies[1 << i]++;
        return true;
    }
}
