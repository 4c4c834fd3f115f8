using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>
/// Interleaved rANS, encoding: the mirror of <see cref="RansDecoder"/>. It works from the last symbol to the first and writes the bytes downwards, so that a
/// decoder reads them upwards. A state x ≥ f·2^15 gives its low byte away first; then it becomes 256·⌊x/f⌋ + x mod f + start.
/// </summary>
internal static unsafe class RansEncoder
{
    /// <summary>What a run of symbols writes and moves on.</summary>
    public ref struct Cursor
    {
        /// <summary>[lanes] states.</summary>
        public uint* States;

        /// <summary>A power of two, at most 128.</summary>
        public int Lanes;

        /// <summary>The byte that was written last; below it there is room for one byte per symbol and 64 that are overwritten.</summary>
        public byte* Bytes;

        /// <summary>Lane after that of the next symbol: symbols are counted from the end.</summary>
        public int Lane;
    }

    /// <summary>Encodes a run of symbols of one table, the last one first.</summary>
    /// <param name="table">Its frequencies; each symbol occurs in it.</param>
    /// <param name="cursor">Where the stream is; moved on.</param>
    /// <param name="symbols">[count].</param>
    /// <param name="count">How many.</param>
    /// <param name="path">Code path.</param>
    public static void Run(RansTable table, ref Cursor cursor, byte* symbols, int count, SimdPath path)
    {
        if (table.Only >= 0) return;
        if (cursor.Lanes == RansDecoder.VectorLanes && path != SimdPath.Scalar)
        {
            int head = Math.Min(count, cursor.Lane & RansDecoder.VectorLanes - 1);
            Scalar(table, ref cursor, symbols + count - head, head);
            count -= head;
            int rounds = count / RansDecoder.VectorLanes;
            symbols += count - rounds * RansDecoder.VectorLanes;
            if (path == SimdPath.Vector512) Vector512Rounds(table, ref cursor, symbols, rounds);
            else if (path == SimdPath.Vector256) Vector256Rounds(table, ref cursor, symbols, rounds);
            else Vector128Rounds(table, ref cursor, symbols, rounds);
            count -= rounds * RansDecoder.VectorLanes;
            symbols -= count;
        }
        Scalar(table, ref cursor, symbols, count);
    }

    [MethodImpl(Jit.Kernel)]
    private static void Scalar(RansTable table, ref Cursor cursor, byte* symbols, int count)
    {
        ulong* steps = table.Steps;
        uint* states = cursor.States;
        byte* bytes = cursor.Bytes;
        int mask = cursor.Lanes - 1, lane = cursor.Lane;
        for (int i = count; i > 0;)
        {
            // Down to lane 0, so that the lane needs no mask.
            lane = (lane - 1 & mask) + 1;
            int stop = Math.Max(0, i - lane);
            while (i > stop)
            {
                ulong step = steps[symbols[--i]];
                uint x = states[--lane], complement = (uint)(step >> 48);
                int given = (int)(x + (complement << 15) >> 23); // x ≥ 2^23 − (256 − f)·2^15 = f·2^15
                bytes[-1] = (byte)x;
                bytes -= given;
                x >>= given << 3;
                uint quotient = (uint)((ulong)x * (uint)step >> 31);
                states[lane] = x + (byte)(step >> 32) + quotient * complement;
            }
        }
        cursor.Bytes = bytes;
        cursor.Lane = lane;
    }

    // The vectors keep a state x = 256·h + l as a byte l in the lanes' order and 16 bits h in the order in which unpacking bytes with zeros gives them. Since
    // ⌊x/f⌋ < 2^15 and x mod f + start < 256, these are just the new h and l.
    [MethodImpl(Jit.Kernel)]
    private static void Vector512Rounds(RansTable table, ref Cursor cursor, byte* symbols, int rounds)
    {
        byte* bytes = cursor.Bytes;
        uint* x = cursor.States;
        var tables = new Tables512(
            Vector512.Load(table.Frequencies), Vector512.Load(table.Starts), Vector512.Load(table.ReciprocalsLow), Vector512.Load(table.ReciprocalsHigh));
        (Vector512<byte> low0, Vector512<ushort> a0, Vector512<ushort> b0) = RansStates.Load512(x);
        (Vector512<byte> low1, Vector512<ushort> a1, Vector512<ushort> b1) = RansStates.Load512(x + 64);
        for (nint i = (nint)(rounds - 1) * RansDecoder.VectorLanes; i >= 0; i -= RansDecoder.VectorLanes)
        {
            Step512(Vector512.Load(symbols + i + 64), tables, ref low1, ref a1, ref b1, ref bytes);
            Step512(Vector512.Load(symbols + i), tables, ref low0, ref a0, ref b0, ref bytes);
        }
        RansStates.Store512(x, low0, a0, b0);
        RansStates.Store512(x + 64, low1, a1, b1);
        cursor.Bytes = bytes;
    }

