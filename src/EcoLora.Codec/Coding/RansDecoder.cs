using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>
/// Interleaved rANS, decoding: symbol j is on lane j mod lanes; a state x in [2^15, 2^31) gives the symbol of slot x mod 256, becomes f·⌊x/256⌋ + slot − start,
/// and takes 16 more bits when it falls below 2^15. All lanes share one stream of words, taken in the order of the symbols.
/// </summary>
internal static unsafe class RansDecoder
{
    /// <summary>Lanes that the vector kernels work on: two groups whose chains of dependent steps overlap.</summary>
    public const int VectorLanes = 128;

    /// <summary>Least state.</summary>
    public const uint LowerBound = 1 << 15;

    /// <summary>What a run of symbols reads and moves on.</summary>
    public ref struct Cursor
    {
        /// <summary>[lanes] states.</summary>
        public uint* States;

        /// <summary>A power of two, at most 128.</summary>
        public int Lanes;

        /// <summary>Next word.</summary>
        public ushort* Words;

        /// <summary>After the last word of the stream.</summary>
        public ushort* End;

        /// <summary>After the last word that may be touched; at or after <see cref="End"/>.</summary>
        public ushort* Readable;

        /// <summary>Lane of the next symbol.</summary>
        public int Lane;
    }

    /// <summary>Decodes a run of symbols of one table.</summary>
    /// <param name="table">Its frequencies.</param>
    /// <param name="cursor">Where the stream is; moved on.</param>
    /// <param name="symbols">[count] receives them.</param>
    /// <param name="count">How many.</param>
    /// <param name="path">Code path.</param>
    /// <returns>False when the words ran out.</returns>
    public static bool Run(RansTable table, ref Cursor cursor, byte* symbols, int count, SimdPath path)
    {
        if (table.Only >= 0)
        {
            new Span<byte>(symbols, count).Fill((byte)table.Only);
            return true;
        }
        int done = 0;
        if (cursor.Lanes == VectorLanes && path != SimdPath.Scalar)
        {
            done = Math.Min(count, VectorLanes - cursor.Lane & VectorLanes - 1);
            if (!Scalar(table, ref cursor, symbols, done)) return false;
            done += path == SimdPath.Vector512
                ? Vector512Rounds(table, ref cursor, symbols + done, count - done)
                : Vector256Rounds(table, ref cursor, symbols + done, count - done);
            if (cursor.Words > cursor.End) return false;
        }
        return Scalar(table, ref cursor, symbols + done, count - done);
    }

    private static bool Scalar(RansTable table, ref Cursor cursor, byte* symbols, int count)
    {
        uint* slots = table.Slots, states = cursor.States;
        ushort* words = cursor.Words, end = cursor.End;
        int mask = cursor.Lanes - 1, lane = cursor.Lane, i = 0;
        // Branch-free while a word may be read whether or not it is needed.
        for (int rounds = (int)Math.Min(count, Math.Max(0, end - words)); rounds > 0; rounds = (int)Math.Min(count - i, Math.Max(0, end - words)))
        {
            for (int stop = i + rounds; i < stop; i++)
            {
                uint x = states[lane], slot = slots[x & 255], y = (slot & 255) * (x >> 8) + (slot >> 8 & 255);
                uint taken = y - LowerBound >> 31; // y < 2^31, so the difference is negative exactly when y is below.
                states[lane] = y << (int)(taken << 4) | *words & 0u - taken;
                words += taken;
                symbols[i] = (byte)(slot >> 16);
                lane = lane + 1 & mask;
            }
        }
        for (; i < count; i++)
        {
            uint x = states[lane], slot = slots[x & 255], y = (slot & 255) * (x >> 8) + (slot >> 8 & 255);
            if (y < LowerBound) return false; // No word is left.
            states[lane] = y;
            symbols[i] = (byte)(slot >> 16);
            lane = lane + 1 & mask;
        }
        cursor.Words = words;
        cursor.Lane = lane;
        return true;
    }

