namespace EcoLora.Codec;

/// <summary>
/// Frequencies of at most 64 symbols that add up to 256, and what the rANS kernels look up by symbol or by slot (Duda 2013; the byte-permute form keeps
/// all tables in registers). A table of one symbol codes it in no bits.
/// </summary>
internal sealed unsafe class RansTable
{
    /// <summary>Most symbols that a table has.</summary>
    public const int MaximumSymbols = 64;

    /// <summary>Sum of the frequencies, a power of two.</summary>
    public const int Total = 1 << ScaleBits;

    /// <summary>log2 of <see cref="Total"/>.</summary>
    public const int ScaleBits = 8;

    private readonly PinnedBuffer _memory = new(2048);

    /// <summary>[256] symbol of each slot.</summary>
    public byte* Symbols => _memory.Pointer;

    /// <summary>[64] frequency of each symbol, 0 when it does not occur.</summary>
    public byte* Frequencies => _memory.Pointer + 256;

    /// <summary>[64] first slot of each symbol.</summary>
    public byte* Starts => _memory.Pointer + 320;

    /// <summary>[256] frequency | (slot − start) «8 | symbol «16 of each slot.</summary>
    public uint* Slots => (uint*)(_memory.Pointer + 512);

    /// <summary>[64] bias in bits 0–8, shift in bits 9–13, 256 − f in bits 23–30 of each symbol.</summary>
    public uint* Steps => (uint*)(_memory.Pointer + 1536);

    /// <summary>[64] ceil(2^(31+s)/f) with 2^(s−1) &lt; f ≤ 2^s, the shift being s − 1.</summary>
    public uint* Reciprocals => (uint*)(_memory.Pointer + 1792);

    /// <summary>One more than the largest symbol.</summary>
    public int Count { get; private set; }

    /// <summary>The only symbol that occurs, or −1.</summary>
    public int Only { get; private set; }

    /// <summary>Takes frequencies.</summary>
    /// <param name="frequencies">[≤ 64] non-negative, sum 256.</param>
    public void Set(ReadOnlySpan<int> frequencies)
    {
        new Span<byte>(_memory.Pointer, 2048).Clear();
        (Count, Only) = (0, -1);
        int start = 0;
        for (int symbol = 0; symbol < frequencies.Length; symbol++)
        {
            int f = frequencies[symbol];
            if (f == 0) continue;
            Count = symbol + 1;
            if (f == Total) Only = symbol;
            else SetSymbol(symbol, f, start);
            start += f;
        }
        if (start != Total) throw new ArgumentException($"expected frequencies that add up to {Total}, found {start}", nameof(frequencies));
    }

    private void SetSymbol(int symbol, int f, int start)
    {
        (Frequencies[symbol], Starts[symbol]) = ((byte)f, (byte)start);
        for (int i = 0; i < f; i++)
        {
            Symbols[start + i] = (byte)symbol;
            Slots[start + i] = (uint)(f | i << 8 | symbol << 16);
        }
        // floor(x / f) = (x · reciprocal » 32) » shift for x < 2^31. For f = 1 the product gives x − 1, which the bias makes good.
        int s = 0;
        while (1 << s < f) s++;
        Reciprocals[symbol] = f == 1 ? uint.MaxValue : (uint)(((1UL << (s + 31)) + (uint)f - 1) / (uint)f);
        int bias = f == 1 ? start + Total - 1 : start, shift = f == 1 ? 0 : s - 1;
        Steps[symbol] = (uint)bias | (uint)shift << 9 | (uint)(Total - f) << 23;
    }
}
