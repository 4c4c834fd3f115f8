using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>
/// The alphabet of a class's tokens: up to 63 consecutive tokens from <see cref="First"/> on and, last, an escape for all others, whose tokens are
/// written apart. A few rare tokens at the ends cost less as escapes than by the least frequency, 1/256, each.
/// </summary>
internal sealed class TokenTable
{
    private readonly int[] _frequencies = new int[RansTable.MaximumSymbols], _trial = new int[RansTable.MaximumSymbols];
    private readonly long[] _counts = new long[RansTable.MaximumSymbols];

    /// <summary>Token of symbol 0.</summary>
    public int First { get; private set; }

    /// <summary>Number of symbols, the escape included.</summary>
    public int Symbols { get; private set; }

    /// <summary>Whether the last symbol is the escape.</summary>
    public bool HasEscape { get; private set; }

    /// <summary>What the rANS kernels use.</summary>
    public RansTable Rans { get; } = new();

    /// <summary>The frequencies, sum 256.</summary>
    public ReadOnlySpan<int> Frequencies => _frequencies.AsSpan(0, Symbols);

    /// <summary>Chooses the alphabet and its frequencies by cost.</summary>
    /// <param name="counts">[256] counts of a sample of the tokens.</param>
    /// <param name="range">The tokens that occur.</param>
    public void Choose(ReadOnlySpan<long> counts, in TokenRange range)
    {
        (int smallest, int largest) = range.Ends;
        long total = 0;
        foreach (long count in counts) total += count;
        long best = long.MaxValue;
        (int From, int To) tried = (-1, -1);
        // How much of the counts may become escapes: nothing, about a quarter of what the least frequency stands for, and so on.
        for (int share = 0; share <= 4; share++)
        {
            long allowed = share == 0 ? 0 : total >> 11 - share;
            (int from, int to) = Trim(counts, smallest, largest, allowed);
            bool escape = from > smallest || to < largest;
            if (share > 0 && !escape || (from, to) == tried) continue;
            tried = (from, to);
            int symbols = to - from + 1 + (escape ? 1 : 0);
            long outside = 0;
            for (int i = 0; i < symbols; i++) _counts[i] = i <= to - from ? counts[from + i] : 0;
            for (int token = 0; token < counts.Length; token++)
                if (token < from || token > to)
                    outside += counts[token];
            if (escape) _counts[symbols - 1] = outside;
            Span<int> trial = _trial.AsSpan(0, symbols);
            Codec.Frequencies.Normalize(_counts.AsSpan(0, symbols), trial);
            long cost = Codec.Frequencies.Cost(_counts.AsSpan(0, symbols), trial) + outside * 8 * FixedLog2.One;
            if (cost >= best) continue;
            best = cost;
            (First, Symbols, HasEscape) = (from, symbols, escape);
            trial.CopyTo(_frequencies);
        }
        Rans.Set(Frequencies);
    }

    /// <summary>Takes an alphabet from a frame.</summary>
    public void Set(int first, bool hasEscape, ReadOnlySpan<int> frequencies)
    {
        (First, Symbols, HasEscape) = (first, frequencies.Length, hasEscape);
        frequencies.CopyTo(_frequencies);
        Rans.Set(Frequencies);
    }

