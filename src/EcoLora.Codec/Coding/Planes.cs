using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>The largest code that was met, and the smallest other than the two zeros, as far as it is below what is sent.</summary>
internal struct CodeRange()
{
    /// <summary>The smallest; a larger one where none was below what is sent.</summary>
    public int Least = ushort.MaxValue;

    /// <summary>The largest; 0 where there was none.</summary>
    public int Largest;

    /// <summary>Takes codes in.</summary>
    /// <param name="lowest">The smallest of the codes less 2, modulo 2^16, which puts both zeros out of its way.</param>
    /// <param name="highest">The largest of the codes.</param>
    public void Include(uint lowest, uint highest)
    {
        Least = Math.Min(Least, Math.Min(ushort.MaxValue, (int)lowest + 2));
        Largest = Math.Max(Largest, (int)highest);
    }

    /// <inheritdoc cref="Include(uint, uint)"/>
    public void Include(Vector128<ushort> lowest, Vector128<ushort> highest) =>
        Include(Vectors128.Least(lowest), (ushort)~Vectors128.Least(~highest));
}

/// <summary>What a code is cut into.</summary>
/// <param name="Least">2t ≥ 2: a smaller code is not sent.</param>
/// <param name="LowBits">r, 0 to 8.</param>
/// <param name="FirstToken">What is added to a token's byte, modulo 256.</param>
internal readonly record struct CodeShape(int Least, int LowBits, byte FirstToken = 0);

/// <summary>
/// Codes to planes and back. A code is magnitude·2 + sign, or 0 for an entry that is not sent; with the least magnitude t, the entry's difference d =
/// code − 2t is cut into a token (d » r), whose distribution is skewed, and r low bits, which are nearly uniform. The planes are a bitmap of the sent
/// entries and, for those alone, a byte of token and a byte of low bits each.
/// </summary>
internal static unsafe class Planes
{
    /// <summary>Entries of a block; codes are padded with zeros to a multiple of 64.</summary>
    public const int Block = 1024;

    private const ulong Tops = 0x8000800080008000, Lanes = 0x0001000100010001;

    /// <summary>Cuts a block into planes.</summary>
    /// <param name="codes">[⌈n/64⌉·64], zeros after entry n; with <paramref name="halves"/> the patterns of binary16 numbers, which are codes turned by
    /// one bit.</param>
    /// <param name="n">Entries.</param>
    /// <param name="halves">Whether these are binary16 patterns.</param>
    /// <param name="least">2t ≥ 2: a smaller code is not sent.</param>
    /// <param name="lowBits">r, 0 to 8.</param>
    /// <param name="bitmap">[⌈n/64⌉·8] receives the bitmap.</param>
    /// <param name="tokens">[kept + slack] receives the tokens.</param>
    /// <param name="lows">[kept + slack] receives the low bits.</param>
    /// <param name="range">With <paramref name="halves"/>, widened to what is found, which may go beyond what can be sent.</param>
    /// <param name="path">Code path.</param>
    /// <returns>How many entries are sent.</returns>
    public static int Split(ushort* codes, int n, bool halves, int least, int lowBits, byte* bitmap, byte* tokens, byte* lows, ref CodeRange range,
        SimdPath path) => path switch
        {
            SimdPath.Vector512 => Split512(codes, n, halves, least, lowBits, bitmap, tokens, lows, ref range),
            SimdPath.Vector256 => Split256(codes, n, halves, least, lowBits, bitmap, tokens, lows, ref range),
            SimdPath.Vector128 => Split128(codes, n, halves, least, lowBits, bitmap, tokens, lows, ref range),
            _ => SplitScalar(codes, n, halves, least, lowBits, bitmap, tokens, lows, ref range),
        };

