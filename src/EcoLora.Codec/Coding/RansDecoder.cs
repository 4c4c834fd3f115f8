using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>
/// Interleaved rANS, decoding: symbol j is on lane j mod lanes; a state x in [2^15, 2^23) gives the symbol of slot x mod 256, becomes f·⌊x/256⌋ + slot − start,
/// and takes 8 more bits when it falls below 2^15. All lanes share one stream of bytes, taken in the order of the symbols.
/// </summary>
internal static unsafe class RansDecoder
{
    /// <summary>Lanes that the vector kernels work on: two groups of 64 whose chains of dependent steps overlap.</summary>
    public const int VectorLanes = 128;

    /// <summary>Least state, and the number above the largest.</summary>
    public const uint LowerBound = 1 << 15, UpperBound = 1 << 23;

    /// <summary>Bytes of a state in a frame.</summary>
    public const int StateBytes = 3;

    /// <summary>What a run of symbols reads and moves on.</summary>
    public ref struct Cursor
    {
        /// <summary>[lanes] states.</summary>
        public uint* States;

        /// <summary>A power of two, at most 128.</summary>
        public int Lanes;

        /// <summary>Next byte.</summary>
        public byte* Bytes;

        /// <summary>After the last byte of the stream.</summary>
        public byte* End;

        /// <summary>After the last byte that may be touched; at or after <see cref="End"/>.</summary>
        public byte* Readable;

        /// <summary>Lane of the next symbol.</summary>
        public int Lane;
    }

