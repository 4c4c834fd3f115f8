using System.Buffers.Binary;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>
/// Changes frames at random, where they have structure more often than elsewhere. A byte that is set to what it was does not count as mutated; a range does as
/// <see cref="RangeMutation"/> says.
/// </summary>
/// <param name="random">Where the choices come from.</param>
internal sealed class FrameMutator(RandomStream random)
{
    private const int Checksum = sizeof(uint), Tables = 320;

    private readonly RangeMutation _range = new(random);
    private int[] _marks = [];

    private enum Focus
    {
        Marks,
        Tables,
        Chunk,
        Head,
        Anywhere,
    }

    /// <summary>Changes a frame in one place or in many.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="marks">Where its fields begin.</param>
    /// <param name="donor">Gives another frame, of which parts may be taken.</param>
    /// <returns>Number of mutated bytes.</returns>
    public int Mutate(MutableFrame frame, int[] marks, Func<BaseFrame> donor)
    {
        _marks = marks;
        int mutated = 0, changes = random.NextInt32(20) switch
        {
            < 11 => 1 + random.NextInt32(2),
            < 16 => 2 + random.NextInt32(6),
            < 19 => 6 + random.NextInt32(16),
            _ => 24 + random.NextInt32(48),
        };
        bool mixed = random.NextInt32(6) == 0;
        Focus focus = Where();
        if (random.NextInt32(4) == 0)
        {
            mutated += _range.Mutate(frame, marks, donor(), Aim(frame, Where()), Aim(frame, Focus.Anywhere));
            changes /= 2;
        }
        for (int i = 0; i < changes && frame.Length > 0; i++) mutated += ChangeBytes(frame, Aim(frame, mixed ? Where() : focus));
        return mutated;
    }

    /// <summary>Mostly in the chunks: a head with a change is mostly refused at once.</summary>
    private Focus Where() => random.NextInt32(16) switch
    {
        < 5 => Focus.Marks,
        < 9 => Focus.Tables,
        < 14 => Focus.Chunk,
        14 => Focus.Head,
        _ => Focus.Anywhere,
    };

    private int Aim(MutableFrame frame, Focus focus)
    {
        int at = 0;
        FrameMap map = frame.Map;
        if (focus == Focus.Marks && _marks.Length > 0) at = Mark() + Small();
        else if (focus == Focus.Head && map.HeadEnd > 0) at = random.NextInt32(2) == 0 ? random.NextInt32(map.HeadEnd) : Inside(map.Parameters, map.HeadEnd);
        else if (focus is Focus.Tables or Focus.Chunk && map.Chunks > 0)
        {
            (int start, int end) = map.Chunk(random.NextInt32(map.Chunks));
            at = Inside(start + Checksum, focus == Focus.Tables ? Math.Min(end, start + Checksum + Tables) : end);
        }
        else at = random.NextInt32(frame.Length);
        return Math.Min(at, frame.Length - 1);
    }

    private int Inside(int from, int to) => from + random.NextInt32(Math.Max(1, to - from));

    private int Mark()
    {
        bool inHeader = _marks.Length <= FrameOutline.HeaderMarks || random.NextInt32(16) == 0;
        return _marks[inHeader ? random.NextInt32(_marks.Length) : FrameOutline.HeaderMarks + random.NextInt32(_marks.Length - FrameOutline.HeaderMarks)];
    }

    private int Small() => random.NextInt32(2) == 0 ? 0 : random.NextInt32(4);

    /// <summary>Changes up to 8 bytes in their place.</summary>
    private int ChangeBytes(MutableFrame frame, int at)
    {
        Span<byte> bytes = frame.Bytes[at..];
        Span<byte> before = stackalloc byte[8];
        int length = Math.Min(bytes.Length, before.Length);
        bytes[..length].CopyTo(before);
        switch (random.NextInt32(12))
        {
            case 0 or 1 or 2:
                bytes[0] ^= (byte)(1 << random.NextInt32(8));
                break;
            case 3:
                bytes[0] = (byte)(random.NextInt32(4) switch { 0 => 0, 1 => 255, 2 => 128, _ => 127 });
                break;
            case 4 or 5:
                bytes[0] = (byte)random.NextInt32(256);
                break;
            case 6 or 7:
                bytes[0] += (byte)(1 + random.NextInt32(8));
                break;
            case 8:
                bytes[0] -= (byte)(1 + random.NextInt32(8));
                break;
            case 9:
                int shift = 4 * random.NextInt32(2);
                bytes[0] = (byte)(bytes[0] & ~(15 << shift) | random.NextInt32(16) << shift);
                break;
            case 10 when length >= sizeof(uint) && random.NextInt32(2) == 0:
                BinaryPrimitives.WriteUInt32LittleEndian(bytes, ExtremeNumber.Of(random));
                break;
            case 10 when length >= sizeof(ushort):
                BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)ExtremeNumber.Of(random));
                break;
            default:
                for (int i = 0; i < length; i++) bytes[i] = (byte)random.NextInt32(256);
                break;
        }
        int changed = 0;
        for (int i = 0; i < length; i++) changed += bytes[i] != before[i] ? 1 : 0;
        return changed;
    }
}
