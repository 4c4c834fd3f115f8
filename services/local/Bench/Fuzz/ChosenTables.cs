using System.Numerics;
using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>Frequencies that fit what occurs but follow from nothing else.</summary>
internal static class ChosenTables
{
    private const int Total = 256;

    /// <summary>So many frequencies of at least 1.</summary>
    public static int[] Frequencies(RandomStream random, int symbols)
    {
        int[] frequencies = new int[symbols];
        Array.Fill(frequencies, 1);
        for (int left = Total - symbols; left > 0;)
        {
            int more = 1 + random.NextInt32(random.NextInt32(4) == 0 ? left : Math.Min(left, 1 + Total / symbols));
            frequencies[random.NextInt32(symbols)] += more;
            left -= more;
        }
        return frequencies;
    }

    /// <summary>f1 to f4 of a level; of what does not occur, perhaps 0.</summary>
    public static int[] Populations(RandomStream random, ReadOnlySpan<byte> symbols, bool top)
    {
        bool[] occurs = new bool[5];
        foreach (byte symbol in symbols) occurs[BitOperations.PopCount(symbol)] = true;
        if (top && occurs.AsSpan(1).IndexOf(true) < 0 && random.NextInt32(2) == 0) return new int[4];
        int two = Least(2) + random.NextInt32(12), three = Least(3) + random.NextInt32(12), four = Least(4) + random.NextInt32(40);
        int left = Total - 6 * two - 4 * three - four;
        // Below the top nothing may be left for nibble 0; at the top, something.
        return [top ? Least(1) + random.NextInt32(left / 4 - 1) : left / 4, two, three, four];

        int Least(int population) => occurs[population] || random.NextInt32(2) == 0 ? 1 : 0;
    }

    /// <summary>A bitmap's nibbles on each level, the top first.</summary>
    public static byte[][] Levels(bool[] bits, int depth)
    {
        byte[][] levels = new byte[depth][];
        for (int level = depth - 1; level >= 0; level--)
        {
            byte[] nibbles = new byte[(bits.Length + 3) / 4];
            for (int i = 0; i < bits.Length; i++) if (bits[i]) nibbles[i / 4] |= (byte)(1 << i % 4);
            levels[level] = level == 0 ? nibbles : [.. nibbles.Where(nibble => nibble != 0)];
            bits = [.. nibbles.Select(nibble => nibble != 0)];
        }
        return levels;
    }
}

/// <summary>Made-up tokens of a class in a made-up alphabet.</summary>
internal sealed class ChosenTokens
{
    private readonly int _first;
    private readonly bool _escape;
    private readonly int[] _frequencies;
    private readonly byte[] _symbols;

    /// <summary>Chooses an alphabet for tokens, of which there is at least one.</summary>
    public ChosenTokens(RandomStream random, byte[] tokens, List<byte> escapes)
    {
        int least = tokens.Min(), largest = tokens.Max(), known;
        _escape = largest - least >= RansTable.MaximumSymbols || random.NextInt32(3) == 0;
        if (_escape)
        {
            _first = random.NextInt32(2) == 0 ? least : random.NextInt32(256);
            known = random.NextInt32(Math.Min(RansTable.MaximumSymbols, 257 - _first));
        }
        else
        {
            _first = Math.Max(0, least - random.NextInt32(4));
            if (largest - _first >= RansTable.MaximumSymbols) _first = least;
            known = Math.Min(Math.Min(RansTable.MaximumSymbols, 256 - _first), largest - _first + 1 + random.NextInt32(4));
        }
        _frequencies = ChosenTables.Frequencies(random, known + (_escape ? 1 : 0));
        _symbols = new byte[tokens.Length];
        for (int i = 0; i < tokens.Length; i++)
        {
            int symbol = tokens[i] - _first;
            _symbols[i] = (byte)(symbol >= 0 && symbol < known ? symbol : known);
            if (_symbols[i] == known) escapes.Add(tokens[i]);
        }
    }

    /// <summary>Writes the table.</summary>
    public void Write(ref FieldWriter writer)
    {
        writer.Byte(_frequencies.Length | (_escape ? 128 : 0));
        writer.Byte(_first);
        writer.Frequencies(_frequencies);
    }

    /// <summary>Appends the tokens to the stream.</summary>
    public void AddTo(RansStream stream) => stream.Add(_frequencies, _symbols);
}
