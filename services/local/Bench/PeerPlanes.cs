namespace EcoLora.Local.Bench;

/// <summary>
/// A sparse update as bytes that a general compressor does well on: the position bitmap (least significant bit first), then for every kept x the high byte of
/// d = (bits|x| − bits(t))·2 + sign, then its low byte; t is the smallest kept magnitude.
/// </summary>
internal static class PeerPlanes
{
    /// <summary>Number of bytes.</summary>
    public static int SizeOf(SparseUpdate update) => BitmapSize(update.Entries) + 2 * update.Kept;

    /// <summary>Writes the planes.</summary>
    public static void Split(SparseUpdate update, Span<byte> planes)
    {
        ReadOnlySpan<Half> values = update.Values.Span;
        int bitmap = BitmapSize(update.Entries), kept = 0;
        planes[..bitmap].Clear();
        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] == Half.Zero) continue;
            int distance = Distance(values[i], update.Smallest);
            planes[i >> 3] |= (byte)(1 << (i & 7));
            planes[bitmap + kept] = (byte)(distance >> 8);
            planes[bitmap + update.Kept + kept++] = (byte)distance;
        }
    }

    /// <summary>Restores the values.</summary>
    /// <param name="planes">What <see cref="Split"/> wrote.</param>
    /// <param name="kept">Number of kept values.</param>
    /// <param name="smallest">t.</param>
    /// <param name="values">[entries].</param>
    public static void Merge(ReadOnlySpan<byte> planes, int kept, Half smallest, Span<Half> values)
    {
        int bitmap = BitmapSize(values.Length), next = 0;
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Half.Zero;
            if ((planes[i >> 3] >> (i & 7) & 1) == 0) continue;
            int distance = planes[bitmap + next] << 8 | planes[bitmap + kept + next++];
            int bits = BitConverter.HalfToUInt16Bits(smallest) + (distance >> 1);
            values[i] = BitConverter.UInt16BitsToHalf((ushort)(bits | (distance & 1) << 15));
        }
    }

    /// <summary>d = (bits|x| − bits(t))·2 + sign.</summary>
    public static int Distance(Half value, Half smallest)
    {
        int bits = BitConverter.HalfToUInt16Bits(value);
        return ((bits & 0x7FFF) - BitConverter.HalfToUInt16Bits(smallest)) * 2 + (bits >> 15);
    }

    private static int BitmapSize(int entries) => (entries + 7) / 8;
}
