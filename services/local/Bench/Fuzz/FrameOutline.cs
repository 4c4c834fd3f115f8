using System.Numerics;
using EcoLora.Codec;

namespace EcoLora.Local.Bench;

/// <summary>What a frame's chunks are made of, and where their fields begin: what mutations aim at, and by what accepted frames are told apart.</summary>
internal sealed class FrameOutline
{
    private static readonly int[] _header = [0, 4, 5, 6, 16, 20, 24, 28, 30, 32, 36];

    /// <summary>The first marks are those of the fixed header, where it is whole.</summary>
    public static int HeaderMarks => _header.Length;

    private readonly FrameMap _map = new();
    private ulong _traits;

    /// <summary>Where fields begin.</summary>
    public List<int> Marks { get; } = [];

    /// <summary>The marks of a frame.</summary>
    public static int[] MarksOf(ReadOnlySpan<byte> frame)
    {
        var outline = new FrameOutline();
        outline.TraitsOf(frame);
        return [.. outline.Marks];
    }

    /// <summary>
    /// One number for the value mode, how many chunks there are, and the form of the most complex one: positions, lanes, classes, depth of the levels,
    /// inverted, low bits, escapes. A frame that cannot be read through has the number of what was read.
    /// </summary>
    public ulong TraitsOf(ReadOnlySpan<byte> frame)
    {
        Marks.Clear();
        _map.Set(frame);
        Marks.AddRange(_header.AsSpan(0, frame.Length < 40 ? 1 : _header.Length));
        if (_map.Parameters == 0) return 0;
        Marks.Add(_map.Parameters);
        Marks.Add(_map.Parameters + 1);
        for (int chunk = 0; chunk < Math.Min(_map.Chunks, 4); chunk++) Marks.Add(_map.Index + 4 * chunk);
        // Behind the index: scale or steps, and blocks per chunk last.
        for (int at = _map.Index + 4 * _map.Chunks; at < _map.HeadEnd; at += 2) Marks.Add(at);
        ulong most = 0;
        for (int chunk = 0; chunk < _map.Chunks; chunk++)
        {
            (int start, int end) = _map.Chunk(chunk);
            if (end - start < sizeof(uint)) continue;
            _traits = 0;
            try
            {
                Read(new FieldReader(frame[(start + sizeof(uint))..end]), start + sizeof(uint));
            }
            catch (FrameException)
            {
                // What was read so far is enough.
            }
            most = Math.Max(most, _traits);
        }
        byte mode = _map.Parameters < _map.HeadEnd ? frame[_map.Parameters] : byte.MaxValue;
        return most | (ulong)(uint)Math.Min(_map.Chunks, 3) << 32 | (ulong)mode << 40;
    }

    /// <summary>What <see cref="TraitsOf"/> means.</summary>
    public static string Describe(ulong traits)
    {
        int mode = (int)(traits & 7), chunks = (int)(traits >> 32 & 255);
        string text = $"{(ValueMode)(traits >> 40)}, {(chunks < 3 ? $"{chunks}" : "3 or more")} chunks, ";
        string nothing = (traits >> 24 & 1) != 0 ? "" : ", of nothing";
        if ((mode & 3) != (int)ChunkPositions.Entropy) return $"{text}{(ChunkPositions)mode}{nothing}";
        string[] classes = ["1", "2", "3 to 4", "5 to 8", "9 to 16"];
        text += $"{1 << (int)(traits >> 3 & 7)} lanes, {classes[traits >> 6 & 7]} classes, depth {traits >> 9 & 7}, {traits >> 13 & 15} low bits";
        return text + ((traits >> 12 & 1) != 0 ? ", inverted" : "") + ((traits >> 17 & 1) != 0 ? ", escapes" : "") + nothing;
    }

    private void Read(FieldReader reader, int offset)
    {
        Mark(reader, offset);
        int mode = reader.Byte("");
        Mark(reader, offset);
        int kept = reader.Varint("", 0, int.MaxValue);
        _traits = (ulong)(uint)(mode & 7) | (kept > 0 ? 1UL << 24 : 0);
        if ((mode & 3) == (int)ChunkPositions.Entropy)
        {
            ReadCoded(ref reader, offset, tokens: mode > 3);
            return;
        }
        if (mode == (int)ChunkPositions.Golomb)
        {
            Mark(reader, offset);
            reader.Varint("", 0, int.MaxValue);
            Mark(reader, offset);
            int positions = reader.Varint("", 0, int.MaxValue);
            Mark(reader, offset);
            reader.Take("", positions);
        }
        Mark(reader, offset);
        Mark(reader, offset + reader.Left - 1);
    }

    private void ReadCoded(ref FieldReader reader, int offset, bool tokens)
    {
        Span<int> frequencies = stackalloc int[128];
        if (tokens)
        {
            Mark(reader, offset);
            reader.Varint("", 0, int.MaxValue);
            Mark(reader, offset);
            _traits |= (ulong)(uint)Math.Min(reader.Byte(""), 15) << 13;
        }
        Mark(reader, offset);
        int packed = reader.Byte(""), lanes = 1 << (packed & 7), classes = (packed >> 3) + 1, depth = 0;
        _traits |= (ulong)(uint)(packed & 7) << 3 | (ulong)(uint)Math.Min(4, BitOperations.Log2((uint)classes - 1 | 1) + (classes > 1 ? 1 : 0)) << 6;
        Mark(reader, offset);
        if (classes > 1) reader.Frequencies("", frequencies[..classes]);
        for (int c = 0; c < classes; c++)
        {
            Mark(reader, offset);
            int shape = reader.Byte("");
            depth = Math.Max(depth, shape & 7);
            if (shape > 127) _traits |= 1UL << 12;
            reader.Take("", 4 * (shape & 127));
        }
        _traits |= (ulong)(uint)depth << 9;
        for (int c = 0; tokens && c < classes; c++)
        {
            Mark(reader, offset);
            int symbols = reader.Byte("") & 127;
            if (symbols == 0) continue;
            Mark(reader, offset);
            reader.Byte("");
            Mark(reader, offset);
            reader.Frequencies("", frequencies[..symbols]);
        }
        Mark(reader, offset);
        int coded = reader.Varint("", 0, int.MaxValue);
        Mark(reader, offset);
        if (reader.Varint("", 0, int.MaxValue) > 0) _traits |= 1UL << 17;
        Mark(reader, offset);
        reader.Take("", 3 * lanes);
        Mark(reader, offset - 3);
        Mark(reader, offset);
        reader.Take("", coded);
        Mark(reader, offset - 1);
        Mark(reader, offset + Math.Max(0, reader.Left - 1));
    }

    private void Mark(FieldReader reader, int offset) => Marks.Add(offset + reader.Position);
}
