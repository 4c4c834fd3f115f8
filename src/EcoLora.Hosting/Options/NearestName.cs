namespace EcoLora.Hosting;

/// <summary>The known name that is closest to a mistyped one.</summary>
public static class NearestName
{
    private const int LongestCompared = 80;

    /// <summary>The candidate with the smallest <see cref="Distance"/>; of several, the first.</summary>
    /// <param name="name">The mistyped name.</param>
    /// <param name="candidates">At least one known name.</param>
    public static string Of(string name, IEnumerable<string> candidates) => candidates.MinBy(candidate => Distance(name, candidate))!;

    /// <summary>
    /// Optimal string alignment distance: the fewest insertions, deletions, replacements and swaps of neighbours that make one name the other.
    /// Only the first 80 characters count.
    /// </summary>
    public static int Distance(string from, string to)
    {
        from = from[..Math.Min(from.Length, LongestCompared)];
        int[] beforeLast = new int[to.Length + 1], last = [.. Enumerable.Range(0, to.Length + 1)];
        for (int i = 1; i <= from.Length; i++)
        {
            int[] row = new int[to.Length + 1];
            row[0] = i;
            for (int j = 1; j <= to.Length; j++)
            {
                int replaced = last[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
                row[j] = Math.Min(replaced, Math.Min(last[j], row[j - 1]) + 1);
                bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
                if (swapped) row[j] = Math.Min(row[j], beforeLast[j - 2] + 1);
            }
            (beforeLast, last) = (last, row);
        }
        return last[to.Length];
    }
}
