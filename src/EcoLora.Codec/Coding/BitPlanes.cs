using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>Bytes of r used bits as r bit planes of ⌈count/8⌉ bytes each: bit j of plane b is bit b of byte j.</summary>
internal static unsafe class BitPlanes
{
    /// <summary>Bytes of r planes.</summary>
    public static int Size(int count, int bits) => bits * ((count + 7) / 8);

    /// <summary>Bytes to planes.</summary>
    /// <param name="bytes">[count, to the next 64 readable].</param>
    /// <param name="count">Number of bytes.</param>
    /// <param name="bits">r, 0 to 8.</param>
    /// <param name="planes">[r planes + 8] receives them.</param>
    /// <param name="path">Code path.</param>
    [MethodImpl(Jit.Kernel)]
    public static void Pack(byte* bytes, int count, int bits, byte* planes, SimdPath path)
    {
        int length = (count + 7) / 8;
        // What is written after the end of a plane is overwritten by the next one.
        for (int b = 0; b < bits; b++, planes += length)
        {
            for (int i = 0; i < count; i += 64)
            {
                ulong plane = path switch
                {
                    SimdPath.Vector512 => (Vector512.Load(bytes + i).AsUInt16() << 7 - b).AsByte().ExtractMostSignificantBits(),
                    SimdPath.Vector256 => Plane256(bytes + i, b) | (ulong)Plane256(bytes + i + 32, b) << 32,
                    SimdPath.Vector128 => Plane128(bytes + i, b) | (ulong)Plane128(bytes + i + 32, b) << 32,
                    _ => PlaneScalar((ulong*)(bytes + i), b),
                };
                if (count - i < 64) plane &= (1UL << count - i) - 1;
                Unsafe.WriteUnaligned(planes + i / 8, plane);
            }
        }
    }

    /// <summary>Planes to bytes.</summary>
    /// <param name="planes">[r planes, and 8 readable bytes].</param>
    /// <param name="count">Number of bytes.</param>
    /// <param name="bits">r, 0 to 8.</param>
    /// <param name="bytes">[count, to the next 64] receives the bytes.</param>
    /// <param name="path">Code path.</param>
    /// <returns>False when a plane has a bit set after that of the last byte.</returns>
    [MethodImpl(Jit.Kernel)]
    public static bool Unpack(byte* planes, int count, int bits, byte* bytes, SimdPath path)
    {
        int length = (count + 7) / 8;
        if ((count & 7) != 0)
            for (int b = 1; b <= bits; b++)
                if (planes[b * length - 1] >> (count & 7) != 0)
                    return false;
        for (int i = 0; i < count; i += 64)
        {
            byte* from = planes + i / 8;
            if (path == SimdPath.Vector512) Bytes512(from, bits, length).Store(bytes + i);
            else if (path == SimdPath.Vector256)
            {
                Bytes256(from, bits, length).Store(bytes + i);
                Bytes256(from + 4, bits, length).Store(bytes + i + 32);
            }
            else if (path == SimdPath.Vector128) for (int j = 0; j < 4; j++) Bytes128(from + 2 * j, bits, length).Store(bytes + i + 16 * j);
            else for (int j = 0; j < 8; j++) ((ulong*)(bytes + i))[j] = EightBytes(from + j, bits, length);
        }
        return true;
    }

    private static ulong PlaneScalar(ulong* bytes, int b)
    {
        ulong plane = 0;
        for (int j = 0; j < 8; j++) plane |= Bytes.FirstBits(bytes[j] >> b) << 8 * j;
        return plane;
    }

    private static uint Plane256(byte* bytes, int b) => (Vector256.Load(bytes).AsUInt16() << 7 - b).AsByte().ExtractMostSignificantBits();

    private static uint Plane128(byte* bytes, int b) => (Vector128.Load(bytes).AsUInt16() << 7 - b).AsByte().ExtractMostSignificantBits()
        | (Vector128.Load(bytes + 16).AsUInt16() << 7 - b).AsByte().ExtractMostSignificantBits() << 16;

    private static ulong EightBytes(byte* planes, int bits, int length)
    {
        ulong bytes = 0;
        for (int b = 0; b < bits; b++, planes += length)
        {
            // Eight bits to eight bytes: spread by a product, then normalised to 0 or 1.
            ulong spread = *planes * Bytes.Ones & 0x8040201008040201;
            bytes |= (spread + 0x7F7F7F7F7F7F7F7F | spread) >> 7 << b & Bytes.Ones << b;
        }
        return bytes;
    }

    private static Vector128<byte> Bytes128(byte* planes, int bits, int length)
    {
        // Byte j of a vector looks at bit j: byte j/8, bit j mod 8.
        Vector128<byte> spread = Vector128.Create(0, Bytes.Ones).AsByte(), each = Vector128.Create(0x8040201008040201).AsByte(), bytes = default;
        for (int b = 0; b < bits; b++, planes += length)
        {
            Vector128<byte> set = Vector128.ShuffleNative(Vector128.Create(Unsafe.ReadUnaligned<ushort>(planes)).AsByte(), spread) & each;
            bytes |= Vector128.Equals(set, each) & Vector128.Create((byte)(1 << b));
        }
        return bytes;
    }

    private static Vector256<byte> Bytes256(byte* planes, int bits, int length)
    {
        Vector256<byte> spread = (Vector256.Create(0UL, 1, 2, 3) * Bytes.Ones).AsByte(), each = Vector256.Create(0x8040201008040201).AsByte(), bytes = default;
        for (int b = 0; b < bits; b++, planes += length)
        {
            Vector256<byte> set = Avx2.Shuffle(Vector256.Create(Unsafe.ReadUnaligned<uint>(planes)).AsByte(), spread) & each;
            bytes |= Vector256.Equals(set, each) & Vector256.Create((byte)(1 << b));
        }
        return bytes;
    }

    private static Vector512<byte> Bytes512(byte* planes, int bits, int length)
    {
        Vector512<byte> spread = (Vector512.Create(0UL, 1, 2, 3, 4, 5, 6, 7) * Bytes.Ones).AsByte(), each = Vector512.Create(0x8040201008040201).AsByte();
        Vector512<byte> bytes = default;
        for (int b = 0; b < bits; b++, planes += length)
        {
            Vector512<byte> set = Avx512BW.Shuffle(Vector512.Create(Unsafe.ReadUnaligned<ulong>(planes)).AsByte(), spread) & each;
            bytes |= Vector512.Equals(set, each) & Vector512.Create((byte)(1 << b));
        }
        return bytes;
    }
}
