using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>
/// A bitmap as a tree of nibbles. On the lowest level a symbol is 4 bits of the bitmap; where most nibbles are zero, one more level tells by one bit per nibble
/// which are not, and only those are symbols of the lower level; and so on. Sparse bitmaps thus cost few symbols, all with probabilities that 8 bits can
/// express.
/// </summary>
internal static unsafe class NibbleLevels
{
    /// <summary>Most levels: a bit of the fifth stands for 256 entries, a nibble for a block.</summary>
    public const int Maximum = 5;

    /// <summary>The number of levels that codes a bitmap in the fewest bits.</summary>
    /// <param name="set">Bits that are set, at most half of all.</param>
    /// <param name="entries">All bits.</param>
    public static int DepthFor(long set, long entries)
    {
        long perMillion = set * 1_000_000 / entries;
        return perMillion >= 240_000 ? 1 : perMillion >= 55_000 ? 2 : perMillion >= 12_000 ? 3 : perMillion >= 3_000 ? 4 : 5;
    }

    /// <summary>How many symbols have 0, 1, … 4 bits set; of many symbols, how many in a sample, 256 of each so many thousand.</summary>
    /// <param name="symbols">Nibbles.</param>
    /// <param name="counts">[5] receives the counts.</param>
    /// <param name="path">Code path.</param>
    [MethodImpl(Jit.Kernel)]
    public static void CountPopulations(ReadOnlySpan<byte> symbols, Span<long> counts, SimdPath path)
    {
        const int Piece = 256, Enough = 64 * Piece;
        counts.Clear();
        int stride = Math.Max(1, symbols.Length / Enough) * Piece;
        for (int at = 0; at < symbols.Length; at += stride)
        {
            ReadOnlySpan<byte> piece = symbols[at..Math.Min(at + Piece, symbols.Length)];
            if (path == SimdPath.Scalar || piece.Length < Piece)
            {
                foreach (byte symbol in piece) counts[BitOperations.PopCount(symbol)]++;
                continue;
            }
            // The population of each nibble by a table; of each population, how many bytes have it.
            var table = Vector128.Create((byte)0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
            counts[0] += Piece;
            for (int i = 0; i < Piece; i += 16)
            {
                Vector128<byte> population = Vector128.ShuffleNative(table, Vector128.Create(piece[i..]));
                for (byte c = 1; c <= 4; c++)
                {
                    int found = BitOperations.PopCount(Vector128.Equals(population, Vector128.Create(c)).ExtractMostSignificantBits());
                    counts[c] += found;
                    counts[0] -= found;
                }
            }
        }
    }

    /// <summary>Every nibble of a bitmap as a symbol.</summary>
    /// <param name="bits">[⌈nibbles/64⌉·32 bytes] the bitmap.</param>
    /// <param name="nibbles">How many.</param>
    /// <param name="symbols">[nibbles, to the next 64] receives them.</param>
    /// <param name="path">Code path.</param>
    [MethodImpl(Jit.Kernel)]
    public static void Cut(byte* bits, int nibbles, byte* symbols, SimdPath path)
    {
        for (int i = 0; i < nibbles; i += 64, bits += 32, symbols += 64)
        {
            if (path == SimdPath.Vector512) Cut512(bits).Store(symbols);
            else if (path == SimdPath.Scalar) for (int j = 0; j < 64; j++) symbols[j] = (byte)(bits[j >> 1] >> 4 * (j & 1) & 15);
            else for (int j = 0; j < 64; j += 16) Cut128(bits + j / 2).Store(symbols + j);
        }
    }

    /// <summary>The nibbles that are not zero as symbols, and a bit for each nibble that tells whether it is one of them.</summary>
    /// <param name="bits">[⌈nibbles/64⌉·32 bytes] the bitmap; zero after the last nibble.</param>
    /// <param name="nibbles">How many.</param>
    /// <param name="flags">[⌈nibbles/64⌉·8 bytes] receives the bits of the level above.</param>
    /// <param name="symbols">[count + slack] receives the symbols.</param>
    /// <param name="path">Code path.</param>
    /// <returns>The count of symbols.</returns>
    [MethodImpl(Jit.Kernel)]
    public static int CutNonZero(byte* bits, int nibbles, byte* flags, byte* symbols, SimdPath path)
    {
        byte* start = symbols;
        for (int i = 0; i < nibbles; i += 64, bits += 32, flags += 8)
        {
            if (path == SimdPath.Vector512)
            {
                Vector512<byte> nibble = Cut512(bits);
                Vector512<byte> set = ~Vector512.Equals(nibble, Vector512<byte>.Zero);
                ulong mask = set.ExtractMostSignificantBits();
                Avx512Vbmi2.Compress(Vector512<byte>.Zero, set, nibble).Store(symbols);
                *(ulong*)flags = mask;
                symbols += (uint)BitOperations.PopCount(mask);
                continue;
            }
            if (path != SimdPath.Scalar)
            {
                for (int part = 0; part < 4; part++) symbols += CutNonZero128(bits + 8 * part, flags + 2 * part, symbols);
                continue;
            }
            for (int word = 0; word < 4; word++)
            {
                ulong w = *(ulong*)(bits + 8 * word), f = w | w >> 1;
                f = (f | f >> 2) & 0x1111111111111111UL;
                f = (f | f >> 3) & 0x0303030303030303UL;
                f = (f | f >> 6) & 0x000F000F000F000FUL;
                f = (f | f >> 12) & 0x000000FF000000FFUL;
                f = (f | f >> 24) & 0xFFFF;
                *(ushort*)(flags + 2 * word) = (ushort)f;
                for (; f != 0; f &= f - 1) *symbols++ = (byte)(w >> 4 * BitOperations.TrailingZeroCount(f) & 15);
            }
        }
        return (int)(symbols - start);
    }

    private static int CutNonZero128(byte* bits, byte* flags, byte* symbols)
    {
        Vector128<byte> nibbles = Cut128(bits);
        uint mask = ~Vector128.Equals(nibbles, Vector128<byte>.Zero).ExtractMostSignificantBits();
        *(ushort*)flags = (ushort)mask;
        byte* compress = LaneTables.Compress8, next = symbols;
        next += Append(nibbles.AsUInt64().ToScalar(), mask & 255, compress, next);
        next += Append(nibbles.AsUInt64().GetElement(1), mask >> 8 & 255, compress, next);
        return (int)(next - symbols);
    }

    private static int Append(ulong eight, uint mask, byte* compress, byte* symbols)
    {
        Vector128<byte> from = Vector128.CreateScalarUnsafe(*(ulong*)(compress + 8 * mask)).AsByte();
        *(ulong*)symbols = Vector128.ShuffleNative(Vector128.CreateScalarUnsafe(eight).AsByte(), from).AsUInt64().ToScalar();
        return BitOperations.PopCount(mask);
    }

    /// <summary>The mirror of <see cref="Cut"/>; zeros after the last nibble, up to 32 bytes.</summary>
    [MethodImpl(Jit.Kernel)]
    public static void Join(byte* symbols, int nibbles, byte* bits, SimdPath path)
    {
        new Span<byte>(symbols + nibbles, (nibbles + 63 & ~63) - nibbles).Clear();
        for (int i = 0; i < nibbles; i += 64, bits += 32, symbols += 64)
        {
            if (path == SimdPath.Vector512) Join512(Vector512.Load(symbols)).Store(bits);
            else if (path != SimdPath.Scalar)
            {
                Join128(Vector128.Load(symbols), Vector128.Load(symbols + 16)).Store(bits);
                Join128(Vector128.Load(symbols + 32), Vector128.Load(symbols + 48)).Store(bits + 16);
            }
            else
            {
                for (int word = 0; word < 8; word++)
                {
                    ulong w = *(ulong*)(symbols + 8 * word);
                    w = (w | w >> 4) & 0x00FF00FF00FF00FFUL;
                    w = (w | w >> 8) & 0x0000FFFF0000FFFFUL;
                    *(uint*)(bits + 4 * word) = (uint)(w | w >> 16);
                }
            }
        }
    }

    /// <summary>The mirror of <see cref="CutNonZero"/>.</summary>
    /// <param name="flags">[⌈nibbles/64⌉·8 bytes] which nibbles are not zero.</param>
    /// <param name="nibbles">How many.</param>
    /// <param name="symbols">[population of the flags + slack].</param>
    /// <param name="bits">[⌈nibbles/64⌉·32 bytes] receives the bitmap.</param>
    /// <param name="path">Code path.</param>
    [MethodImpl(Jit.Kernel)]
    public static void JoinNonZero(byte* flags, int nibbles, byte* symbols, byte* bits, SimdPath path)
    {
        if (path == SimdPath.Vector512)
        {
            // Byte j of a vector looks at flag j: byte j/8 of the flags, bit j mod 8.
            Vector512<byte> spread = (Vector512<byte>.Indices.AsUInt16() >>> 3).AsByte() & Vector512.Create((byte)7);
            Vector512<byte> one = Vector512.Create(0x8040201008040201UL).AsByte();
            for (int i = 0; i < nibbles; i += 64, bits += 32, flags += 8)
            {
                ulong mask = *(ulong*)flags;
                Vector512<byte> set = Vector512.Equals(Avx512Vbmi.PermuteVar64x8(Vector512.Create(mask).AsByte(), spread) & one, one);
                Join512(Avx512Vbmi2.Expand(Vector512<byte>.Zero, set, Vector512.Load(symbols))).Store(bits);
                symbols += (uint)BitOperations.PopCount(mask);
            }
            return;
        }
        if (path != SimdPath.Scalar)
        {
            byte* expand = LaneTables.Expand8;
            var one = Vector128.Create(0x8040201008040201).AsByte();
            for (int i = 0; i < (nibbles + 63 & ~63); i += 16, bits += 8, flags += 2)
            {
                uint lower = flags[0], upper = flags[1];
                byte* next = symbols + BitOperations.PopCount(lower);
                Vector128<byte> from = Vector128.Create(*(ulong*)(expand + 8 * lower), *(ulong*)(expand + 8 * upper) | 0x0808080808080808).AsByte();
                Vector128<byte> spread = Vector128.ShuffleNative(Vector128.Create(*(ulong*)symbols, *(ulong*)next).AsByte(), from);
                Vector128<byte> set = Vector128.Equals(Vector128.Create(lower * 0x0101010101010101UL, upper * 0x0101010101010101UL).AsByte() & one, one);
                *(ulong*)bits = Join128(spread & set, spread & set).AsUInt64().ToScalar();
                symbols = next + BitOperations.PopCount(upper);
            }
            return;
        }
        for (int i = 0; i < nibbles; i += 16, bits += 8, flags += 2)
        {
            uint f = *(ushort*)flags;
            ulong word = 0;
            for (; f != 0; f &= f - 1) word |= (ulong)*symbols++ << 4 * BitOperations.TrailingZeroCount(f);
            *(ulong*)bits = word;
        }
        for (int i = nibbles + 15 & ~15; i < (nibbles + 63 & ~63); i += 16, bits += 8) *(ulong*)bits = 0;
    }

    private static Vector512<byte> Cut512(byte* bits)
    {
        Vector512<ushort> wide = Avx512BW.ConvertToVector512UInt16(Vector256.Load(bits));
        return ((wide | wide << 4) & Vector512.Create((ushort)0x0F0F)).AsByte();
    }

    private static Vector128<byte> Cut128(byte* bits)
    {
        Vector128<ushort> wide = Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(bits)).AsByte());
        return ((wide | wide << 4) & Vector128.Create((ushort)0x0F0F)).AsByte();
    }

    private static Vector128<byte> Join128(Vector128<byte> lower, Vector128<byte> upper)
    {
        Vector128<ushort> a = lower.AsUInt16(), b = upper.AsUInt16();
        return Vector128.Narrow(a | a >>> 4, b | b >>> 4);
    }

    private static Vector256<byte> Join512(Vector512<byte> symbols)
    {
        Vector512<ushort> pairs = symbols.AsUInt16();
        return Avx512BW.ConvertToVector256Byte(pairs | pairs >>> 4);
    }
}
