using EcoLora.Numerics;

namespace EcoLora.Formats.Data;

/// <summary>
/// Records for training and records that only evaluation sees, each in the order of the source. Stratified: each category gives its share of the
/// held-out records (largest remainders). Records with the same instruction and context are always on the same side.
/// </summary>
/// <param name="Training">What clients train on.</param>
/// <param name="HeldOut">What evaluation measures.</param>
public sealed record HeldOutSplit(IReadOnlyList<Instruction> Training, IReadOnlyList<Instruction> HeldOut)
{
    /// <summary>Holds out round(fraction · n) records, but at least 1; otherwise as <see cref="ByCount"/>.</summary>
    /// <param name="records">n records.</param>
    /// <param name="fraction">In (0, 1).</param>
    /// <param name="random">Decides which records.</param>
    /// <exception cref="ArgumentOutOfRangeException">The fraction is not in (0, 1).</exception>
    /// <exception cref="PartitionException">Nothing would be left for training.</exception>
    public static HeldOutSplit ByFraction(IReadOnlyList<Instruction> records, double fraction, RandomStream random)
    {
        if (!(fraction > 0 && fraction < 1)) throw new ArgumentOutOfRangeException(nameof(fraction), fraction, "the held-out fraction must be in (0, 1)");
        return ByCount(records, Math.Max(1, (int)Math.Round(fraction * records.Count, MidpointRounding.AwayFromZero)), random);
    }

    /// <summary>Holds out the given number of records; fewer only where a group of equal prompts would exceed its category's share.</summary>
    /// <param name="records">More than <paramref name="count"/> records.</param>
    /// <param name="count">At least 1.</param>
    /// <param name="random">Decides which records.</param>
    /// <exception cref="ArgumentOutOfRangeException">The count is below 1.</exception>
    /// <exception cref="PartitionException">Nothing would be left for training, or nothing is held out.</exception>
    public static HeldOutSplit ByCount(IReadOnlyList<Instruction> records, int count, RandomStream random)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (count >= records.Count)
            throw new PartitionException($"held-out split: expected more than {count} records to hold {count} out, found {records.Count}");
        // The members of equal prompts, under the category of their first record.
        var strata = CategoryIndex.Of(records).Select(category => (category.Name, Groups: new List<List<int>>())).ToList();
        var stratumOf = strata.Select((stratum, position) => (stratum.Name, position)).ToDictionary(pair => pair.Name, pair => pair.position);
        var groups = new Dictionary<(string, string), List<int>>();
        for (int i = 0; i < records.Count; i++)
        {
            if (!groups.TryGetValue((records[i].Text, records[i].Context), out List<int>? group))
            {
                groups.Add((records[i].Text, records[i].Context), group = []);
                strata[stratumOf[records[i].Category]].Groups.Add(group);
            }
            group.Add(i);
        }
        bool[] heldOut = new bool[records.Count];
        int[] shares = Shares(strata.ConvertAll(stratum => stratum.Groups.Sum(group => group.Count)), count);
        for (int s = 0; s < strata.Count; s++) HoldOut(strata[s].Groups, shares[s], heldOut, random);
        if (!heldOut.Contains(true)) throw new PartitionException($"held-out split: expected prompts that {count} records can hold out, found only equal ones");
        return new HeldOutSplit([.. records.Where((_, i) => !heldOut[i])], [.. records.Where((_, i) => heldOut[i])]);
    }

    private static void HoldOut(List<List<int>> groups, int share, bool[] heldOut, RandomStream random)
    {
        random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(groups));
        foreach (List<int> group in groups)
        {
            if (group.Count > share) continue;
            share -= group.Count;
            foreach (int record in group) heldOut[record] = true;
        }
    }

    /// <summary>Whole numbers that sum to <paramref name="count"/>, in proportion to the sizes; what is left over goes to the largest remainders.</summary>
    private static int[] Shares(List<int> sizes, int count)
    {
        long total = sizes.Sum();
        int[] shares = [.. sizes.Select(size => (int)((long)size * count / total))];
        IEnumerable<int> byRemainder = Enumerable.Range(0, shares.Length).OrderByDescending(i => (long)sizes[i] * count % total).ThenBy(i => i);
        foreach (int i in byRemainder.Take(count - shares.Sum())) shares[i]++;
        return shares;
    }
}