    private readonly struct Tables512(Vector512<byte> frequencies, Vector512<byte> starts, Vector512<byte> low, Vector512<byte> high)
    {
        public readonly Vector512<byte> Frequencies = frequencies, Starts = starts, Low = low, High = high;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step512(Vector512<byte> symbols, in Tables512 tables, ref Vector512<byte> low, ref Vector512<ushort> a, ref Vector512<ushort> b,
        ref byte* bytes)
    {
        Vector512<byte> f = Avx512Vbmi.PermuteVar64x8(tables.Frequencies, symbols), start = Avx512Vbmi.PermuteVar64x8(tables.Starts, symbols);
        Vector512<byte> mLow = Avx512Vbmi.PermuteVar64x8(tables.Low, symbols), mHigh = Avx512Vbmi.PermuteVar64x8(tables.High, symbols);
        Vector512<ushort> fA = Avx512BW.UnpackLow(f, Vector512<byte>.Zero).AsUInt16(), fB = Avx512BW.UnpackHigh(f, Vector512<byte>.Zero).AsUInt16();
        Vector512<ushort> mA = Avx512BW.UnpackLow(mLow, mHigh).AsUInt16(), mB = Avx512BW.UnpackHigh(mLow, mHigh).AsUInt16();
        Vector512<ushort> lA = Avx512BW.UnpackLow(low, Vector512<byte>.Zero).AsUInt16(), lB = Avx512BW.UnpackHigh(low, Vector512<byte>.Zero).AsUInt16();
        // x ≥ f·2^15 exactly when h » 7 ≥ f.
        Vector512<ushort> topA = a >>> 7, topB = b >>> 7;
        Vector512<byte> given = Vector512.GreaterThanOrEqual(Avx512BW.PackUnsignedSaturate(topA.AsInt16(), topB.AsInt16()), f);
        int count = BitOperations.PopCount(given.ExtractMostSignificantBits());
        // The bytes of this step end where the last ones began: they are moved to the upper end of the vector, and what lies below is overwritten later.
        Vector512<byte> packed = Avx512Vbmi2.Compress(Vector512<byte>.Zero, given, low);
        Avx512Vbmi.PermuteVar64x8(packed, Vector512<byte>.Indices + Vector512.Create((byte)count)).Store(bytes - 64);
        bytes -= count;
        Vector512<ushort> keptA = ((topA - fA).AsInt16() >> 15).AsUInt16(), keptB = ((topB - fB).AsInt16() >> 15).AsUInt16();
        var last = Vector512.Create((ushort)255);
        lA = Vector512.ConditionalSelect(keptA, lA, a & last);
        lB = Vector512.ConditionalSelect(keptB, lB, b & last);
        a = Vector512.ConditionalSelect(keptA, a, a >>> 8);
        b = Vector512.ConditionalSelect(keptB, b, b >>> 8);
        // Long division by bytes: h, then 256·(h mod f) + l, which is below 2^16.
        Vector512<ushort> upperA = Divide512(ref a, mA, fA), upperB = Divide512(ref b, mB, fB);
        lA |= a << 8;
        lB |= b << 8;
        Vector512<ushort> lowerA = Divide512(ref lA, mA, fA), lowerB = Divide512(ref lB, mB, fB), both = Vector512.Create((ushort)257);
        a = (upperA << 8) + (lowerA + both);
        b = (upperB << 8) + (lowerB + both);
        low = Avx512BW.PackUnsignedSaturate(lA.AsInt16(), lB.AsInt16()) + start;
    }

    /// <summary>
    /// ⌊v/f⌋ − 1; v becomes v mod f. With m = ⌊2^16/f⌋, or 2^16 − 1 where f = 1, v·m/2^16 is less than v/f by at most v/2^16, so that its integer part is
    /// ⌊v/f⌋ or one less.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ushort> Divide512(ref Vector512<ushort> v, Vector512<ushort> m, Vector512<ushort> f)
    {
        Vector512<ushort> quotient = Avx512BW.MultiplyHigh(v, m);
        v -= quotient * f;
        Vector512<ushort> less = v - f;
        v = Vector512.Min(v, less); // Where v < f the difference wraps to a large number.
        return quotient + (less.AsInt16() >> 15).AsUInt16();
    }

    [MethodImpl(Jit.Kernel)]
    private static void Vector256Rounds(RansTable table, ref Cursor cursor, byte* symbols, int rounds)
    {
        byte* bytes = cursor.Bytes, compress = LaneTables.CompressUp8;
        byte* low = stackalloc byte[RansDecoder.VectorLanes];
        ushort* high = stackalloc ushort[RansDecoder.VectorLanes];
        RansStates.Split256(cursor.States, low, high);
        for (nint i = (nint)rounds * RansDecoder.VectorLanes - 32; i >= 0; i -= 32)
        {
            nint lane = i & RansDecoder.VectorLanes - 1;
            Step256(Vector256.Load(symbols + i), table, low + lane, high + lane, compress, ref bytes);
        }
        RansStates.Join256(cursor.States, low, high);
        cursor.Bytes = bytes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step256(Vector256<byte> symbols, RansTable table, byte* low, ushort* high, byte* compress, ref byte* bytes)
    {
        int used = table.Count;
        Vector256<byte> f = ByteLookup256.InFew(table.Frequencies, symbols, used);
        Vector256<byte> mLow = ByteLookup256.InFew(table.ReciprocalsLow, symbols, used), mHigh = ByteLookup256.InFew(table.ReciprocalsHigh, symbols, used);
        Vector256<ushort> fA = Avx2.UnpackLow(f, Vector256<byte>.Zero).AsUInt16(), fB = Avx2.UnpackHigh(f, Vector256<byte>.Zero).AsUInt16();
        Vector256<ushort> mA = Avx2.UnpackLow(mLow, mHigh).AsUInt16(), mB = Avx2.UnpackHigh(mLow, mHigh).AsUInt16();
        Vector256<byte> l = Vector256.Load(low);
        Vector256<ushort> a = Vector256.Load(high), b = Vector256.Load(high + 16);
        Vector256<ushort> lA = Avx2.UnpackLow(l, Vector256<byte>.Zero).AsUInt16(), lB = Avx2.UnpackHigh(l, Vector256<byte>.Zero).AsUInt16();
        Vector256<ushort> keptA = (((a >>> 7) - fA).AsInt16() >> 15).AsUInt16(), keptB = (((b >>> 7) - fB).AsInt16() >> 15).AsUInt16();
        uint given = ~Avx2.PackSignedSaturate(keptA.AsInt16(), keptB.AsInt16()).ExtractMostSignificantBits();
        GiveLow(low, 32, given, compress, ref bytes);
        var last = Vector256.Create((ushort)255);
        lA = Avx2.BlendVariable(a & last, lA, keptA);
        lB = Avx2.BlendVariable(b & last, lB, keptB);
        a = Avx2.BlendVariable(a >>> 8, a, keptA);
        b = Avx2.BlendVariable(b >>> 8, b, keptB);
        Vector256<ushort> upperA = Divide256(ref a, mA, fA), upperB = Divide256(ref b, mB, fB);
        lA |= a << 8;
        lB |= b << 8;
        Vector256<ushort> lowerA = Divide256(ref lA, mA, fA), lowerB = Divide256(ref lB, mB, fB), both = Vector256.Create((ushort)257);
        ((upperA << 8) + (lowerA + both)).Store(high);
        ((upperB << 8) + (lowerB + both)).Store(high + 16);
        (Avx2.PackUnsignedSaturate(lA.AsInt16(), lB.AsInt16()) + ByteLookup256.InFew(table.Starts, symbols, used)).Store(low);
    }

    /// <inheritdoc cref="Divide512"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ushort> Divide256(ref Vector256<ushort> v, Vector256<ushort> m, Vector256<ushort> f)
    {
        Vector256<ushort> quotient = Avx2.MultiplyHigh(v, m);
        v -= quotient * f;
        Vector256<ushort> less = v - f;
        v = Vector256.Min(v, less);
        return quotient + (less.AsInt16() >> 15).AsUInt16();
    }

    [MethodImpl(Jit.Kernel)]
    private static void Vector128Rounds(RansTable table, ref Cursor cursor, byte* symbols, int rounds)
    {
        byte* bytes = cursor.Bytes, compress = LaneTables.CompressUp8;
        byte* low = stackalloc byte[RansDecoder.VectorLanes];
        ushort* high = stackalloc ushort[RansDecoder.VectorLanes];
        RansStates.Split128(cursor.States, low, high);
        for (nint i = (nint)rounds * RansDecoder.VectorLanes - 16; i >= 0; i -= 16)
        {
            nint lane = i & RansDecoder.VectorLanes - 1;
            Step128(Vector128.Load(symbols + i), table, low + lane, high + lane, compress, ref bytes);
        }
        RansStates.Join128(cursor.States, low, high);
        cursor.Bytes = bytes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step128(Vector128<byte> symbols, RansTable table, byte* low, ushort* high, byte* compress, ref byte* bytes)
    {
        int used = table.Count;
        Vector128<byte> f = Vectors128.InFew(table.Frequencies, symbols, used);
        Vector128<byte> mLow = Vectors128.InFew(table.ReciprocalsLow, symbols, used), mHigh = Vectors128.InFew(table.ReciprocalsHigh, symbols, used);
        (Vector128<ushort> fA, Vector128<ushort> fB) = Vectors128.Join(f, Vector128<byte>.Zero);
        (Vector128<ushort> mA, Vector128<ushort> mB) = Vectors128.Join(mLow, mHigh);
        Vector128<byte> l = Vector128.Load(low);
        Vector128<ushort> a = Vector128.Load(high), b = Vector128.Load(high + 8);
        (Vector128<ushort> lA, Vector128<ushort> lB) = Vectors128.Join(l, Vector128<byte>.Zero);
        Vector128<ushort> keptA = (((a >>> 7) - fA).AsInt16() >> 15).AsUInt16(), keptB = (((b >>> 7) - fB).AsInt16() >> 15).AsUInt16();
        uint given = ~Vector128.NarrowWithSaturation(keptA.AsInt16(), keptB.AsInt16()).ExtractMostSignificantBits();
        GiveLow(low, 16, given, compress, ref bytes);
        var last = Vector128.Create((ushort)255);
        lA = Vectors128.Choice(keptA, a & last, lA);
        lB = Vectors128.Choice(keptB, b & last, lB);
        a = Vectors128.Choice(keptA, a >>> 8, a);
        b = Vectors128.Choice(keptB, b >>> 8, b);
        Vector128<ushort> upperA = Divide128(ref a, mA, fA), upperB = Divide128(ref b, mB, fB);
        lA |= a << 8;
        lB |= b << 8;
        Vector128<ushort> lowerA = Divide128(ref lA, mA, fA), lowerB = Divide128(ref lB, mB, fB), both = Vector128.Create((ushort)257);
        ((upperA << 8) + (lowerA + both)).Store(high);
        ((upperB << 8) + (lowerB + both)).Store(high + 8);
        (Vectors128.Pack(lA, lB) + Vectors128.InFew(table.Starts, symbols, used)).Store(low);
    }

    /// <inheritdoc cref="Divide512"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> Divide128(ref Vector128<ushort> v, Vector128<ushort> m, Vector128<ushort> f)
    {
        Vector128<ushort> quotient = Vectors128.MultiplyHigh(v, m);
        v -= quotient * f;
        Vector128<ushort> less = v - f;
        v = Vector128.Min(v, less);
        return quotient + (less.AsInt16() >> 15).AsUInt16();
    }

    /// <summary>Writes the low bytes of those of some lanes, a multiple of 8, whose bit of a mask is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void GiveLow(byte* low, int lanes, uint given, byte* compress, ref byte* bytes)
    {
        for (int part = lanes - 8; part >= 0; part -= 8)
        {
            uint bits = given >> part & 255;
            Vector128<byte> eight = Vector128.CreateScalarUnsafe(*(ulong*)(low + part)).AsByte();
            Vector128<byte> from = Vector128.CreateScalarUnsafe(*(ulong*)(compress + 8 * bits)).AsByte();
            *(ulong*)(bytes - 8) = Vector128.ShuffleNative(eight, from).AsUInt64().ToScalar();
            bytes -= (uint)BitOperations.PopCount(bits);
        }
    }
}
