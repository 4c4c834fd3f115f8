using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EcoLora.Codec;

/// <summary>32 lookups at once in tables of up to 64 bytes, by shuffles of 16: an index outside of a part gives zero there.</summary>
internal readonly unsafe struct ByteLookup256
{
    private readonly Vector256<byte> _first, _second, _third, _fourth;
    private readonly bool _short;

    /// <param name="indexes">What to look up, each below <paramref name="count"/>.</param>
    /// <param name="count">Entries of the tables that are used.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ByteLookup256(Vector256<byte> indexes, int count)
    {
        _short = count <= 16;
        _first = indexes;
        if (_short) return;
        _first = Part(indexes, 0);
        _second = Part(indexes, 16);
        _third = Part(indexes, 32);
        _fourth = Part(indexes, 48);
    }

    /// <summary>The entries of a table.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<byte> In(byte* table) => _short
        ? Avx2.Shuffle(Avx2.BroadcastVector128ToVector256(table), _first)
        : Avx2.Shuffle(Avx2.BroadcastVector128ToVector256(table), _first) | Avx2.Shuffle(Avx2.BroadcastVector128ToVector256(table + 16), _second)
            | Avx2.Shuffle(Avx2.BroadcastVector128ToVector256(table + 32), _third) | Avx2.Shuffle(Avx2.BroadcastVector128ToVector256(table + 48), _fourth);

    /// <summary>The entries of a table of 256 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> InAll(byte* table, Vector256<byte> indexes)
    {
        Vector256<byte> found = Vector256<byte>.Zero;
        for (int part = 0; part < 256; part += 16)
            found |= Avx2.Shuffle(Avx2.BroadcastVector128ToVector256(table + part), Part(indexes, (byte)part));
        return found;
    }

    /// <summary>Indexes of the part's 16 entries with bits 4 to 6 set; others get bit 7, which makes a shuffle give zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Part(Vector256<byte> indexes, byte part) =>
        Avx2.AddSaturate(indexes ^ Vector256.Create(part), Vector256.Create((byte)0x70));
}
