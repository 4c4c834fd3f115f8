namespace EcoLora.Codec;

/// <summary>Shuffles by an 8-bit mask, for vectors without compress and expand instructions.</summary>
internal static unsafe class LaneTables
{
    private static readonly PinnedBuffer _memory = Fill();

    /// <summary>
    /// [256][8] for each mask m and lane i: how many lanes below i are set, the source of lane i when 8 packed elements are spread over the set lanes.
    /// </summary>
    public static byte* Expand8 => _memory.Pointer;

    /// <summary>[256][8] for each mask m: the numbers of the set lanes, ascending, at the upper end; zeros before them.</summary>
    public static byte* CompressUp8 => _memory.Pointer + 2048;

    /// <summary>[256][8] for each mask m: the numbers of the set lanes, ascending; zeros after them.</summary>
    public static byte* Compress8 => _memory.Pointer + 2 * 2048;

    /// <summary>[256][16] of 16-bit elements, the upper bytes of the set lanes in the lower half, and their lower bytes in the upper half, ascending.</summary>
    public static byte* CompressPairs8 => _memory.Pointer + 3 * 2048;

    /// <summary>[256][16] as <see cref="Expand8"/> in bytes of 16-bit elements; 0x80, which gives zero, where the lane is not set.</summary>
    public static byte* ExpandWords8 => _memory.Pointer + 5 * 2048;

    private static PinnedBuffer Fill()
    {
        var memory = new PinnedBuffer(7 * 2048);
        byte* p = memory.Pointer;
        new Span<byte>(p, 5 * 2048).Clear();
        new Span<byte>(p + 5 * 2048, 2 * 2048).Fill(0x80);
        for (int mask = 0; mask < 256; mask++)
        {
            int total = System.Numerics.BitOperations.PopCount((uint)mask), below = 0;
            for (int i = 0; i < 8; i++)
            {
                p[8 * mask + i] = (byte)below;
                if ((mask >> i & 1) == 0) continue;
                p[2048 + 8 * mask + 8 - total + below] = (byte)i;
                p[2 * 2048 + 8 * mask + below] = (byte)i;
                p[3 * 2048 + 16 * mask + below] = (byte)(2 * i + 1);
                p[3 * 2048 + 16 * mask + 8 + below] = (byte)(2 * i);
                for (int half = 0; half < 2; half++) p[5 * 2048 + 16 * mask + 2 * i + half] = (byte)(2 * below + half);
                below++;
            }
        }
        return memory;
    }
}
