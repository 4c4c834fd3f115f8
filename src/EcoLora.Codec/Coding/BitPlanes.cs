namespace EcoLora.Codec;

/// <summary>Bytes of r used bits as r bit planes of ⌈count/8⌉ bytes each: bit j of plane b is bit b of byte j.</summary>
internal static unsafe class BitPlanes
{
    /// <summary>Bytes of r planes.</summary>
    public static int Size(int count, int bits) => bits * ((count + 7) / 8);

    public static void Pack(byte* lows, int count, int bits, byte* destination, Numerics.SimdPath path)
    {
        int bytes = (count + 7) / 8;
        new Span<byte>(destination, bytes * bits).Clear();
        for (int b = 0; b < bits; b++, destination += bytes)
            for (int i = 0; i < count; i++)
                destination[i >> 3] |= (byte)((lows[i] >> b & 1) << (i & 7));
    }

    /// <summary>Planes to bytes.</summary>
    /// <param name="source">[r planes].</param>
    /// <param name="count">Number of bytes.</param>
    /// <param name="bits">r, 0 to 8.</param>
    /// <param name="destination">[count] receives the bytes.</param>
    /// <returns>False when a plane has a bit set after that of the last byte.</returns>
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
