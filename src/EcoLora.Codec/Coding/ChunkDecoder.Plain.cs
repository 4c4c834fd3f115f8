using System.Buffers.Binary;
using System.Numerics;

namespace EcoLora.Codec;

/// <content>Modes 0 to 2: positions as all, a bitmap or Golomb-coded gaps, and values as they are.</content>
internal sealed unsafe partial class ChunkDecoder
{
    private void ReadRaw(ref FieldReader reader, ChunkPositions positions)
    {
        (_least, _lowBits) = (2, 8);
        if (positions == ChunkPositions.All)
        {
            ReadAll(ref reader);
            return;
        }
        else if (positions == ChunkPositions.Bitmap)
        {
            reader.Take("bitmap", (_entries + 7) / 8).CopyTo(new Span<byte>(_bitmap.Pointer, (_entries + 7) / 8));
        }
        else
        {
            int parameter = reader.Varint("Golomb parameter", 1, GolombPositions.MaximumParameter), bytes = reader.Varint("positions", 0, int.MaxValue);
            ReadOnlySpan<byte> source = reader.Take("positions", bytes);
            if (_indexes.Length < _kept) _indexes = new int[_kept];
            Span<int> indexes = _indexes.AsSpan(0, _kept);
            if (!GolombPositions.TryDecode(source, parameter, _entries, indexes))
                throw new FrameException("positions", $"{_kept} indexes below {_entries}", "other positions");
            foreach (int index in indexes) _bitmap.Pointer[index >> 3] |= (byte)(1 << (index & 7));
        }
        CheckPositions();
        ReadOnlySpan<byte> values = reader.Take("values", ChunkFormat.RawBytes(_mode, _kept, all: false));
        if (_mode == ValueMode.Fp32) TakeSingles(values, all: false);
        else TakeCodes(values, all: false);
    }

    /// <summary>A value for every entry; the sender counts all of them, or those that are not zero.</summary>
    private void ReadAll(ref FieldReader reader)
    {
        int stated = _kept;
        _kept = _entries;
        _tokens.Reserve(_kept + Planes.Block);
        _lows.Reserve((_mode == ValueMode.Fp32 ? 4L : 1L) * _kept + Planes.Block);
        SetAll();
        ReadOnlySpan<byte> values = reader.Take("values", ChunkFormat.RawBytes(_mode, _kept, all: true));
        int sent = _mode == ValueMode.Fp32 ? TakeSingles(values, all: true) : TakeCodes(values, all: true);
        if (stated != _entries && stated != sent) throw new FrameException("kept", $"{sent} or {_entries}", $"{stated}");
        _kept = stated;
    }

    private void SetAll()
    {
        new Span<byte>(_bitmap.Pointer, _entries / 8).Fill(255);
        if ((_entries & 7) != 0) _bitmap.Pointer[_entries / 8] = (byte)((1 << (_entries & 7)) - 1);
    }

    /// <summary>The bitmap has as many bits as the chunk states, none after the last entry.</summary>
    private void CheckPositions()
    {
        long found = 0;
        ulong* words = (ulong*)_bitmap.Pointer;
        int count = (_entries + 63) / 64;
        for (int i = 0; i < count; i++) found += BitOperations.PopCount(words[i]);
        if ((_entries & 63) != 0 && words[count - 1] >> (_entries & 63) != 0) throw new FrameException("positions", $"none from {_entries} on", "one");
        if (found != _kept) throw new FrameException("positions", $"{_kept}", $"{found}");
    }

    /// <summary>Takes values as they are; where there is one for every entry, zeros are not sent.</summary>
    /// <returns>How many are sent.</returns>
    private int TakeSingles(ReadOnlySpan<byte> values, bool all)
    {
        int next = 0;
        for (int i = 0; i < _kept; i++)
        {
            float value = BinaryPrimitives.ReadSingleLittleEndian(values[(4 * i)..]);
            if (!float.IsFinite(value)) throw new FrameException("value", "a finite number", $"{value}");
            if (all && value == 0) _bitmap.Pointer[i >> 3] &= (byte)~(1 << (i & 7));
            else ((float*)_lows.Pointer)[next++] = value;
        }
        return next;
    }

    /// <inheritdoc cref="TakeSingles"/>
    private int TakeCodes(ReadOnlySpan<byte> values, bool all)
    {
        int width = ValueFormat.RawBits(_mode, all), less = all ? 0 : 2, next = 0;
        var bits = new BitReader(values);
        for (int i = 0; i < _kept; i++)
        {
            int code = (int)bits.Read(width) + less;
            if (code > _limit || code == 1) throw new FrameException("value", $"a code of 2 to {_limit}", $"{code}");
            if (code == 0)
            {
                _bitmap.Pointer[i >> 3] &= (byte)~(1 << (i & 7));
                continue;
            }
            _tokens.Pointer[next] = (byte)(code - 2 >> 8);
            _lows.Pointer[next++] = (byte)(code - 2);
        }
        if (bits.Read((int)(8L * values.Length - bits.Consumed)) != 0) throw new FrameException("values", "zero bits after the last", "others");
        return next;
    }
}
