using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>Symbols of one table, in the order of the stream.</summary>
/// <param name="table">The table.</param>
/// <param name="symbols">The symbols.</param>
/// <param name="count">How many.</param>
internal readonly unsafe struct SymbolRun(RansTable table, byte* symbols, int count)
{
    /// <summary>The table.</summary>
    public RansTable Table { get; } = table;

    /// <summary>The symbols.</summary>
    public byte* Symbols { get; } = symbols;

    /// <summary>How many.</summary>
    public int Count { get; } = count;
}

/// <summary>The tables of a density class.</summary>
internal sealed class ClassTables
{
    private readonly int[] _populations = new int[4 * NibbleLevels.Maximum];

    /// <summary>Entries of the class that are sent.</summary>
    public int Kept { get; set; }

    /// <summary>Levels of its bitmap.</summary>
    public int Depth { get; set; }

    /// <summary>Whether its bitmap tells what is not sent.</summary>
    public bool Inverted { get; set; }

    /// <summary>[depth] tables of the nibbles, the top level first.</summary>
    public RansTable[] Levels { get; } = [.. Enumerable.Range(0, NibbleLevels.Maximum).Select(_ => new RansTable())];

    /// <summary>[depth·4] frequency of a nibble of each population, 1 to 4, the top level first.</summary>
    public ReadOnlySpan<int> Populations => _populations.AsSpan(0, 4 * Depth);

    /// <summary>Whether a frame has a table of tokens for it.</summary>
    public bool HasTokens { get; set; }

    /// <summary>Its tokens.</summary>
    public TokenTable Tokens { get; } = new();

    /// <summary>Chooses the table of a level.</summary>
    /// <param name="level">0 is the top.</param>
    /// <param name="nibbles">Its symbols.</param>
    /// <param name="empty">Whether no bit of the class is set.</param>
    /// <param name="path">Code path.</param>
    public void ChooseLevel(int level, ReadOnlySpan<byte> nibbles, bool empty, SimdPath path)
    {
        Span<int> populations = _populations.AsSpan(4 * level, 4);
        populations.Clear();
        if (!empty)
        {
            Span<long> counts = stackalloc long[5];
            NibbleLevels.CountPopulations(nibbles, counts, path);
            Frequencies.NormalizeNibbles(counts, zero: level == 0, populations);
        }
        Build(level);
    }

    /// <summary>Takes the table of a level from a frame.</summary>
    /// <returns>False when its frequencies do not add up.</returns>
    public bool TrySetLevel(int level, ReadOnlySpan<byte> populations)
    {
        for (int i = 0; i < 4; i++) _populations[4 * level + i] = populations[i];
        return Build(level);
    }

    private bool Build(int level)
    {
        Span<int> frequencies = stackalloc int[16];
        if (!Frequencies.OfNibbles(_populations.AsSpan(4 * level, 4), zero: level == 0, frequencies)) return false;
        Levels[level].Set(frequencies);
        return true;
    }
}
