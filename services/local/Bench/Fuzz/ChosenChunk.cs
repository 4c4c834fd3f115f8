using System.Numerics;
using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>
/// Writes valid chunks with made-up values and choices, most of which the project's writer would not make: any number of lanes and classes, depths, inverted
/// bitmaps, low bits, alphabets and frequencies, Golomb parameters. So the vector loops of 128 lanes meet small frames, and readers meet all that the format
/// allows.
/// </summary>
internal sealed class ChosenChunk
{
    private readonly RandomStream _random;
    private readonly ValueMode _mode;
    private readonly int _least, _lowBits, _classes;
    private readonly byte[] _classOf;
    private readonly bool[] _sent;
    private readonly uint[] _codes; // Of FP32, the bits.

    private ChosenChunk(RandomStream random, ValueMode mode, int entries, int largest)
    {
        (_random, _mode, _sent, _codes) = (random, mode, new bool[entries], new uint[entries]);
        _classes = random.NextInt32(2) == 0 ? 1 : 1 + random.NextInt32(DensityClasses.Maximum);
        _classOf = [.. Enumerable.Range(0, (entries + Planes.Block - 1) / Planes.Block).Select(_ => (byte)random.NextInt32(_classes))];
        _least = mode == ValueMode.Fp32 ? 0 : 1 + (random.NextInt32(2) == 0 ? 0 : random.NextInt32(largest));
        _lowBits = random.NextInt32(9);
        double[] densities = [.. Enumerable.Range(0, _classes).Select(_ => random.NextInt32(7) switch
        {
            0 => 0,
            1 => .01,
            2 => .1,
            3 => .3,
            4 => .7,
            5 => .97,
            _ => 1,
        })];
        int range = mode == ValueMode.Fp32 ? 0 : Math.Min(largest - _least, (128 << _lowBits) - 1);
        for (int i = 0; i < entries; i++)
        {
            _sent[i] = random.NextDouble() < densities[_classOf[i / Planes.Block]];
            if (!_sent[i]) continue;
            if (mode == ValueMode.Fp32) _codes[i] = Single();
            else _codes[i] = (uint)(2 * (_least + random.NextInt32(1 + random.NextInt32(range + 1))) + random.NextInt32(2));
        }
    }

    /// <summary>Makes a chunk.</summary>
    /// <param name="random">Where the choices come from.</param>
    /// <param name="mode">Value mode.</param>
    /// <param name="entries">At least 1.</param>
    /// <param name="largest">Largest magnitude of a code; not used with FP32.</param>
    /// <returns>Its bytes, with room for the checksum first.</returns>
    public static byte[] Make(RandomStream random, ValueMode mode, int entries, int largest)
    {
        var chunk = new ChosenChunk(random, mode, entries, largest);
        byte[] bytes = new byte[8192 + 8 * entries];
        var writer = new FieldWriter(bytes.AsSpan(sizeof(uint)));
        if (random.NextInt32(4) != 0) chunk.WriteCoded(ref writer);
        else chunk.WritePlain(ref writer, (ChunkPositions)random.NextInt32(3));
        return bytes[..(sizeof(uint) + writer.Position)];
    }

    private uint Single() => _random.NextInt32(8) switch
    {
        0 => (uint)_random.NextInt32(2) << 31,
        1 => (uint)_random.NextInt32(1 << 23), // Subnormal.
        2 => 0x7F7FFFFF,
        _ => BitConverter.SingleToUInt32Bits((float)_random.NextGaussian()),
    };

    private void WritePlain(ref FieldWriter writer, ChunkPositions positions)
    {
        bool all = positions == ChunkPositions.All, isSingle = _mode == ValueMode.Fp32;
        // With a value for every entry, a zero is one that is not sent.
        for (int i = 0; all && isSingle && i < _sent.Length; i++) _sent[i] &= _codes[i] << 1 != 0;
        int[] kept = [.. Enumerable.Range(0, _sent.Length).Where(i => _sent[i])];
        writer.Byte((int)positions);
        int stated = all && _random.NextInt32(2) == 0 ? _sent.Length : kept.Length;
        writer.Varint(stated);
        if (all && stated == 0) return;
        if (positions == ChunkPositions.Bitmap)
        {
            Span<byte> bitmap = writer.Take((_sent.Length + 7) / 8);
            foreach (int i in kept) bitmap[i / 8] |= (byte)(1 << i % 8);
        }
        else if (positions == ChunkPositions.Golomb)
        {
            int parameter = 1 + _random.NextInt32(_random.NextInt32(2) == 0 ? 8 : GolombPositions.MaximumParameter);
            byte[] gaps = new byte[_sent.Length + 4 * kept.Length + 16];
            int length = GolombPositions.Encode(kept, parameter, gaps);
            writer.Varint(parameter);
            writer.Varint(length);
            writer.Bytes(gaps.AsSpan(0, length));
        }
        int count = all ? _sent.Length : kept.Length, width = ValueFormat.RawBits(_mode, all);
        var bits = new BitWriter(writer.Take((int)ChunkFormat.RawBytes(_mode, count, all)));
        for (int i = 0; i < count; i++)
        {
            int entry = all ? i : kept[i];
            bits.Write(!_sent[entry] ? 0 : isSingle || all ? _codes[entry] : _codes[entry] - 2, width);
        }
        bits.Finish();
    }