    /// <summary>Tokens to symbols; the tokens of escapes are appended to a list.</summary>
    /// <param name="tokens">[count, to the next 64 readable].</param>
    /// <param name="count">How many.</param>
    /// <param name="symbols">[count, to the next 64] receives the symbols.</param>
    /// <param name="escapes">Receives the escapes; moved on.</param>
    /// <param name="path">Code path.</param>
    [MethodImpl(Jit.Kernel)]
    public unsafe void ToSymbols(byte* tokens, int count, byte* symbols, ref byte* escapes, SimdPath path)
    {
        byte first = (byte)First, escape = (byte)(HasEscape ? Symbols - 1 : Symbols);
        if (path == SimdPath.Scalar)
        {
            byte* next = escapes;
            ulong firsts = first * Bytes.Ones, room = (ulong)(128 - Math.Min((int)escape, 128)) * Bytes.Ones;
            for (int i = 0; i < count; i++)
            {
                // Eight tokens below 128 at once, where none is an escape: their highest bits keep the bytes apart.
                ulong eight = *(ulong*)(tokens + i), symbolsOfEight = (eight | Bytes.Tops) - firsts;
                if (first < 128 && i + 8 <= count && ((eight | ~symbolsOfEight | (symbolsOfEight & ~Bytes.Tops) + room) & Bytes.Tops) == 0)
                {
                    *(ulong*)(symbols + i) = symbolsOfEight & ~Bytes.Tops;
                    i += 7;
                    continue;
                }
                uint symbol = (byte)(tokens[i] - first), escaped = (uint)escape - symbol - 1 >> 31;
                *next = tokens[i];
                next += escaped;
                symbols[i] = (byte)(escaped != 0 ? escape : symbol);
            }
            escapes = next;
            return;
        }
        for (int i = 0; i < count; i += 64)
        {
            ulong escaped;
            if (path == SimdPath.Vector512)
            {
                Vector512<byte> symbol = Vector512.Min(Vector512.Load(tokens + i) - Vector512.Create(first), Vector512.Create(escape));
                escaped = Vector512.Equals(symbol, Vector512.Create(escape)).ExtractMostSignificantBits();
                symbol.Store(symbols + i);
            }
            else
            {
                escaped = 0;
                for (int part = 0; part < 64; part += 16)
                {
                    Vector128<byte> symbol = Vector128.Min(Vector128.Load(tokens + i + part) - Vector128.Create(first), Vector128.Create(escape));
                    escaped |= (ulong)Vector128.Equals(symbol, Vector128.Create(escape)).ExtractMostSignificantBits() << part;
                    symbol.Store(symbols + i + part);
                }
            }
            if (count - i < 64) escaped &= (1UL << count - i) - 1;
            for (; escaped != 0; escaped &= escaped - 1) *escapes++ = tokens[i + BitOperations.TrailingZeroCount(escaped)];
        }
    }

    /// <summary>Puts what escapes stand for in their places, less <see cref="First"/> like the other symbols (modulo 256).</summary>
    /// <param name="symbols">[count, to the next 64].</param>
    /// <param name="count">How many.</param>
    /// <param name="escapes">The escapes that are left; moved on.</param>
    /// <param name="end">After the last escape.</param>
    /// <param name="path">Code path.</param>
    /// <returns>False when the escapes ran out.</returns>
    [MethodImpl(Jit.Kernel)]
    public unsafe bool Fill(byte* symbols, int count, ref byte* escapes, byte* end, SimdPath path)
    {
        if (!HasEscape) return true;
        byte escape = (byte)(Symbols - 1);
        for (int i = 0; i < count; i += 64)
        {
            ulong escaped = 0;
            if (path == SimdPath.Vector512)
                escaped = Vector512.Equals(Vector512.Load(symbols + i), Vector512.Create(escape)).ExtractMostSignificantBits();
            else if (path == SimdPath.Scalar)
                escaped = Bytes.Equal((ulong*)(symbols + i), escape);
            else
                for (int part = 0; part < 64; part += 16)
                    escaped |= (ulong)Vector128.Equals(Vector128.Load(symbols + i + part), Vector128.Create(escape)).ExtractMostSignificantBits() << part;
            if (escaped == 0) continue;
            if (count - i < 64) escaped &= (1UL << count - i) - 1;
            if (end - escapes < BitOperations.PopCount(escaped)) return false;
            for (; escaped != 0; escaped &= escaped - 1) symbols[i + BitOperations.TrailingZeroCount(escaped)] = (byte)(*escapes++ - First);
        }
        return true;
    }

    /// <summary>The widest range of tokens that leaves at most the allowed counts outside and fits the alphabet.</summary>
    private static (int From, int To) Trim(ReadOnlySpan<long> counts, int from, int to, long allowed)
    {
        long outside = 0;
        bool whole = true;
        while (from < to)
        {
            bool lower = counts[from] <= counts[to];
            long next = outside + (lower ? counts[from] : counts[to]);
            // The escape needs a symbol of its own as soon as anything is outside, seen in the sample or not.
            bool fits = to - from + 1 < RansTable.MaximumSymbols || whole && to - from + 1 == RansTable.MaximumSymbols;
            if (fits && (allowed == 0 || next > allowed)) break;
            (outside, whole) = (next, false);
            if (lower) from++;
            else to--;
        }
        return (from, to);
    }
}
