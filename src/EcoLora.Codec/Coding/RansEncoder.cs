using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>
/// Interleaved rANS, encoding: the mirror of <see cref="RansDecoder"/>. It works from the last symbol to the first and writes the words downwards, so that a
/// decoder reads them upwards. A state x ≥ 2^23·f gives its low 16 bits away first; then x becomes 256·⌊x/f⌋ + x mod f + start = x + bias + ⌊x/f⌋·(256 − f).
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

        /// <summary>The word that was written last; below it there is room for one word per symbol and 32 bytes that are overwritten.</summary>
        public ushort* Words;

        /// <summary>Lane after that of the next symbol: symbols are counted from the end.</summary>
        public int Lane;
    }

    private interface ITableWidth;

    private readonly struct Of16 : ITableWidth;

    private readonly struct Of32 : ITableWidth;

    private readonly struct Of64 : ITableWidth;

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
            if (path != SimdPath.Vector512) Vector256Rounds(table, ref cursor, symbols, rounds);
            else if (table.Count <= 16) Vector512Rounds<Of16>(table, ref cursor, symbols, rounds);
            else if (table.Count <= 32) Vector512Rounds<Of32>(table, ref cursor, symbols, rounds);
            else Vector512Rounds<Of64>(table, ref cursor, symbols, rounds);
            count -= rounds * RansDecoder.VectorLanes;
            symbols -= count;
        }
        Scalar(table, ref cursor, symbols, count);
    }

    private static void Scalar(RansTable table, ref Cursor cursor, byte* symbols, int count)
    {
        uint* steps = table.Steps, reciprocals = table.Reciprocals, states = cursor.States;
        ushort* words = cursor.Words;
        int mask = cursor.Lanes - 1, lane = cursor.Lane;
        for (int i = count - 1; i >= 0; i--)
        {
            lane = lane - 1 & mask;
            uint x = states[lane], step = steps[symbols[i]], complement = step >> 23;
            uint given = x + (complement << 23) >> 31; // x ≥ 2^31 − (256 − f)·2^23 = f·2^23
            words[-1] = (ushort)x;
            words -= given;
            x >>= (int)(given << 4);
            uint quotient = (uint)((ulong)x * reciprocals[symbols[i]] >> 32) >> (int)(step >> 9 & 31);
            states[lane] = x + (step & 511) + quotient * complement;
        }
        cursor.Words = words;
        cursor.Lane = lane;
    }

    private static void Vector512Rounds<TWidth>(RansTable table, ref Cursor cursor, byte* symbols, int rounds)
        where TWidth : struct, ITableWidth
    {
        uint* s = table.Steps, r = table.Reciprocals, x = cursor.States;
        Vector512<uint> s0 = Vector512.Load(s), s1 = Vector512.Load(s + 16), s2 = Vector512.Load(s + 32), s3 = Vector512.Load(s + 48);
        Vector512<uint> r0 = Vector512.Load(r), r1 = Vector512.Load(r + 16), r2 = Vector512.Load(r + 32), r3 = Vector512.Load(r + 48);
        Vector512<uint> x0 = Vector512.Load(x), x1 = Vector512.Load(x + 16), x2 = Vector512.Load(x + 32), x3 = Vector512.Load(x + 48);
        Vector512<uint> x4 = Vector512.Load(x + 64), x5 = Vector512.Load(x + 80), x6 = Vector512.Load(x + 96), x7 = Vector512.Load(x + 112);
        Vector256<ushort> iota = Vector256<ushort>.Indices;
        ushort* words = cursor.Words;
        for (int round = rounds - 1; round >= 0; round--)
        {
            byte* at = symbols + round * RansDecoder.VectorLanes;
            x7 = Step<TWidth>(x7, at + 112, s0, s1, s2, s3, r0, r1, r2, r3, iota, ref words);
            x6 = Step<TWidth>(x6, at + 96, s0, s1, s2, s3, r0, r1, r2, r3, iota, ref words);
            x5 = Step<TWidth>(x5, at + 80, s0, s1, s2, s3, r0, r1, r2, r3, iota, ref words);
            x4 = Step<TWidth>(x4, at + 64, s0, s1, s2, s3, r0, r1, r2, r3, iota, ref words);
            x3 = Step<TWidth>(x3, at + 48, s0, s1, s2, s3, r0, r1, r2, r3, iota, ref words);
            x2 = Step<TWidth>(x2, at + 32, s0, s1, s2, s3, r0, r1, r2, r3, iota, ref words);
            x1 = Step<TWidth>(x1, at + 16, s0, s1, s2, s3, r0, r1, r2, r3, iota, ref words);
            x0 = Step<TWidth>(x0, at, s0, s1, s2, s3, r0, r1, r2, r3, iota, ref words);
        }
        x0.Store(x);
        x1.Store(x + 16);
        x2.Store(x + 32);
        x3.Store(x + 48);
        x4.Store(x + 64);
        x5.Store(x + 80);
        x6.Store(x + 96);
        x7.Store(x + 112);
        cursor.Words = words;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Step<TWidth>(Vector512<uint> x, byte* symbols, Vector512<uint> s0, Vector512<uint> s1, Vector512<uint> s2,
        Vector512<uint> s3, Vector512<uint> r0, Vector512<uint> r1, Vector512<uint> r2, Vector512<uint> r3, Vector256<ushort> iota, ref ushort* words)
        where TWidth : struct, ITableWidth
    {
        Vector512<uint> symbol = Avx512F.ConvertToVector512UInt32(Vector128.Load(symbols)), step, reciprocal;
        if (typeof(TWidth) == typeof(Of16))
        {
            step = Avx512F.PermuteVar16x32(s0, symbol);
            reciprocal = Avx512F.PermuteVar16x32(r0, symbol);
        }
        else if (typeof(TWidth) == typeof(Of32))
        {
            step = Avx512F.PermuteVar16x32x2(s0, symbol, s1);
            reciprocal = Avx512F.PermuteVar16x32x2(r0, symbol, r1);
        }
        else
        {
            Vector512<uint> upper = Vector512.GreaterThan(symbol, Vector512.Create(31u));
            step = Vector512.ConditionalSelect(upper, Avx512F.PermuteVar16x32x2(s2, symbol, s3), Avx512F.PermuteVar16x32x2(s0, symbol, s1));
            reciprocal = Vector512.ConditionalSelect(upper, Avx512F.PermuteVar16x32x2(r2, symbol, r3), Avx512F.PermuteVar16x32x2(r0, symbol, r1));
        }
        Vector512<uint> complement = step >>> 23;
        Vector512<uint> given = Vector512.LessThan((x + (complement << 23)).AsInt32(), Vector512<int>.Zero).AsUInt32();
        uint count = (uint)BitOperations.PopCount(given.ExtractMostSignificantBits());
        // The words of this step end where the last ones began: they are moved to the upper end of the vector, and what lies below is overwritten later.
        Vector256<ushort> packed = Avx512F.ConvertToVector256UInt16(Avx512F.Compress(Vector512<uint>.Zero, given, x));
        Avx512BW.VL.PermuteVar16x16(packed, iota + Vector256.Create((ushort)count)).Store(words - 16);
        words -= count;
        x = Vector512.ConditionalSelect(given, x >>> 16, x);
        Vector512<uint> even = (Avx512F.Multiply(x, reciprocal) >>> 32).AsUInt32();
        Vector512<uint> odd = Avx512F.Multiply((x.AsUInt64() >>> 32).AsUInt32(), (reciprocal.AsUInt64() >>> 32).AsUInt32()).AsUInt32();
        Vector512<uint> high = Vector512.ConditionalSelect(Vector512.Create(0xFFFFFFFF00000000UL).AsUInt32(), odd, even);
        Vector512<uint> quotient = Avx512F.ShiftRightLogicalVariable(high, step >>> 9 & Vector512.Create(31u));
        return x + (step & Vector512.Create(511u)) + quotient * complement;
    }

    private static void Vector256Rounds(RansTable table, ref Cursor cursor, byte* symbols, int rounds)
    {
        uint* steps = table.Steps, reciprocals = table.Reciprocals, states = cursor.States;
        ushort* words = cursor.Words;
        for (int i = rounds * RansDecoder.VectorLanes - 8; i >= 0; i -= 8)
        {
            uint* state = states + (i & RansDecoder.VectorLanes - 1);
            Vector256<uint> x = Vector256.Load(state);
            Vector256<int> symbol = Avx2.ConvertToVector256Int32(symbols + i);
            Vector256<uint> step = Avx2.GatherVector256(steps, symbol, 4), reciprocal = Avx2.GatherVector256(reciprocals, symbol, 4);
            Vector256<uint> complement = step >>> 23;
            Vector256<int> given = Vector256.ShiftRightArithmetic((x + (complement << 23)).AsInt32(), 31);
            uint bits = given.ExtractMostSignificantBits();
            Vector256<uint> upper = Avx2.PermuteVar8x32(
                x, Avx2.ConvertToVector256Int32(LaneTables.CompressUp8 + 8 * bits).AsUInt32()) & Vector256.Create(0xFFFFu);
            Sse41.PackUnsignedSaturate(upper.GetLower().AsInt32(), upper.GetUpper().AsInt32()).Store(words - 8);
            words -= (uint)BitOperations.PopCount(bits);
            x = Vector256.ConditionalSelect(given.AsUInt32(), x >>> 16, x);
            Vector256<uint> even = (Avx2.Multiply(x, reciprocal) >>> 32).AsUInt32();
            Vector256<uint> odd = Avx2.Multiply((x.AsUInt64() >>> 32).AsUInt32(), (reciprocal.AsUInt64() >>> 32).AsUInt32()).AsUInt32();
            Vector256<uint> high = Avx2.Blend(even, odd, 0b10101010);
            Vector256<uint> quotient = Avx2.ShiftRightLogicalVariable(high, step >>> 9 & Vector256.Create(31u));
            (x + (step & Vector256.Create(511u)) + quotient * complement).Store(state);
        }
        cursor.Words = words;
    }
}
