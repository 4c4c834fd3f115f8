using System.Buffers.Binary;
using System.Numerics;

namespace EcoLora.Codec;

/// <content>Modes 0 to 2: positions as all, a bitmap or Golomb-coded gaps, and values as they are.</content>
internal sealed unsafe partial class ChunkEncoder
{
    private Span<int> Indexes()
    {
        if (_indexes.Length < _kept) _indexes = new int[Math.Max(_kept, 1024)];
        int count = 0;
        ulong* words = (ulong*)_bitmap.Pointer;
        for (int word = 0; word < (_entries + 63) / 64; word++)
            for (ulong bits = words[word]; bits != 0; bits &= bits - 1)
                _indexes[count++] = 64 * word + BitOperations.TrailingZeroCount(bits);
        return _indexes.AsSpan(0, count);
    }

    private int GolombBytes(bool withFields) => ChunkFormat.GolombBytes(_bitmap.Pointer, _kept, _entries, withFields);

    private void WriteRaw(ref FieldWriter writer, ChunkPositions positions, int kept)
    {
        writer.Byte((int)positions);
        writer.Varint(kept);
        if (positions == ChunkPositions.Bitmap) writer.Bytes(new ReadOnlySpan<byte>(_bitmap.Pointer, (_entries + 7) / 8));
        if (positions == ChunkPositions.Golomb)
        {
            Span<int> indexes = Indexes();
            int parameter = GolombPositions.ParameterFor(_kept, _entries);
            int bytes = GolombBytes(withFields: false);
            writer.Varint(parameter);
            writer.Varint(bytes);
            GolombPositions.Encode(indexes, parameter, writer.Take(bytes));
        }
        if (_mode == ValueMode.Fp32) WriteSingles(ref writer, positions == ChunkPositions.All);
        else WriteCodes(ref writer, positions == ChunkPositions.All);
    }

    private void WriteSingles(ref FieldWriter writer, bool all)
    {
        if (!all || _kept == _entries)
        {
            writer.Bytes(new ReadOnlySpan<byte>(_lows.Pointer, _kept * sizeof(float)));
            return;
        }
        Span<byte> destination = writer.Take(_entries * sizeof(float));
        uint* next = (uint*)_lows.Pointer;
        for (int i = 0; i < _entries; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(destination[(4 * i)..], (_bitmap.Pointer[i >> 3] >> (i & 7) & 1) != 0 ? *next++ : 0);
    }

    private void WriteCodes(ref FieldWriter writer, bool all)
    {
        int width = ValueFormat.RawBits(_mode, all), count = all ? _entries : _kept, less = all ? 0 : 2, next = 0;
        var bits = new BitWriter(writer.Take((int)ChunkFormat.RawBytes(_mode, count, all)));
        for (int i = 0; i < count; i++)
        {
            bool sent = !all || (_bitmap.Pointer[i >> 3] >> (i & 7) & 1) != 0;
            bits.Write(sent ? (uint)((_tokens.Pointer[next] << _lowBits | _lows.Pointer[next++]) + _least - less) : 0, width);
        }
        bits.Finish();
    }
}