    private static int Vector512Rounds(RansTable table, ref Cursor cursor, byte* symbols, int count)
    {
        byte* s = table.Symbols;
        Vector512<byte> s0 = Vector512.Load(s), s1 = Vector512.Load(s + 64), s2 = Vector512.Load(s + 128), s3 = Vector512.Load(s + 192);
        Vector512<byte> f = Vector512.Load(table.Frequencies), c = Vector512.Load(table.Starts);
        Vector512<byte> w0 = Widening(0), w1 = Widening(1), w2 = Widening(2), w3 = Widening(3);
        Vector512<byte> narrow = Narrowing();
        uint* x = cursor.States;
        Vector512<uint> x0 = Vector512.Load(x), x1 = Vector512.Load(x + 16), x2 = Vector512.Load(x + 32), x3 = Vector512.Load(x + 48);
        Vector512<uint> x4 = Vector512.Load(x + 64), x5 = Vector512.Load(x + 80), x6 = Vector512.Load(x + 96), x7 = Vector512.Load(x + 112);
        ushort* words = cursor.Words, last = cursor.Readable - VectorLanes - 16, end = cursor.End;
        int done = 0;
        for (; done + VectorLanes <= count && words <= last && words <= end; done += VectorLanes)
        {
            Vector512<byte> slotA = Low(x0, x1, x2, x3, narrow), slotB = Low(x4, x5, x6, x7, narrow);
            Vector512<byte> symbolA = Select(slotA, s0, s1, s2, s3), symbolB = Select(slotB, s0, s1, s2, s3);
            symbolA.Store(symbols + done);
            symbolB.Store(symbols + done + 64);
            Vector512<byte> fA = Avx512Vbmi.PermuteVar64x8(f, symbolA), fB = Avx512Vbmi.PermuteVar64x8(f, symbolB);
            Vector512<byte> bA = slotA - Avx512Vbmi.PermuteVar64x8(c, symbolA), bB = slotB - Avx512Vbmi.PermuteVar64x8(c, symbolB);
            x0 = Step(x0, fA, bA, w0, ref words);
            x1 = Step(x1, fA, bA, w1, ref words);
            x2 = Step(x2, fA, bA, w2, ref words);
            x3 = Step(x3, fA, bA, w3, ref words);
            x4 = Step(x4, fB, bB, w0, ref words);
            x5 = Step(x5, fB, bB, w1, ref words);
            x6 = Step(x6, fB, bB, w2, ref words);
            x7 = Step(x7, fB, bB, w3, ref words);
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
        return done;
    }

    /// <summary>The low byte of each of 64 states, in the order of the lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Low(Vector512<uint> a, Vector512<uint> b, Vector512<uint> c, Vector512<uint> d, Vector512<byte> narrow)
    {
        Vector256<byte> low = Avx512Vbmi.PermuteVar64x8x2(a.AsByte(), narrow, b.AsByte()).GetLower();
        Vector256<byte> high = Avx512Vbmi.PermuteVar64x8x2(c.AsByte(), narrow, d.AsByte()).GetLower();
        return Vector512.Create(low, high);
    }

    /// <summary>256-entry lookup by byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Select(Vector512<byte> slot, Vector512<byte> s0, Vector512<byte> s1, Vector512<byte> s2, Vector512<byte> s3) =>
        Vector512.ConditionalSelect(
            Vector512.LessThan(slot.AsSByte(), Vector512<sbyte>.Zero).AsByte(),
            Avx512Vbmi.PermuteVar64x8x2(s2, slot, s3),
            Avx512Vbmi.PermuteVar64x8x2(s0, slot, s1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Step(Vector512<uint> x, Vector512<byte> f, Vector512<byte> bias, Vector512<byte> widening, ref ushort* words)
    {
        var low = Vector512.Create(255u);
        Vector512<uint> frequency = Avx512Vbmi.PermuteVar64x8(f, widening).AsUInt32() & low;
        Vector512<uint> y = frequency * (x >>> 8) + (Avx512Vbmi.PermuteVar64x8(bias, widening).AsUInt32() & low);
        Vector512<uint> below = Vector512.LessThan(y, Vector512.Create(LowerBound));
        Vector512<uint> taken = Avx512F.Expand(Vector512<uint>.Zero, below, Avx512F.ConvertToVector512UInt32(Vector256.Load(words)));
        words += (uint)BitOperations.PopCount(below.ExtractMostSignificantBits());
        return Vector512.ConditionalSelect(below, y << 16 | taken, y);
    }

    /// <summary>Byte indexes that move byte 16k + j to the low byte of 32-bit lane j.</summary>
    private static Vector512<byte> Widening(int k)
    {
        byte* bytes = stackalloc byte[64];
        for (int j = 0; j < 64; j++) bytes[j] = (byte)(16 * k + j / 4);
        return Vector512.Load(bytes);
    }

    /// <summary>Byte indexes that collect the low bytes of the 32 lanes of two vectors.</summary>
    private static Vector512<byte> Narrowing()
    {
        byte* bytes = stackalloc byte[64];
        for (int j = 0; j < 64; j++) bytes[j] = (byte)(4 * (j & 31));
        return Vector512.Load(bytes);
    }

    private static int Vector256Rounds(RansTable table, ref Cursor cursor, byte* symbols, int count)
    {
        uint* states = cursor.States, slots = table.Slots;
        ushort* words = cursor.Words, last = cursor.Readable - VectorLanes - 8, end = cursor.End;
        var low = Vector256.Create(255u);
        var bound = Vector256.Create((int)LowerBound);
        int done = 0;
        for (; done + VectorLanes <= count && words <= last && words <= end; done += VectorLanes)
        {
            for (int lane = 0; lane < VectorLanes; lane += 8)
            {
                Vector256<uint> x = Vector256.Load(states + lane);
                Vector256<uint> slot = Avx2.GatherVector256(slots, (x & low).AsInt32(), 4);
                Vector256<uint> y = (slot & low) * (x >>> 8) + (slot >>> 8 & low);
                Vector256<int> below = Vector256.LessThan(y.AsInt32(), bound);
                uint bits = below.ExtractMostSignificantBits();
                Vector256<uint> taken = Avx2.PermuteVar8x32(
                    Avx2.ConvertToVector256Int32(Vector128.Load(words)).AsUInt32(), Avx2.ConvertToVector256Int32(LaneTables.Expand8 + 8 * bits).AsUInt32());
                words += (uint)BitOperations.PopCount(bits);
                Vector256.ConditionalSelect(below.AsUInt32(), y << 16 | taken, y).Store(states + lane);
                Vector256<uint> symbol = slot >>> 16;
                Vector128<ushort> narrow = Sse41.PackUnsignedSaturate(symbol.GetLower().AsInt32(), symbol.GetUpper().AsInt32());
                *(ulong*)(symbols + done + lane) = Sse2.PackUnsignedSaturate(narrow.AsInt16(), narrow.AsInt16()).AsUInt64().ToScalar();
            }
        }
        cursor.Words = words;
        return done;
    }
}
