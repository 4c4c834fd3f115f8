using System.Runtime.Intrinsics;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>Bytes of r used bits as r bit planes of ⌈count/8⌉ bytes each: bit j of plane b is bit b of byte j.</summary>
internal static unsafe class BitPlanes
{
    /// <summary>Bytes of r planes.</summary>
    public static int Size(int count, int bits) => bits * ((count + 7) / 8);

    /// <summary>Packs; the source is readable, and the destination writable, up to the next 64 bytes (8 bytes).</summary>
    public static void Pack(byte* source, int count, int bits, byte* destination, SimdPath path)
    {
        new Span<byte>(source + count, (count + 63 & ~63) - count).Clear();
        for (int b = 0; b < bits; b++, destination += (count + 7) / 8)
        {
            for (int i = 0; i < count; i += 64)
            {
                ulong plane = 0;
                if (path == SimdPath.Vector512) plane = (Vector512.Load(source + i).AsUInt16() << 7 - b).AsByte().ExtractMostSignificantBits();
                else if (path == SimdPath.Vector256)
                {
                    plane = (Vector256.Load(source + i).AsUInt16() << 7 - b).AsByte().ExtractMostSignificantBits()
                        | (ulong)(Vector256.Load(source + i + 32).AsUInt16() << 7 - b).AsByte().ExtractMostSignificantBits() << 32;
                }
                else for (int j = 0; j < 64; j++) plane |= (ulong)(source[i + j] >> b & 1) << j;
                int left = Math.Min(8, (count - i + 7) / 8);
                if (left == 8) *(ulong*)(destination + i / 8) = plane;
                else for (int j = 0; j < left; j++) destination[i / 8 + j] = (byte)(plane >> 8 * j);
            }
        }
    }

    /// <summary>Unpacks.</summary>
    /// <returns>False when a bit after the last byte's is set.</returns>
    public static bool Unpack(byte* source, int count, int bits, byte* destination)
    {
        new Span<byte>(destination, count).Clear();
        int bytes = (count + 7) / 8;
        for (int b = 0; b < bits; b++, source += bytes)
        {
            int i = 0;
            for (; i + 8 <= count; i += 8)
            {
                // Eight bits to eight bytes: spread by a product, then normalised to 0 or 1.
                ulong spread = source[i >> 3] * 0x0101010101010101UL & 0x8040201008040201UL;
                *(ulong*)(destination + i) |= (spread + 0x7F7F7F7F7F7F7F7FUL | spread) >> 7 << b & 0x0101010101010101UL << b;
            }
            if (i == count) continue;
            uint rest = source[i >> 3];
            if (rest >> count - i != 0) return false;
            for (int j = 0; i + j < count; j++) destination[i + j] |= (byte)((rest >> j & 1) << b);
        }
        return true;
    }
}
