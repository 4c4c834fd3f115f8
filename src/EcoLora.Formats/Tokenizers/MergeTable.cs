using System.Numerics;

namespace EcoLora.Formats.Tokenizers;

/// <summary>
/// Pair of ids → merge: open addressing, at most half full. The multiplier differs from process to process, so that no file can choose pairs that all
/// fall on one place (multiply-shift with a random odd multiplier is universal hashing, Dietzfelbinger et al. 1997).
/// </summary>
internal sealed class MergeTable
{
    private const ulong Empty = ulong.MaxValue;

    // HashCode's seed is the runtime's own; where a pair lies shows in no result.
    private static readonly ulong Multiplier = ((ulong)(uint)HashCode.Combine(1) << 32) | (uint)HashCode.Combine(2) | 1;

    private readonly ulong[] _pairs;
    private readonly Merge[] _merges;
    private readonly int _shift;

    /// <param name="count">Most pairs that will be set.</param>
    public MergeTable(int count)
    {
        int bits = Math.Max(3, BitOperations.Log2((uint)Math.Max(1, count)) + 2);
        _shift = 64 - bits;
        _pairs = new ulong[1 << bits];
        _merges = new Merge[1 << bits];
        Array.Fill(_pairs, Empty);
    }

    /// <summary>Sets a pair's merge; a pair that comes again has the later one.</summary>
    public void Set(int left, int right, Merge merge)
    {
        ulong pair = Pair(left, right);
        int place = PlaceOf(pair);
        (_pairs[place], _merges[place]) = (pair, merge);
    }

    /// <summary>The merge of a pair, or <see cref="Merge.None"/>.</summary>
    public Merge Find(int left, int right)
    {
        ulong pair = Pair(left, right);
        int place = PlaceOf(pair);
        return _pairs[place] == pair ? _merges[place] : Merge.None;
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int PlaceOf(ulong pair)
    {
        ulong[] pairs = _pairs;
        int place = (int)((pair * Multiplier) >> _shift);
        while (pairs[place] != pair && pairs[place] != Empty) place = (place + 1) & (pairs.Length - 1);
        return place;
    }
}

/// <summary>What a pair becomes.</summary>
/// <param name="Rank">Lower ranks merge first; of the same rank the leftmost pair.</param>
/// <param name="Id">The token that the pair becomes.</param>
internal readonly record struct Merge(int Rank, int Id)
{
    /// <summary>The pair does not merge.</summary>
    public static Merge None { get; } = new(int.MaxValue, -1);
}