    /// <summary>Puts a block together again; the mirror of <see cref="Split"/>.</summary>
    /// <remarks>Both planes are read up to 64 bytes beyond what was sent.</remarks>
    /// <returns>How many entries were sent, which is how far the planes are read.</returns>
    public static int Merge(byte* bitmap, int n, byte* tokens, byte* lows, bool halves, CodeShape shape, ushort* codes, SimdPath path) => path switch
    {
        // Around the cache, to memory that is not read again soon, a store does not have to read what it replaces.
        SimdPath.Vector512 when halves && n == Block && (nuint)codes % 64 == 0 => Merge512(bitmap, n, tokens, lows, halves, stream: true, shape, codes),
        SimdPath.Vector512 => Merge512(bitmap, n, tokens, lows, halves, stream: false, shape, codes),
        SimdPath.Scalar => MergeScalar(bitmap, n, tokens, lows, halves, shape, codes),
        _ => Merge128(bitmap, n, tokens, lows, halves, shape, codes, path),
    };

    /// <summary>The codes of sent entries, one after the other.</summary>
    /// <param name="tokens">[count, read up to 64 bytes beyond].</param>
    /// <param name="lows">Likewise.</param>
    /// <param name="count">How many.</param>
    /// <param name="shape">What they are cut into.</param>
    /// <param name="halves">Whether to turn them into binary16 patterns.</param>
    /// <param name="codes">[count, to the next 32] receives them.</param>
    /// <param name="path">Code path.</param>
    [MethodImpl(Jit.Kernel)]
    public static void Join(byte* tokens, byte* lows, int count, CodeShape shape, bool halves, ushort* codes, SimdPath path)
    {
        (int least, int lowBits, byte first) = shape;
        int turn = halves ? 1 : 0;
        if (path == SimdPath.Vector512)
        {
            for (int i = 0; i < count; i += 32)
            {
                Vector512<ushort> token = Avx512BW.ConvertToVector512UInt16(Vector256.Load(tokens + i) + Vector256.Create(first));
                Vector512<ushort> code = (token << lowBits | Avx512BW.ConvertToVector512UInt16(Vector256.Load(lows + i))) + Vector512.Create((ushort)least);
                (code >>> turn | code << 16 - turn).Store(codes + i);
            }
        }
        else if (path == SimdPath.Vector256)
        {
            for (int i = 0; i < count; i += 16)
            {
                Vector256<ushort> token = Avx2.ConvertToVector256Int16(Vector128.Load(tokens + i) + Vector128.Create(first)).AsUInt16();
                Vector256<ushort> code = (token << lowBits | Avx2.ConvertToVector256Int16(lows + i).AsUInt16()) + Vector256.Create((ushort)least);
                (code >>> turn | code << 16 - turn).Store(codes + i);
            }
        }
        else if (path == SimdPath.Vector128)
        {
            for (int i = 0; i < count; i += 16)
            {
                Vector128<byte> token = Vector128.Load(tokens + i) + Vector128.Create(first), low = Vector128.Load(lows + i);
                Join128(Vector128.WidenLower(token), Vector128.WidenLower(low), shape, turn).Store(codes + i);
                Join128(Vector128.WidenUpper(token), Vector128.WidenUpper(low), shape, turn).Store(codes + i + 8);
            }
        }
        else
        {
            for (int i = 0; i < count; i++)
            {
                uint code = (uint)(((byte)(tokens[i] + first) << lowBits | lows[i]) + least);
                codes[i] = (ushort)(code >> turn | code << 16 - turn);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> Join128(Vector128<ushort> token, Vector128<ushort> low, CodeShape shape, int turn)
    {
        Vector128<ushort> code = (token << shape.LowBits | low) + Vector128.Create((ushort)shape.Least);
        return code >>> turn | code << 16 - turn;
    }

    /// <summary>Four 16-bit numbers below 256 as four bytes.</summary>
    private static uint LowerBytes(ulong four)
    {
        four = (four | four >> 8) & 0x0000FFFF0000FFFF;
        return (uint)(four | four >> 16);
    }

    [SkipLocalsInit, MethodImpl(Jit.Kernel)]
    private static int SplitScalar(ushort* codes, int n, bool halves, int least, int lowBits, byte* bitmap, byte* tokens, byte* lows, ref CodeRange range)
    {
        ushort* packed = stackalloc ushort[64 + 4];
        int kept = 0, turn = halves ? 1 : 0;
        uint lowest = ushort.MaxValue, highest = 0;
        ulong leasts = (uint)least * Lanes, lowMask = ((1u << lowBits) - 1) * Lanes, tokenMask = (0xFFFFu >> lowBits & 255) * Lanes;
        for (int i = 0; i < n; i += 64, bitmap += 8)
        {
            ulong bits = 0;
            int count = 0;
            for (int four = 0; four < 64; four += 4)
            {
                // The highest bit of each of four codes that is not zero.
                ulong w = *(ulong*)(codes + i + four), set = ((w & ~Tops) + ~Tops | w) & Tops;
                for (; set != 0; set &= set - 1)
                {
                    int j = four + (BitOperations.TrailingZeroCount(set) >> 4);
                    uint code = codes[i + j];
                    code = (code << turn | code >> 16 - turn) & 0xFFFF;
                    packed[count] = (ushort)code;
                    highest = Math.Max(highest, code);
                    if (code < (uint)least)
                    {
                        lowest = Math.Min(lowest, code - 2 & 0xFFFF);
                        continue;
                    }
                    bits |= 1UL << j;
                    count++;
                }
            }
            for (int j = 0; j < count; j += 4)
            {
                // Four at once; what borrows after the last is not used.
                ulong difference = *(ulong*)(packed + j) - leasts;
                *(uint*)(tokens + kept + j) = LowerBytes(difference >> lowBits & tokenMask);
                *(uint*)(lows + kept + j) = LowerBytes(difference & lowMask);
            }
            kept += count;
            *(ulong*)bitmap = bits;
        }
        if (halves) range.Include(lowest, highest);
        return kept;
    }

    [MethodImpl(Jit.Kernel)]
    private static int MergeScalar(byte* bitmap, int n, byte* tokens, byte* lows, bool halves, CodeShape shape, ushort* codes)
    {
        (int least, int lowBits, byte first) = shape;
        int kept = 0, turn = halves ? 1 : 0;
        for (int i = 0; i < n; i += 64, bitmap += 8, codes += 64)
        {
            new Span<ulong>(codes, 16).Clear();
            for (ulong bits = *(ulong*)bitmap; bits != 0; bits &= bits - 1, kept++)
            {
                uint code = (uint)((byte)(tokens[kept] + first) << lowBits | lows[kept]) + (uint)least;
                codes[BitOperations.TrailingZeroCount(bits)] = (ushort)(code >> turn | code << 16 - turn);
            }
        }
        return kept;
    }

    [MethodImpl(Jit.Kernel)]
    private static int Split256(ushort* codes, int n, bool halves, int least, int lowBits, byte* bitmap, byte* tokens, byte* lows, ref CodeRange range)
    {
        nuint kept = 0;
        byte* compress = LaneTables.CompressPairs8;
        Vector256<ushort> lowest = Vector256<ushort>.AllBitsSet, highest = Vector256<ushort>.Zero;
        var floor = Vector256.Create((ushort)least);
        var mask = Vector256.Create((ushort)((1 << lowBits) - 1));
        for (int i = 0; i < (n + 63 & ~63); i += 32)
        {
            Vector256<ushort> a = Vector256.Load(codes + i), b = Vector256.Load(codes + i + 16);
            if (halves)
            {
                a = a << 1 | a >>> 15;
                b = b << 1 | b >>> 15;
                lowest = Vector256.Min(lowest, Vector256.Min(a - Vector256.Create((ushort)2), b - Vector256.Create((ushort)2)));
                highest = Vector256.Max(highest, Vector256.Max(a, b));
            }
            Vector256<short> sentA = Vector256.Equals(Vector256.Max(a, floor), a).AsInt16(), sentB = Vector256.Equals(Vector256.Max(b, floor), b).AsInt16();
            uint bits = Avx2.Permute4x64(Avx2.PackSignedSaturate(sentA, sentB).AsUInt64(), 0b11011000).AsByte().ExtractMostSignificantBits();
            *(uint*)(bitmap + i / 8) = bits;
            // Token and low bits as the two bytes of 16 bits, so that one shuffle moves both.
            a -= floor;
            b -= floor;
            a = a >>> lowBits << 8 | a & mask;
            b = b >>> lowBits << 8 | b & mask;
            kept += Append(a.GetLower(), bits & 255, compress, tokens + kept, lows + kept);
            kept += Append(a.GetUpper(), bits >> 8 & 255, compress, tokens + kept, lows + kept);
            kept += Append(b.GetLower(), bits >> 16 & 255, compress, tokens + kept, lows + kept);
            kept += Append(b.GetUpper(), bits >> 24, compress, tokens + kept, lows + kept);
        }
        if (halves) range.Include(Vector128.Min(lowest.GetLower(), lowest.GetUpper()), Vector128.Max(highest.GetLower(), highest.GetUpper()));
        return (int)kept;
    }

    [MethodImpl(Jit.Kernel)]
    private static int Split128(ushort* codes, int n, bool halves, int least, int lowBits, byte* bitmap, byte* tokens, byte* lows, ref CodeRange range)
    {
        nuint kept = 0;
        byte* compress = LaneTables.CompressPairs8;
        Vector128<ushort> lowest = Vector128<ushort>.AllBitsSet, highest = Vector128<ushort>.Zero;
        var floor = Vector128.Create((ushort)least);
        var mask = Vector128.Create((ushort)((1 << lowBits) - 1));
        for (int i = 0; i < (n + 63 & ~63); i += 16)
        {
            Vector128<ushort> a = Vector128.Load(codes + i), b = Vector128.Load(codes + i + 8);
            if (halves)
            {
                a = a << 1 | a >>> 15;
                b = b << 1 | b >>> 15;
                lowest = Vector128.Min(lowest, Vector128.Min(a - Vector128.Create((ushort)2), b - Vector128.Create((ushort)2)));
                highest = Vector128.Max(highest, Vector128.Max(a, b));
            }
            Vector128<short> sentA = Vector128.Equals(Vector128.Max(a, floor), a).AsInt16(), sentB = Vector128.Equals(Vector128.Max(b, floor), b).AsInt16();
            uint bits = Vector128.NarrowWithSaturation(sentA, sentB).ExtractMostSignificantBits();
            *(ushort*)(bitmap + i / 8) = (ushort)bits;
            // Token and low bits as the two bytes of 16 bits, so that one shuffle moves both.
            a -= floor;
            b -= floor;
            a = a >>> lowBits << 8 | a & mask;
            b = b >>> lowBits << 8 | b & mask;
            kept += Append(a, bits & 255, compress, tokens + kept, lows + kept);
            kept += Append(b, bits >> 8, compress, tokens + kept, lows + kept);
        }
        if (halves) range.Include(lowest, highest);
        return (int)kept;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Append(Vector128<ushort> pairs, uint bits, byte* compress, byte* tokens, byte* lows)
    {
        Vector128<ulong> packed = Vector128.ShuffleNative(pairs.AsByte(), Vector128.Load(compress + 16 * bits)).AsUInt64();
        *(ulong*)tokens = packed.ToScalar();
        *(ulong*)lows = packed.GetElement(1);
        return (uint)BitOperations.PopCount(bits);
    }

    [SkipLocalsInit, MethodImpl(Jit.Kernel)]
    private static int Merge128(byte* bitmap, int n, byte* tokens, byte* lows, bool halves, CodeShape shape, ushort* codes, SimdPath path)
    {
        byte* expand = LaneTables.ExpandWords8;
        ushort* packed = stackalloc ushort[Block + 16];
        int sent = 0, words = (n + 63) / 64;
        for (int word = 0; word < words; word++) sent += BitOperations.PopCount(((ulong*)bitmap)[word]);
        Join(tokens, lows, sent, shape, halves, packed, path);
        for (int i = 0; i < 8 * words; i++)
        {
            uint bits = bitmap[i];
            Vector128.ShuffleNative(Vector128.Load((byte*)packed), Vector128.Load(expand + 16 * bits)).AsUInt16().Store(codes + 8 * i);
            packed += BitOperations.PopCount(bits);
        }
        return sent;
    }

    [MethodImpl(Jit.Kernel)]
    private static int Split512(ushort* codes, int n, bool halves, int least, int lowBits, byte* bitmap, byte* tokens, byte* lows, ref CodeRange range)
    {
        nuint kept = 0;
        Vector512<ushort> lowest = Vector512<ushort>.AllBitsSet, highest = Vector512<ushort>.Zero;
        var floor = Vector512.Create((ushort)least);
        var mask = Vector512.Create((ushort)((1 << lowBits) - 1));
        Vector512<byte> even = Vector512<byte>.Indices << 1, odd = even | Vector512<byte>.One;
        for (int i = 0; i < n; i += 64)
        {
            Vector512<ushort> a = Vector512.Load(codes + i), b = Vector512.Load(codes + i + 32);
            if (halves)
            {
                a = a << 1 | a >>> 15;
                b = b << 1 | b >>> 15;
                lowest = Vector512.Min(lowest, Vector512.Min(a - Vector512.Create((ushort)2), b - Vector512.Create((ushort)2)));
                highest = Vector512.Max(highest, Vector512.Max(a, b));
            }
            Vector512<byte> sent = Avx512Vbmi.PermuteVar64x8x2(
                Vector512.GreaterThanOrEqual(a, floor).AsByte(), even, Vector512.GreaterThanOrEqual(b, floor).AsByte());
            ulong bits = sent.ExtractMostSignificantBits();
            *(ulong*)(bitmap + i / 8) = bits;
            a -= floor;
            b -= floor;
            if (lowBits != 8)
            {
                a = a >>> lowBits << 8 | a & mask;
                b = b >>> lowBits << 8 | b & mask;
            }
            Avx512Vbmi2.Compress(Vector512<byte>.Zero, sent, Avx512Vbmi.PermuteVar64x8x2(a.AsByte(), even, b.AsByte())).Store(lows + kept);
            Avx512Vbmi2.Compress(Vector512<byte>.Zero, sent, Avx512Vbmi.PermuteVar64x8x2(a.AsByte(), odd, b.AsByte())).Store(tokens + kept);
            kept += (uint)BitOperations.PopCount(bits);
        }
        if (halves)
        {
            Vector256<ushort> low = Vector256.Min(lowest.GetLower(), lowest.GetUpper()), high = Vector256.Max(highest.GetLower(), highest.GetUpper());
            range.Include(Vector128.Min(low.GetLower(), low.GetUpper()), Vector128.Max(high.GetLower(), high.GetUpper()));
        }
        return (int)kept;
    }

    [MethodImpl(Jit.Kernel)]
    private static int Merge512(byte* bitmap, int n, byte* tokens, byte* lows, bool halves, bool stream, CodeShape shape, ushort* codes)
    {
        (int least, int lowBits, byte firstToken) = shape;
        var first = Vector256.Create(firstToken);
        nuint kept = 0;
        var floor = Vector512.Create((ushort)least);
        var half = Vector256.Create((ushort)1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768);
        Vector512<ushort> lanes = Vector512.Create(half, half);
        for (int i = 0; i < n; i += 32)
        {
            uint bits = *(uint*)(bitmap + i / 8);
            Vector512<ushort> sent = Vector512.Equals(Vector512.Create(Vector256.Create((ushort)bits), Vector256.Create((ushort)(bits >> 16))) & lanes, lanes);
            Vector512<ushort> token = Avx512BW.ConvertToVector512UInt16(Vector256.Load(tokens + kept) + first);
            Vector512<ushort> low = Avx512BW.ConvertToVector512UInt16(Vector256.Load(lows + kept));
            Vector512<ushort> code = (token << lowBits | low) + floor;
            if (halves) code = code >>> 1 | code << 15;
            Vector512<ushort> spread = Avx512Vbmi2.Expand(Vector512<ushort>.Zero, sent, code);
            if (stream) spread.StoreAlignedNonTemporal(codes + i);
            else spread.Store(codes + i);
            kept += (uint)BitOperations.PopCount(bits);
        }
        if ((n - 1 & 63) < 32) Vector512<ushort>.Zero.Store(codes + (n + 63 & ~63) - 32);
        return (int)kept;
    }
}