    private void WriteCoded(ref FieldWriter writer)
    {
        bool values = _mode != ValueMode.Fp32;
        int kept = _sent.Count(sent => sent);
        int[] classFrequencies = ChosenTables.Frequencies(_random, _classes);
        var stream = new RansStream();
        if (_classes > 1) stream.Add(classFrequencies, _classOf);
        writer.Byte((int)ChunkPositions.Entropy | (values ? ChunkFormat.TokenFlag : 0));
        writer.Varint(kept);
        if (values)
        {
            writer.Varint(_least);
            writer.Byte(_lowBits);
        }
        int lanes = 1 << (_random.NextInt32(2) == 0 ? 7 : _random.NextInt32(8));
        writer.Byte(BitOperations.Log2((uint)lanes) | _classes - 1 << 3);
        if (_classes > 1) writer.Frequencies(classFrequencies);
        for (int c = 0; c < _classes; c++) WriteLevels(ref writer, stream, c);
        var escapes = new List<byte>();
        for (int c = 0; values && c < _classes; c++) WriteTokens(ref writer, stream, c, escapes);
        WriteStream(ref writer, stream, lanes, RawBytes(kept, escapes), escapes.Count);
    }

    private void WriteLevels(ref FieldWriter writer, RansStream stream, int @class)
    {
        Span<int> frequencies = stackalloc int[16];
        bool inverted = _random.NextInt32(2) == 0;
        int depth = 1 + _random.NextInt32(NibbleLevels.Maximum);
        byte[][] levels = ChosenTables.Levels([.. Entries(@class).Select(i => _sent[i] != inverted)], depth);
        writer.Byte(depth | (inverted ? 128 : 0));
        for (int level = 0; level < depth; level++)
        {
            int[] populations = ChosenTables.Populations(_random, levels[level], top: level == 0);
            foreach (int f in populations) writer.Byte(f);
            Frequencies.OfNibbles(populations, zero: level == 0, frequencies);
            stream.Add(frequencies, levels[level]);
        }
    }

    private void WriteTokens(ref FieldWriter writer, RansStream stream, int @class, List<byte> escapes)
    {
        byte[] tokens = [.. Entries(@class).Where(i => _sent[i]).Select(i => (byte)(_codes[i] - 2 * _least >> _lowBits))];
        if (tokens.Length == 0)
        {
            writer.Byte(0);
            return;
        }
        var table = new ChosenTokens(_random, tokens, escapes);
        table.Write(ref writer);
        table.AddTo(stream);
    }

    private IEnumerable<int> Entries(int @class) => Enumerable.Range(0, _sent.Length).Where(i => _classOf[i / Planes.Block] == @class);

    private byte[] RawBytes(int kept, List<byte> escapes)
    {
        uint[] codes = [.. Enumerable.Range(0, _sent.Length).Where(i => _sent[i]).Select(i => _codes[i] - (uint)(2 * _least))];
        if (_mode == ValueMode.Fp32) return [.. codes.SelectMany(BitConverter.GetBytes)];
        if (_lowBits == 8) return [.. codes.Select(code => (byte)code), .. escapes];
        int plane = (kept + 7) / 8;
        byte[] planes = new byte[plane * _lowBits];
        for (int i = 0; i < kept; i++)
            for (int bit = 0; bit < _lowBits; bit++)
                planes[plane * bit + i / 8] |= (byte)((codes[i] >> bit & 1) << i % 8);
        return [.. planes, .. escapes];
    }

    private static void WriteStream(ref FieldWriter writer, RansStream stream, int lanes, byte[] raw, int escapes)
    {
        int carried = Math.Min(raw.Length, ChunkFormat.CarriedBytes(lanes));
        var bits = new BitReader(raw.AsSpan(raw.Length - carried));
        uint[] states = new uint[lanes];
        foreach (ref uint state in states.AsSpan()) state = bits.Read(15);
        byte[] coded = stream.Encode(states);
        writer.Varint(coded.Length);
        writer.Varint(escapes);
        foreach (uint state in states)
            for (int shift = 0; shift < 24; shift += 8)
                writer.Byte((byte)(state >> shift));
        writer.Bytes(coded);
        writer.Bytes(raw.AsSpan(0, raw.Length - carried));
    }
}
