namespace EcoLora.Codec;

/// <summary>
/// Frequencies of at most 64 symbols that add up to 256, and what the rANS kernels look up by symbol or by slot (Duda 2013; tables of bytes fit into
/// registers, where byte permutes look them up). A table of one symbol codes it in no bits.
/// </summary>
internal sealed unsafe class RansTable
{
    /// <summary>Most symbols that a table has.</summary>
    public const int MaximumSymbols = 64;

    /// <summary>Sum of the frequencies, a power of two.</summary>
    public const int Total = 1 << 8;

    private const int Bytes = 2048;

    private readonly PinnedBuffer _memory = new(Bytes);

    /// <summary>[256] symbol of each slot.</summary>
    public byte* Symbols => _memory.Pointer;

    /// <summary>[64] frequency f of each symbol, 0 when it does not occur.</summary>
    public byte* Frequencies => _memory.Pointer + 256;

    /// <summary>[64] first slot of each symbol.</summary>
    public byte* Starts => _memory.Pointer + 320;

    /// <summary>[64] low byte of min(⌊2^16/f⌋, 2^16 − 1).</summary>
    public byte* ReciprocalsLow => _memory.Pointer + 384;

    /// <summary>[64] high byte of the same.</summary>
    public byte* ReciprocalsHigh => _memory.Pointer + 448;

    /// <summary>[256] f | (slot − start) «8 | symbol «16 of each slot.</summary>
    public uint* Slots => (uint*)(_memory.Pointer + 512);

    /// <summary>[64] ⌈2^31/f⌉ | start «32 | (256 − f) «48. For x below f·2^15, ⌊x/f⌋ = x·⌈2^31/f⌉ » 31.</summary>
    public ulong* Steps => (ulong*)(_memory.Pointer + 1536);

    /// <summary>One more than the largest symbol.</summary>
    public int Count { get; private set; }

    /// <summary>The only symbol that occurs, or −1.</summary>
    public int Only { get; private set; }

    /// <summary>Takes frequencies.</summary>
    /// <param name="frequencies">[≤ 64] non-negative, sum 256.</param>
    public void Set(ReadOnlySpan<int> frequencies)
    {
        new Span<byte>(_memory.Pointer, Bytes).Clear();
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
        new Span<byte>(Symbols + start, f).Fill((byte)symbol);
        for (int i = 0; i < f; i++) Slots[start + i] = (uint)(f | i << 8 | symbol << 16);
        int reciprocal = Math.Min((1 << 16) / f, ushort.MaxValue);
        (ReciprocalsLow[symbol], ReciprocalsHigh[symbol]) = ((byte)reciprocal, (byte)(reciprocal >> 8));
        Steps[symbol] = ((1UL << 31) + (uint)f - 1) / (uint)f | (ulong)start << 32 | (ulong)(Total - f) << 48;
    }
}
