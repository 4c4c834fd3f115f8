namespace EcoLora.Local.Bench;

/// <summary>Interleaved rANS as FORMAT.md says it, symbol by symbol and with any number of lanes: written apart from the codec's own coder.</summary>
internal sealed class RansStream
{
    private const int Total = 256;
    private const uint LowerBound = 1 << 15;

    private readonly List<(int Start, int Frequency)> _symbols = [];

    /// <summary>Appends a run of symbols of one table; a symbol that has all slots takes none of the stream.</summary>
    public void Add(ReadOnlySpan<int> frequencies, ReadOnlySpan<byte> symbols)
    {
        Span<int> starts = stackalloc int[frequencies.Length];
        for (int i = 1; i < starts.Length; i++) starts[i] = starts[i - 1] + frequencies[i - 1];
        foreach (byte symbol in symbols)
            if (frequencies[symbol] < Total)
                _symbols.Add((starts[symbol], frequencies[symbol]));
    }

    /// <summary>Codes all symbols.</summary>
    /// <param name="states">[lanes] what the lower 15 bits begin with; receives the states.</param>
    /// <returns>The coded bytes.</returns>
    public byte[] Encode(Span<uint> states)
    {
        var bytes = new List<byte>();
        foreach (ref uint state in states) state |= LowerBound;
        for (int i = _symbols.Count - 1; i >= 0; i--)
        {
            (int start, int frequency) = _symbols[i];
            ref uint x = ref states[i % states.Length];
            uint f = (uint)frequency;
            if (x >= f * LowerBound)
            {
                bytes.Add((byte)x);
                x >>= 8;
            }
            x = x / f * Total + x % f + (uint)start;
        }
        bytes.Reverse();
        return [.. bytes];
    }
}