    /// <summary>Decodes a run of symbols of one table.</summary>
    /// <param name="table">Its frequencies.</param>
    /// <param name="cursor">Where the stream is; moved on.</param>
    /// <param name="symbols">[count] receives them.</param>
    /// <param name="count">How many.</param>
    /// <param name="path">Code path.</param>
    /// <returns>False when the bytes ran out.</returns>
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
            done += path switch
            {
                SimdPath.Vector512 => Vector512Rounds(table, ref cursor, symbols + done, count - done),
                SimdPath.Vector256 => Vector256Rounds(table, ref cursor, symbols + done, count - done),
                _ => Vector128Rounds(table, ref cursor, symbols + done, count - done),
            };
            if (cursor.Bytes > cursor.End) return false;
        }
        return Scalar(table, ref cursor, symbols + done, count - done);
    }

    [MethodImpl(Jit.Kernel)]
    private static bool Scalar(RansTable table, ref Cursor cursor, byte* symbols, int count)
    {
        uint* slots = table.Slots, states = cursor.States;
        byte* bytes = cursor.Bytes, end = cursor.End;
        int mask = cursor.Lanes - 1, lane = cursor.Lane, i = 0;
        // Branch-free while a byte may be read whether or not it is needed.
        for (int rounds = (int)Math.Min(count, Math.Max(0, end - bytes)); rounds > 0; rounds = (int)Math.Min(count - i, Math.Max(0, end - bytes)))
        {
            for (int stop = i + rounds; i < stop; i++)
            {
                uint x = states[lane], slot = slots[x & 255], y = (slot & 255) * (x >> 8) + (slot >> 8 & 255);
                uint taken = y - LowerBound >> 31; // y < 2^31, so the difference is negative exactly when y is below.
                states[lane] = y << (int)(taken << 3) | *bytes & 0u - taken;
                bytes += taken;
                symbols[i] = (byte)(slot >> 16);
                lane = lane + 1 & mask;
            }
        }
        for (; i < count; i++)
        {
            uint x = states[lane], slot = slots[x & 255], y = (slot & 255) * (x >> 8) + (slot >> 8 & 255);
            if (y < LowerBound) return false; // No byte is left.
            states[lane] = y;
            symbols[i] = (byte)(slot >> 16);
            lane = lane + 1 & mask;
        }
        cursor.Bytes = bytes;
        cursor.Lane = lane;
        return true;
    }

    // The vectors keep a state x = 256·h + l as RansStates says, here 2h instead of h: then the upper half of 2h·f is f·h » 15 and the lower half is twice
    // f·h mod 2^15, to which slot − start can be added without a carry out of 16 bits.
    [MethodImpl(Jit.Kernel)]
    private static int Vector512Rounds(RansTable table, ref Cursor cursor, byte* symbols, int count)
    {
        byte* s = table.Symbols, bytes = cursor.Bytes, last = cursor.Readable - VectorLanes, end = cursor.End;
        uint* x = cursor.States;
        var tables = new Tables512(
            Vector512.Load(s), Vector512.Load(s + 64), Vector512.Load(s + 128), Vector512.Load(s + 192), Vector512.Load(table.Frequencies),
            Vector512.Load(table.Starts));
        (Vector512<byte> low0, Vector512<ushort> a0, Vector512<ushort> b0) = RansStates.Load512(x);
        (Vector512<byte> low1, Vector512<ushort> a1, Vector512<ushort> b1) = RansStates.Load512(x + 64);
        a0 <<= 1;
        b0 <<= 1;
        a1 <<= 1;
        b1 <<= 1;
        nint done = 0;
        for (nint stop = count - VectorLanes; done <= stop && bytes <= last && bytes <= end; done += VectorLanes)
        {
            Step512(symbols + done, tables, ref low0, ref a0, ref b0, ref bytes);
            Step512(symbols + done + 64, tables, ref low1, ref a1, ref b1, ref bytes);
        }
        RansStates.Store512(x, low0, a0 >>> 1, b0 >>> 1);
        RansStates.Store512(x + 64, low1, a1 >>> 1, b1 >>> 1);
        cursor.Bytes = bytes;
        return (int)done;
    }

    private readonly struct Tables512(Vector512<byte> s0, Vector512<byte> s1, Vector512<byte> s2, Vector512<byte> s3, Vector512<byte> frequencies,
        Vector512<byte> starts)
    {
        public readonly Vector512<byte> Symbols0 = s0, Symbols1 = s1, Symbols2 = s2, Symbols3 = s3, Frequencies = frequencies, Starts = starts;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step512(byte* symbols, in Tables512 tables, ref Vector512<byte> low, ref Vector512<ushort> a, ref Vector512<ushort> b, ref byte* bytes)
    {
        Vector512<byte> symbol = Vector512.ConditionalSelect(
            Vector512.LessThan(low.AsSByte(), Vector512<sbyte>.Zero).AsByte(),
            Avx512Vbmi.PermuteVar64x8x2(tables.Symbols2, low, tables.Symbols3),
            Avx512Vbmi.PermuteVar64x8x2(tables.Symbols0, low, tables.Symbols1));
        symbol.Store(symbols);
        Vector512<byte> f = Avx512Vbmi.PermuteVar64x8(tables.Frequencies, symbol), bias = low - Avx512Vbmi.PermuteVar64x8(tables.Starts, symbol);
        Vector512<ushort> fA = Avx512BW.UnpackLow(f, Vector512<byte>.Zero).AsUInt16(), fB = Avx512BW.UnpackHigh(f, Vector512<byte>.Zero).AsUInt16();
        Vector512<ushort> biasA = Avx512BW.UnpackLow(bias, Vector512<byte>.Zero).AsUInt16(), biasB = Avx512BW.UnpackHigh(bias, Vector512<byte>.Zero).AsUInt16();
        // y = 2^15·(upper half) + rest; top = y » 8, which is below 2^7 exactly when y is below 2^15.
        Vector512<ushort> restA = (a * fA >>> 1) + biasA, restB = (b * fB >>> 1) + biasB;
        Vector512<ushort> topA = (Avx512BW.MultiplyHigh(a, fA) << 7) + (restA >>> 8), topB = (Avx512BW.MultiplyHigh(b, fB) << 7) + (restB >>> 8);
        Vector512<ushort> bound = Vector512.Create((ushort)128), last = Vector512.Create((ushort)255);
        a = Vector512.ConditionalSelect(Vector512.LessThan(topA, bound), restA, topA) << 1;
        b = Vector512.ConditionalSelect(Vector512.LessThan(topB, bound), restB, topB) << 1;
        // A byte of at least 128 has its highest bit set.
        Vector512<byte> taken = ~Avx512BW.PackUnsignedSaturate(topA.AsInt16(), topB.AsInt16());
        low = Avx512Vbmi2.Expand(Avx512BW.PackUnsignedSaturate((restA & last).AsInt16(), (restB & last).AsInt16()), taken, Vector512.Load(bytes));
        bytes += BitOperations.PopCount(taken.ExtractMostSignificantBits());
    }

    [MethodImpl(Jit.Kernel)]
    private static int Vector256Rounds(RansTable table, ref Cursor cursor, byte* symbols, int count)
    {
        byte* bytes = cursor.Bytes, last = cursor.Readable - VectorLanes, end = cursor.End, expand = LaneTables.Expand8;
        byte* low = stackalloc byte[VectorLanes];
        ushort* high = stackalloc ushort[VectorLanes];
        RansStates.Split256(cursor.States, low, high);
        nint done = 0;
        for (nint stop = count - VectorLanes; done <= stop && bytes <= last && bytes <= end; done += VectorLanes)
            for (nint lane = 0; lane < VectorLanes; lane += 32)
                Step256(symbols + done + lane, table, low + lane, high + lane, expand, ref bytes);
        RansStates.Join256(cursor.States, low, high);
        cursor.Bytes = bytes;
        return (int)done;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step256(byte* symbols, RansTable table, byte* low, ushort* high, byte* expand, ref byte* bytes)
    {
        Vector256<byte> l = Vector256.Load(low), symbol = ByteLookup256.InAll(table.Symbols, l);
        symbol.Store(symbols);
        int used = table.Count;
        Vector256<byte> f = ByteLookup256.InFew(table.Frequencies, symbol, used), bias = l - ByteLookup256.InFew(table.Starts, symbol, used);
        Vector256<ushort> a = Vector256.Load(high) << 1, b = Vector256.Load(high + 16) << 1;
        Vector256<ushort> fA = Avx2.UnpackLow(f, Vector256<byte>.Zero).AsUInt16(), fB = Avx2.UnpackHigh(f, Vector256<byte>.Zero).AsUInt16();
        Vector256<ushort> restA = (a * fA >>> 1) + Avx2.UnpackLow(bias, Vector256<byte>.Zero).AsUInt16();
        Vector256<ushort> restB = (b * fB >>> 1) + Avx2.UnpackHigh(bias, Vector256<byte>.Zero).AsUInt16();
        Vector256<ushort> topA = (Avx2.MultiplyHigh(a, fA) << 7) + (restA >>> 8), topB = (Avx2.MultiplyHigh(b, fB) << 7) + (restB >>> 8);
        var last = Vector256.Create((ushort)255);
        // y is below 2^15 exactly when y » 8, at most 2^15 − 1, is below 128.
        Vector256.ConditionalSelect(Vector256.LessThan(topA.AsInt16(), Vector256.Create((short)128)).AsUInt16(), restA, topA).Store(high);
        Vector256.ConditionalSelect(Vector256.LessThan(topB.AsInt16(), Vector256.Create((short)128)).AsUInt16(), restB, topB).Store(high + 16);
        Vector256<byte> kept = Avx2.PackUnsignedSaturate(topA.AsInt16(), topB.AsInt16());
        uint taken = ~kept.ExtractMostSignificantBits();
        Vector128<byte> first = Expand16(taken, expand, ref bytes), second = Expand16(taken >> 16, expand, ref bytes);
        Vector256<byte> without = Avx2.PackUnsignedSaturate((restA & last).AsInt16(), (restB & last).AsInt16());
        Avx2.BlendVariable(Vector256.Create(first, second), without, kept).Store(low);
    }

    /// <summary>The next bytes of the stream on the lanes of a mask's low 16 bits that are set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Expand16(uint mask, byte* expand, ref byte* bytes)
    {
        uint lower = mask & 255, upper = mask >> 8 & 255;
        byte* next = bytes + BitOperations.PopCount(lower);
        Vector128<byte> stream = Vector128.Create(*(ulong*)bytes, *(ulong*)next).AsByte();
        Vector128<byte> from = Vector128.Create(*(ulong*)(expand + 8 * lower), *(ulong*)(expand + 8 * upper) | 0x0808080808080808).AsByte();
        bytes = next + BitOperations.PopCount(upper);
        return Vector128.ShuffleNative(stream, from);
    }

    [MethodImpl(Jit.Kernel)]
    private static int Vector128Rounds(RansTable table, ref Cursor cursor, byte* symbols, int count)
    {
        byte* bytes = cursor.Bytes, last = cursor.Readable - VectorLanes, end = cursor.End, expand = LaneTables.Expand8;
        byte* low = stackalloc byte[VectorLanes];
        ushort* high = stackalloc ushort[VectorLanes];
        RansStates.Split128(cursor.States, low, high);
        nint done = 0;
        for (nint stop = count - VectorLanes; done <= stop && bytes <= last && bytes <= end; done += VectorLanes)
            for (nint lane = 0; lane < VectorLanes; lane += 16)
                Step128(symbols + done + lane, table, low + lane, high + lane, expand, ref bytes);
        RansStates.Join128(cursor.States, low, high);
        cursor.Bytes = bytes;
        return (int)done;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step128(byte* symbols, RansTable table, byte* low, ushort* high, byte* expand, ref byte* bytes)
    {
        Vector128<byte> l = Vector128.Load(low), symbol = Vectors128.InAll(table.Symbols, l);
        symbol.Store(symbols);
        int used = table.Count;
        Vector128<byte> f = Vectors128.InFew(table.Frequencies, symbol, used), bias = l - Vectors128.InFew(table.Starts, symbol, used);
        Vector128<ushort> a = Vector128.Load(high) << 1, b = Vector128.Load(high + 8) << 1;
        (Vector128<ushort> fA, Vector128<ushort> fB) = Vector128.Widen(f);
        Vector128<ushort> restA = (a * fA >>> 1) + Vector128.WidenLower(bias), restB = (b * fB >>> 1) + Vector128.WidenUpper(bias);
        Vector128<ushort> topA = (Vectors128.MultiplyHigh(a, fA) << 7) + (restA >>> 8), topB = (Vectors128.MultiplyHigh(b, fB) << 7) + (restB >>> 8);
        Vector128.ConditionalSelect(Vector128.LessThan(topA.AsInt16(), Vector128.Create((short)128)).AsUInt16(), restA, topA).Store(high);
        Vector128.ConditionalSelect(Vector128.LessThan(topB.AsInt16(), Vector128.Create((short)128)).AsUInt16(), restB, topB).Store(high + 8);
        Vector128<byte> kept = Vectors128.Pack(topA, topB);
        Vector128<byte> taken = Expand16(~kept.ExtractMostSignificantBits(), expand, ref bytes);
        Vectors128.Choice(kept, taken, Vector128.Narrow(restA, restB)).Store(low);
    }
}
