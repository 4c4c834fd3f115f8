using System.Numerics;

namespace EcoLora.Codec;

/// <summary>
/// The paper's coding of positions: gaps n ≥ 1 between kept entries, P(n) = (1−k)^{n−1}·k, Golomb-coded (Golomb 1966; Gallager and Van Voorhis
/// 1975): n−1 = q·M + r, q in unary (ones, then a zero), r in truncated binary.
/// </summary>
internal static class GolombPositions
{
    /// <summary>Largest parameter; the format has 16 bits for it.</summary>
    public const int MaximumParameter = ushort.MaxValue;

    /// <summary>The optimal M for k = kept/entries: the smallest with (1−k)^M + (1−k)^{M+1} ≤ 1.</summary>
    public static int ParameterFor(int kept, int entries)
    {
        if (kept == 0 || kept >= entries) return 1;
        double miss = 1 - (double)kept / entries;
        double parameter = Math.Ceiling(Math.Log(1 / (1 + miss)) / Math.Log(miss));
        return (int)Math.Clamp(parameter, 1, MaximumParameter);
    }

    /// <summary>Exact size in bits.</summary>
    /// <param name="bitmap">A bit per entry, set where it is kept; zeros to the next 64.</param>
    /// <param name="parameter">M.</param>
    public static long Bits(ReadOnlySpan<ulong> bitmap, int parameter)
    {
        (int width, int shortCodes) = TruncatedBinary(parameter);
        int next = 0; // The entry after the last that was kept.
        long bits = 0;
        for (int word = 0; word < bitmap.Length; word++)
        {
            for (ulong rest = bitmap[word]; rest != 0; rest &= rest - 1)
            {
                int index = 64 * word + BitOperations.TrailingZeroCount(rest);
                // In unary alone (M = 1) a gap and its end take a bit per entry.
                int quotient = index - next, remainder = 0;
                if (parameter > 1) quotient = Math.DivRem(index - next, parameter, out remainder);
                next = index + 1;
                bits += quotient + 1 + width - (remainder < shortCodes && width > 0 ? 1 : 0);
            }
        }
        return bits;
    }

    /// <summary>Encodes ascending indexes.</summary>
    /// <returns>Number of bytes written.</returns>
    public static int Encode(ReadOnlySpan<int> indexes, int parameter, Span<byte> destination)
    {
        var writer = new BitWriter(destination);
        (int width, int shortCodes) = TruncatedBinary(parameter);
        int previous = -1;
        foreach (int index in indexes)
        {
            int quotient = Math.DivRem(index - previous - 1, parameter, out int remainder);
            previous = index;
            for (; quotient >= 31; quotient -= 31) writer.Write((1u << 31) - 1, 31);
            writer.Write((1u << quotient) - 1, quotient + 1);
            if (width == 0) continue;
            if (remainder < shortCodes) writer.Write((uint)remainder, width - 1);
            else
            {
                // Truncated binary: the high bits first, then the last bit, so that a reader knows after width−1 bits which it is.
                uint code = (uint)(remainder + shortCodes);
                writer.Write(code >> 1, width - 1);
                writer.Write(code & 1, 1);
            }
        }
        return writer.Finish();
    }

    /// <summary>Decodes <paramref name="indexes"/>.Length ascending indexes below <paramref name="entries"/>.</summary>
    /// <returns>False when the bytes name an index outside, or do not end with the last index and zero padding.</returns>
    public static bool TryDecode(ReadOnlySpan<byte> source, int parameter, int entries, Span<int> indexes)
    {
        var reader = new BitReader(source);
        (int width, int shortCodes) = TruncatedBinary(parameter);
        long position = -1, limit = 8L * source.Length;
        for (int i = 0; i < indexes.Length; i++)
        {
            int quotient = reader.ReadUnary(entries / parameter + 1);
            uint remainder = 0;
            if (width > 0)
            {
                remainder = reader.Read(width - 1);
                if (remainder >= shortCodes) remainder = (remainder << 1 | reader.Read(1)) - (uint)shortCodes;
            }
            position += (long)quotient * parameter + remainder + 1;
            if (position >= entries || reader.Consumed > limit) return false;
            indexes[i] = (int)position;
        }
        long left = limit - reader.Consumed;
        return left < 8 && reader.Read((int)left) == 0;
    }

    /// <summary>Bits of a remainder below M, and how many of the remainders take one bit less.</summary>
    private static (int Width, int ShortCodes) TruncatedBinary(int parameter)
    {
        int width = BitOperations.Log2((uint)parameter) + (BitOperations.IsPow2(parameter) ? 0 : 1);
        return (width, (1 << width) - parameter);
    }
}
