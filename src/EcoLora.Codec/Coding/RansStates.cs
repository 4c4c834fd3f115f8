using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EcoLora.Codec;

/// <summary>
/// States x = 256·h + l of the rANS lanes, as the vectors keep them: l as bytes in the lanes' order, h as 16 bits in the order in which unpacking bytes with
/// zeros gives them, so that packing and unpacking turn one into the other without crossing 128 bits.
/// </summary>
internal static unsafe class RansStates
{
    /// <summary>64 states: l, then h of the lanes whose number mod 16 is below 8, then h of the others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<byte> Low, Vector512<ushort> A, Vector512<ushort> B) Load512(uint* x)
    {
        Vector512<uint> x0 = Vector512.Load(x), x1 = Vector512.Load(x + 16), x2 = Vector512.Load(x + 32), x3 = Vector512.Load(x + 48);
        Vector256<byte> low = Vector256.Create(Avx512F.ConvertToVector128Byte(x0), Avx512F.ConvertToVector128Byte(x1));
        Vector256<byte> high = Vector256.Create(Avx512F.ConvertToVector128Byte(x2), Avx512F.ConvertToVector128Byte(x3));
        Vector256<ushort> h0 = Avx512F.ConvertToVector256UInt16(x0 >>> 8), h1 = Avx512F.ConvertToVector256UInt16(x1 >>> 8);
        Vector256<ushort> h2 = Avx512F.ConvertToVector256UInt16(x2 >>> 8), h3 = Avx512F.ConvertToVector256UInt16(x3 >>> 8);
        return (Vector512.Create(low, high),
            Vector512.Create(Vector256.Create(h0.GetLower(), h1.GetLower()), Vector256.Create(h2.GetLower(), h3.GetLower())),
            Vector512.Create(Vector256.Create(h0.GetUpper(), h1.GetUpper()), Vector256.Create(h2.GetUpper(), h3.GetUpper())));
    }

    /// <summary>The mirror of <see cref="Load512"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store512(uint* x, Vector512<byte> low, Vector512<ushort> a, Vector512<ushort> b)
    {
        Join(low.GetLower().GetLower(), a.GetLower().GetLower(), b.GetLower().GetLower()).Store(x);
        Join(low.GetLower().GetUpper(), a.GetLower().GetUpper(), b.GetLower().GetUpper()).Store(x + 16);
        Join(low.GetUpper().GetLower(), a.GetUpper().GetLower(), b.GetUpper().GetLower()).Store(x + 32);
        Join(low.GetUpper().GetUpper(), a.GetUpper().GetUpper(), b.GetUpper().GetUpper()).Store(x + 48);
    }

    /// <summary>128 states to l and h, in groups of 32 lanes: h of the lanes whose number mod 16 is below 8, then h of the others.</summary>
    public static void Split256(uint* x, byte* low, ushort* high)
    {
        for (int lane = 0; lane < RansDecoder.VectorLanes; lane++)
        {
            low[lane] = (byte)x[lane];
            high[Place256(lane)] = (ushort)(x[lane] >> 8);
        }
    }

    /// <summary>The mirror of <see cref="Split256"/>.</summary>
    public static void Join256(uint* x, byte* low, ushort* high)
    {
        for (int lane = 0; lane < RansDecoder.VectorLanes; lane++) x[lane] = (uint)(high[Place256(lane)] << 8 | low[lane]);
    }

    /// <summary>128 states to l and h, both in the lanes' order.</summary>
    public static void Split128(uint* x, byte* low, ushort* high)
    {
        for (int lane = 0; lane < RansDecoder.VectorLanes; lane++) (low[lane], high[lane]) = ((byte)x[lane], (ushort)(x[lane] >> 8));
    }

    /// <summary>The mirror of <see cref="Split128"/>.</summary>
    public static void Join128(uint* x, byte* low, ushort* high)
    {
        for (int lane = 0; lane < RansDecoder.VectorLanes; lane++) x[lane] = (uint)(high[lane] << 8 | low[lane]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Join(Vector128<byte> low, Vector128<ushort> a, Vector128<ushort> b) =>
        Avx512F.ConvertToVector512UInt32(Vector256.Create(a, b)) << 8 | Avx512F.ConvertToVector512UInt32(low);

    /// <summary>Bits 3 and 4 of a lane's number change places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Place256(int lane) => lane & ~24 | (lane & 8) << 1 | (lane & 16) >> 1;
}
