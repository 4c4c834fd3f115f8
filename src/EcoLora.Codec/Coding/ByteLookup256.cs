using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EcoLora.Codec;

/// <summary>32 lookups at once in tables of bytes: shuffles in each 16 of a table by an index's lower 4 bits, then a choice by each of the others.</summary>
internal static unsafe class ByteLookup256
{
    /// <summary>In a table of at most 64 bytes.</summary>
    /// <param name="table">[<paramref name="count"/>, to the next of 16, 32 and 64].</param>
    /// <param name="indexes">Each below <paramref name="count"/>.</param>
    /// <param name="count">Entries that are used.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> InFew(byte* table, Vector256<byte> indexes, int count) =>
        count <= 16 ? Part(table, indexes) : count <= 32 ? Of32(table, indexes, indexes) : Of64(table, indexes, indexes);

    /// <summary>In a table of 256 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> InAll(byte* table, Vector256<byte> indexes)
    {
        Vector256<byte> low = indexes & Vector256.Create((byte)15); // A set bit 7 would make a shuffle give zero.
        Vector256<byte> lower = Choice(indexes.AsUInt16() << 1, Of64(table, low, indexes), Of64(table + 64, low, indexes));
        Vector256<byte> upper = Choice(indexes.AsUInt16() << 1, Of64(table + 128, low, indexes), Of64(table + 192, low, indexes));
        return Avx2.BlendVariable(lower, upper, indexes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Of64(byte* table, Vector256<byte> low, Vector256<byte> indexes) =>
        Choice(indexes.AsUInt16() << 2, Of32(table, low, indexes), Of32(table + 32, low, indexes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Of32(byte* table, Vector256<byte> low, Vector256<byte> indexes) =>
        Choice(indexes.AsUInt16() << 3, Part(table, low), Part(table + 16, low));

    /// <summary>The second where the highest bit of a byte of the first is set. Shifts of 16 bits bring the right bit there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Choice(Vector256<ushort> bits, Vector256<byte> unset, Vector256<byte> set) =>
        Avx2.BlendVariable(unset, set, bits.AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Part(byte* table, Vector256<byte> low) => Avx2.Shuffle(Avx2.BroadcastVector128ToVector256(table), low);
}
