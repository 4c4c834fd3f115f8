using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>Numbers at which something may end or overflow.</summary>
internal static class ExtremeNumber
{
    private static readonly uint[] _numbers =
    [
        0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 1023, 1024, 1025, 0x77FF, 0x7800, 0x7BFF, 0x7C00, 0x7F7F, 0x7F80, 0x7FFF, 0x8000,
        0xFFFF, 0x10000, 0x7FFFFF, 0x800000, 0x800001, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF,
    ];

    /// <summary>One of them, or a number beside it.</summary>
    public static uint Of(RandomStream random) =>
        _numbers[random.NextInt32(_numbers.Length)] + (random.NextInt32(4) == 0 ? (uint)(random.NextInt32(5) - 2) : 0);
}

/// <summary>
/// Makes bytes of a frame come, go and change places, or takes them from another frame; the lengths follow. A range counts as at most <see cref="Most"/>
/// mutated bytes.
/// </summary>
/// <param name="random">Where the choices come from.</param>
internal sealed class RangeMutation(RandomStream random)
{
    /// <summary>Most bytes that a range counts.</summary>
    public const int Most = 32;

    private readonly byte[] _bytes = new byte[64];
    private readonly FrameMap _donorMap = new();

    /// <summary>Changes a range.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="marks">Where its fields begin.</param>
    /// <param name="donor">Another frame.</param>
    /// <param name="at">Where.</param>
    /// <param name="other">Another place in the frame.</param>
    /// <returns>Number of mutated bytes.</returns>
    public int Mutate(MutableFrame frame, int[] marks, BaseFrame donor, int at, int other)
    {
        int count = Math.Min(frame.Map.PartEnd(at, frame.Length) - at, Count());
        int changed = random.NextInt32(11) switch
        {
            0 => frame.Replace(at, 0, Noise()),
            1 => frame.Replace(at, count, []),
            2 => frame.Replace(at, 0, frame.Bytes.Slice(at, count)),
            3 => frame.Replace(at, count, Noise()),
            4 => Copy(frame.Bytes, at, other, count),
            5 or 6 => Varint(frame, at),
            7 => TakeChunk(frame, donor),
            8 => TakeFields(frame, marks, donor),
            9 => SwapChunks(frame),
            _ => Cut(frame),
        };
        return Math.Min(changed, Most);
    }

    private int Count() => 1 + random.NextInt32(random.NextInt32(2) == 0 ? 4 : 40);

    private Span<byte> Noise()
    {
        Span<byte> noise = _bytes.AsSpan(0, Count());
        int kind = random.NextInt32(3);
        foreach (ref byte value in noise) value = kind == 0 ? (byte)0 : kind == 1 ? (byte)255 : (byte)random.NextInt32(256);
        return noise;
    }

    private static int Copy(Span<byte> bytes, int from, int to, int count)
    {
        count = Math.Min(count, bytes.Length - to);
        return MutableFrame.Overwrite(bytes.Slice(to, count), bytes.Slice(from, count));
    }

    /// <summary>A number in groups of 7 bits becomes another one, or the same in more groups.</summary>
    private int Varint(MutableFrame frame, int at)
    {
        Span<byte> bytes = frame.Bytes[at..frame.Map.PartEnd(at, frame.Length)];
        ulong value = 0;
        int groups = 0;
        while (groups < bytes.Length && groups < 5)
        {
            value |= (ulong)(bytes[groups] & 127) << 7 * groups;
            if (bytes[groups++] < 128) break;
        }
        value = random.NextInt32(4) switch
        {
            0 => value,
            1 => ExtremeNumber.Of(random),
            2 => value + (ulong)random.NextInt32(9) - 4,
            _ => value + ExtremeNumber.Of(random),
        };
        value &= (1UL << 42) - 1;
        int written = 0, least = random.NextInt32(3) == 0 ? 1 + random.NextInt32(6) : 1;
        for (; value > 127 || written + 1 < least; value >>= 7) _bytes[written++] = (byte)(value | 128);
        _bytes[written++] = (byte)value;
        return frame.Replace(at, groups, _bytes.AsSpan(0, written));
    }

    private int TakeChunk(MutableFrame frame, BaseFrame donor)
    {
        _donorMap.Set(donor.Bytes);
        if (_donorMap.Chunks == 0 || frame.Map.Chunks == 0) return 0;
        (int from, int fromEnd) = _donorMap.Chunk(random.NextInt32(_donorMap.Chunks));
        (int start, int end) = frame.Map.Chunk(random.NextInt32(frame.Map.Chunks));
        return frame.Replace(start, end - start, donor.Bytes.AsSpan(from..fromEnd));
    }

    /// <summary>One field or several of another frame in the place of some of this one.</summary>
    private int TakeFields(MutableFrame frame, int[] own, BaseFrame donor)
    {
        int[] marks = donor.Marks;
        if (marks.Length < 2 || own.Length < 2) return 0;
        int from = random.NextInt32(marks.Length - 1), to = Math.Min(marks.Length - 1, from + 1 + random.NextInt32(12));
        // Mostly what stands in the same place.
        int first = random.NextInt32(3) != 0 ? Math.Min(from, own.Length - 2) : random.NextInt32(own.Length - 1);
        int last = Math.Min(own.Length - 1, first + to - from), at = own[first], end = Math.Min(own[last], frame.Map.PartEnd(at, frame.Length));
        if (at >= frame.Length || end < at || marks[to] < marks[from]) return 0;
        return frame.Replace(at, end - at, donor.Bytes.AsSpan(marks[from]..marks[to]));
    }

    private int SwapChunks(MutableFrame frame)
    {
        if (frame.Map.Chunks < 2) return 0;
        int first = random.NextInt32(frame.Map.Chunks - 1), second = first + 1 + random.NextInt32(frame.Map.Chunks - 1 - first);
        (int start, int end) = frame.Map.Chunk(second);
        byte[] moved = frame.Bytes[start..end].ToArray();
        (int firstStart, int firstEnd) = frame.Map.Chunk(first);
        int changed = frame.Replace(start, end - start, frame.Bytes[firstStart..firstEnd]);
        return changed + frame.Replace(firstStart, firstEnd - firstStart, moved);
    }

    /// <summary>Cuts the frame off, or gives it more bytes, mostly with the last chunk's length as it then is.</summary>
    private int Cut(MutableFrame frame)
    {
        int count = Math.Min(Count(), frame.Length - 1), at = frame.Length - count;
        if (random.NextInt32(3) != 0) return frame.Map.Chunks == 0 || at < frame.Map.Chunk(frame.Map.Chunks - 1).Start ? 0 : frame.Replace(at, count, []);
        if (random.NextInt32(2) == 0) return frame.Replace(frame.Length, 0, Noise());
        frame.Truncate(random.NextInt32(2) == 0 ? at : random.NextInt32(frame.Length));
        return count;
    }
}
