using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace EcoLora.Codec;

/// <summary>What the 128-bit kernels need beyond <see cref="Vector128"/>, of SSE4.1 or Arm's AdvSIMD.</summary>
internal static unsafe class Vectors128
{
    /// <summary>Whether this machine has them.</summary>
    public static bool AreSupported => Sse41.IsSupported || AdvSimd.Arm64.IsSupported;

    /// <summary>The upper halves of the products.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ushort> MultiplyHigh(Vector128<ushort> x, Vector128<ushort> y)
    {
        if (Sse2.IsSupported) return Sse2.MultiplyHigh(x, y);
        Vector128<uint> lower = AdvSimd.MultiplyWideningLower(x.GetLower(), y.GetLower()), upper = AdvSimd.MultiplyWideningUpper(x, y);
        return AdvSimd.Arm64.UnzipOdd(lower.AsUInt16(), upper.AsUInt16());
    }

    /// <summary>Numbers below 2^15 as bytes, those above 255 as 255.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Pack(Vector128<ushort> lower, Vector128<ushort> upper) => Sse2.IsSupported
        ? Sse2.PackUnsignedSaturate(lower.AsInt16(), upper.AsInt16())
        : AdvSimd.ExtractNarrowingSaturateUpper(AdvSimd.ExtractNarrowingSaturateLower(lower), upper);

    /// <summary>Numbers below 2^16 as 16 bits each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ushort> Pack(Vector128<uint> lower, Vector128<uint> upper) =>
        Sse41.IsSupported ? Sse41.PackUnsignedSaturate(lower.AsInt32(), upper.AsInt32()) : Vector128.Narrow(lower, upper);

    /// <summary>The least of eight numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort Least(Vector128<ushort> numbers) =>
        Sse41.IsSupported ? Sse41.MinHorizontal(numbers).ToScalar() : AdvSimd.Arm64.MinAcross(numbers).ToScalar();

    /// <summary>The second where the highest bit of a byte of the first is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Choice(Vector128<byte> bits, Vector128<byte> unset, Vector128<byte> set) => Sse41.IsSupported
        ? Sse41.BlendVariable(unset, set, bits)
        : Vector128.ConditionalSelect((bits.AsSByte() >> 7).AsByte(), set, unset);

    /// <inheritdoc cref="Choice(Vector128{byte}, Vector128{byte}, Vector128{byte})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ushort> Choice(Vector128<ushort> bits, Vector128<ushort> unset, Vector128<ushort> set) =>
        Choice(bits.AsByte(), unset.AsByte(), set.AsByte()).AsUInt16();

    /// <summary>Bytes as 16 bits each, with others above them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<ushort> Lower, Vector128<ushort> Upper) Join(Vector128<byte> low, Vector128<byte> high) => Sse2.IsSupported
        ? (Sse2.UnpackLow(low, high).AsUInt16(), Sse2.UnpackHigh(low, high).AsUInt16())
        : (AdvSimd.Arm64.ZipLow(low, high).AsUInt16(), AdvSimd.Arm64.ZipHigh(low, high).AsUInt16());

    /// <summary>16 lookups at once in a table of at most 64 bytes.</summary>
    /// <param name="table">[<paramref name="count"/>, to the next of 16, 32 and 64].</param>
    /// <param name="indexes">Each below <paramref name="count"/>.</param>
    /// <param name="count">Entries that are used.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> InFew(byte* table, Vector128<byte> indexes, int count)
    {
        if (count <= 16) return Part(table, indexes);
        if (AdvSimd.Arm64.IsSupported) return AdvSimd.Arm64.VectorTableLookup(Part64(table), indexes);
        return count <= 32 ? Of32(table, indexes, indexes) : Of64(table, indexes, indexes);
    }

    /// <summary>16 lookups at once in a table of 256 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> InAll(byte* table, Vector128<byte> indexes)
    {
        if (AdvSimd.Arm64.IsSupported)
        {
            // An index beyond a part leaves what is there.
            Vector128<byte> found = AdvSimd.Arm64.VectorTableLookup(Part64(table), indexes);
            for (byte part = 64; part != 0; part += 64)
                found = AdvSimd.Arm64.VectorTableLookupExtension(found, Part64(table + part), indexes - Vector128.Create(part));
            return found;
        }
        Vector128<byte> low = indexes & Vector128.Create((byte)15); // A set bit 7 would make a shuffle give zero.
        Vector128<byte> lower = Choice((indexes.AsUInt16() << 1).AsByte(), Of64(table, low, indexes), Of64(table + 64, low, indexes));
        Vector128<byte> upper = Choice((indexes.AsUInt16() << 1).AsByte(), Of64(table + 128, low, indexes), Of64(table + 192, low, indexes));
        return Choice(indexes, lower, upper);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<byte>, Vector128<byte>, Vector128<byte>, Vector128<byte>) Part64(byte* table) =>
        (Vector128.Load(table), Vector128.Load(table + 16), Vector128.Load(table + 32), Vector128.Load(table + 48));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Of64(byte* table, Vector128<byte> low, Vector128<byte> indexes) =>
        Choice((indexes.AsUInt16() << 2).AsByte(), Of32(table, low, indexes), Of32(table + 32, low, indexes));

    /// <summary>Shuffles in each 16 of a table by an index's lower 4 bits, then a choice by the next, which a shift of 16 bits brings to the top.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Of32(byte* table, Vector128<byte> low, Vector128<byte> indexes) =>
        Choice((indexes.AsUInt16() << 3).AsByte(), Part(table, low), Part(table + 16, low));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Part(byte* table, Vector128<byte> low) => Vector128.ShuffleNative(Vector128.Load(table), low);
}
