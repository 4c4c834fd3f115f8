using System.Numerics;

namespace EcoLora.Codec;

/// <summary>
/// Base-2 logarithms in units of 2^−16, by integers alone: what a writer chooses by cost must not hang on the last bit of a C library's logarithm, or two
/// machines would write different frames.
/// </summary>
internal static class FixedLog2
{
    /// <summary>log2 of 2, in units.</summary>
    public const int One = 1 << 16;

    private const int TableBits = 10;

    private static readonly int[] _table = Fill();

    /// <summary>log2 of a number ≥ 1: from a table of the first 10 bits after the leading one, interpolated by the next 16; within 4·10^−5.</summary>
    public static long Of(ulong value)
    {
        int exponent = BitOperations.Log2(value);
        ulong mantissa = value << 63 - exponent; // 1.63 bits
        int index = (int)(mantissa >> 63 - TableBits) & (1 << TableBits) - 1;
        long fraction = (long)(mantissa >> 63 - TableBits - 16 & 0xFFFF);
        return ((long)exponent << 16) + _table[index] + ((_table[index + 1] - _table[index]) * fraction >> 16);
    }

    /// <summary>
    /// n·H(set/n): bits, in units, of a bitmap of <paramref name="total"/> entries of which <paramref name="set"/> are set, known its density.
    /// </summary>
    public static long Bitmap(long set, long total)
    {
        long clear = total - set;
        if (set == 0 || clear == 0) return 0;
        long whole = Of((ulong)total);
        return set * (whole - Of((ulong)set)) + clear * (whole - Of((ulong)clear));
    }

    private static int[] Fill()
    {
        int[] table = new int[(1 << TableBits) + 1];
        for (int i = 0; i < 1 << TableBits; i++)
        {
            // 1 + i/1024 squared again and again: each time it passes 2 gives the next bit of the logarithm.
            ulong x = (ulong)(1 << TableBits | i) << 62 - TableBits;
            int bits = 0;
            for (int bit = 0; bit < 17; bit++)
            {
                x = (ulong)((UInt128)x * x >> 62);
                bits <<= 1;
                if (x >> 63 == 0) continue;
                bits |= 1;
                x >>= 1;
            }
            table[i] = bits + 1 >> 1;
        }
        table[1 << TableBits] = One;
        return table;
    }
}
