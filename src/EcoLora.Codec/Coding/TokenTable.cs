using System.Numerics;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
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
    /// <param name="smallest">Smallest token that occurs.</param>
    /// <param name="largest">Largest token that occurs.</param>
    public void Choose(ReadOnlySpan<long> counts, int smallest, int largest)
    {
        long total = 0;
        foreach (long count in counts) total += count;
        long best = long.MaxValue;
        // How much of the counts may become escapes: nothing, about a quarter of what the least frequency stands for, and so on.
        for (int share = 0; share <= 4; share++)
        {
            long allowed = share == 0 ? 0 : total >> 11 - share;
            (int from, int to) = Trim(counts, smallest, largest, allowed);
            bool escape = from > smallest || to < largest;
            if (share > 0 && !escape) continue;
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

    /// <summary>Tokens to symbols, in place; the tokens of escapes are appended to a list.</summary>
    /// <param name="tokens">[count, to the next 64].</param>
    /// <param name="count">How many.</param>
    /// <param name="escapes">[count] receives the escapes.</param>
    /// <param name="path">Code path.</param>
    /// <returns>The number of escapes.</returns>
    public unsafe int ToSymbols(byte* tokens, int count, byte* escapes, SimdPath path)
    {
        byte* start = escapes;
        byte first = (byte)First, escape = (byte)(HasEscape ? Symbols - 1 : Symbols);
        int step = path == SimdPath.Vector512 ? 64 : path == SimdPath.Vector256 ? 32 : 1, i = 0;
        for (; step > 1 && i + step <= count; i += step)
        {
            if (step == 64)
            {
                Vector512<byte> token = Vector512.Load(tokens + i), symbol = Vector512.Min(token - Vector512.Create(first), Vector512.Create(escape));
                Vector512<byte> escaped = Vector512.Equals(symbol, Vector512.Create(escape));
                ulong mask = escaped.ExtractMostSignificantBits();
                if (mask != 0)
                {
                    Avx512Vbmi2.Compress(Vector512<byte>.Zero, escaped, token).Store(escapes);
                    escapes += (uint)BitOperations.PopCount(mask);
                }
                symbol.Store(tokens + i);
            }
            else
            {
                Vector256<byte> symbol = Vector256.Min(Vector256.Load(tokens + i) - Vector256.Create(first), Vector256.Create(escape));
                uint mask = Vector256.Equals(symbol, Vector256.Create(escape)).ExtractMostSignificantBits();
                for (; mask != 0; mask &= mask - 1) *escapes++ = tokens[i + BitOperations.TrailingZeroCount(mask)];
                symbol.Store(tokens + i);
            }
        }
        return (int)(ToSymbols(tokens + i, count - i, first, escape, escapes) - start);
    }

    /// <summary>Symbols to tokens, in place.</summary>
    /// <param name="symbols">[count, to the next 64].</param>
    /// <param name="count">How many.</param>
    /// <param name="escapes">The escapes that are left; moved on.</param>
    /// <param name="end">After the last escape.</param>
    /// <param name="path">Code path.</param>
    /// <returns>False when the escapes ran out.</returns>
    public unsafe bool ToTokens(byte* symbols, int count, ref byte* escapes, byte* end, SimdPath path)
    {
        if (First == 0 && !HasEscape) return true;
        byte first = (byte)First, escape = (byte)(HasEscape ? Symbols - 1 : byte.MaxValue);
        int step = path == SimdPath.Vector512 ? 64 : path == SimdPath.Vector256 ? 32 : 1, i = 0;
        for (; step > 1 && i + step <= count; i += step)
        {
            if (step == 64)
            {
                Vector512<byte> symbol = Vector512.Load(symbols + i), token = symbol + Vector512.Create(first);
                Vector512<byte> escaped = Vector512.Equals(symbol, Vector512.Create(escape));
                ulong mask = escaped.ExtractMostSignificantBits();
                if (mask != 0)
                {
                    if (end - escapes < BitOperations.PopCount(mask)) return false;
                    token = Vector512.ConditionalSelect(escaped, Avx512Vbmi2.Expand(Vector512<byte>.Zero, escaped, Vector512.Load(escapes)), token);
                    escapes += (uint)BitOperations.PopCount(mask);
                }
                token.Store(symbols + i);
            }
            else
            {
                Vector256<byte> symbol = Vector256.Load(symbols + i);
                uint mask = Vector256.Equals(symbol, Vector256.Create(escape)).ExtractMostSignificantBits();
                if (end - escapes < BitOperations.PopCount(mask)) return false;
                (symbol + Vector256.Create(first)).Store(symbols + i);
                for (; mask != 0; mask &= mask - 1) symbols[i + BitOperations.TrailingZeroCount(mask)] = *escapes++;
            }
        }
        return ToTokens(symbols + i, count - i, first, escape, ref escapes, end);
    }

    private static unsafe byte* ToSymbols(byte* tokens, int count, byte first, byte escape, byte* escapes)
    {
        for (int i = 0; i < count; i++)
        {
            byte symbol = (byte)(tokens[i] - first);
            if (symbol >= escape)
            {
                *escapes++ = tokens[i];
                symbol = escape;
            }
            tokens[i] = symbol;
        }
        return escapes;
    }

    private static unsafe bool ToTokens(byte* symbols, int count, byte first, byte escape, ref byte* escapes, byte* end)
    {
        for (int i = 0; i < count; i++)
        {
            if (symbols[i] != escape) symbols[i] += first;
            else if (escapes == end) return false;
            else symbols[i] = *escapes++;
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
