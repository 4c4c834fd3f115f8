using System.Numerics;
using System.Runtime.CompilerServices;

namespace EcoLora.Codec;

/// <content>Modes 3 and 7: entropy-coded positions and tokens.</content>
internal sealed unsafe partial class ChunkDecoder
{
    private void ReadEntropy(ref FieldReader reader, byte* bytes, int readable, bool values)
    {
        (_least, _lowBits) = (0, 0);
        if (values)
        {
            _least = 2 * reader.Varint("least magnitude", 1, _limit / 2);
            _lowBits = reader.Byte("low bits");
            if (_lowBits > 8) throw new FrameException("low bits", "0 to 8", $"{_lowBits}");
        }
        int packed = reader.Byte("lanes and classes"), lanes = 1 << (packed & 7);
        _classes = (packed >> 3) + 1;
        if (_classes > DensityClasses.Maximum) throw new FrameException("lanes and classes", $"at most {DensityClasses.Maximum} classes", $"{_classes}");
        ReadTables(ref reader, values);
        int coded = reader.Varint("coded bytes", 0, int.MaxValue), escapes = reader.Varint("escapes", 0, values ? _kept : 0);
        ReadOnlySpan<byte> states = reader.Take("states", lanes * RansDecoder.StateBytes);
        for (int lane = 0; lane < lanes; lane++, states = states[RansDecoder.StateBytes..])
        {
            uint state = (uint)(states[0] | states[1] << 8 | states[2] << 16);
            if (state is < RansDecoder.LowerBound or >= RansDecoder.UpperBound) throw new FrameException("state", "2^15 to 2^23 − 1", $"{state}");
            ((uint*)_states.Pointer)[lane] = state;
        }
        reader.Take("coded bytes", coded);
        int codedAt = sizeof(uint) + reader.Position - coded;
        int lowBytes = !values ? _kept * sizeof(uint) : _lowBits == 8 ? _kept : BitPlanes.Size(_kept, _lowBits);
        int rawBytes = lowBytes + escapes, carried = Math.Min(rawBytes, ChunkFormat.CarriedBytes(lanes)), inChunk = rawBytes - carried, copied = 0;
        byte* raw = values && _lowBits == 8 ? _lows.Reserve(rawBytes + (long)Planes.Block) : _raw.Reserve(rawBytes + 64L);
        ReadOnlySpan<byte> source = reader.Take("low bits", inChunk);
        if (values && _lowBits == 8)
        {
            // Whole bytes are read where they lie, but for the last ones, which go on in what the states carry.
            _borrowedLows = bytes + sizeof(uint) + reader.Position - inChunk;
            _lastBorrowed = Math.Min(inChunk, lowBytes) - Planes.Block - PinnedBuffer.Slack;
            copied = Math.Max(0, _lastBorrowed);
        }
        source[copied..].CopyTo(new Span<byte>(raw + copied, inChunk - copied));
        var cursor = new RansDecoder.Cursor
        {
            States = (uint*)_states.Pointer,
            Lanes = lanes,
            Bytes = bytes + codedAt,
            End = bytes + codedAt + coded,
            Readable = bytes + readable,
        };
        Decode(ref cursor, values);
        if (cursor.Bytes != cursor.End) throw new FrameException("coded bytes", "all of them used", $"{cursor.End - cursor.Bytes} left");
        TakeCarried(lanes, new Span<byte>(raw + inChunk, carried));
        TakeLows(raw, lowBytes, values, escapes);
    }

    /// <summary>The low bits of the sent entries from one on, for a block.</summary>
    private byte* Lows(int at) => (at <= _lastBorrowed ? _borrowedLows : _lows.Pointer) + at;

    private void ReadTables(ref FieldReader reader, bool values)
    {
        Span<int> frequencies = stackalloc int[RansTable.MaximumSymbols];
        if (_classes > 1)
        {
            reader.Frequencies("class frequencies", frequencies[.._classes]);
            _idTable.Set(frequencies[.._classes]);
        }
        for (int c = 0; c < _classes; c++)
        {
            int shape = reader.Byte("levels"), depth = shape & 127;
            if (depth is < 1 or > NibbleLevels.Maximum) throw new FrameException("levels", $"1 to {NibbleLevels.Maximum}", $"{depth}");
            (_tables[c].Depth, _tables[c].Inverted) = (depth, shape > 127);
            for (int level = 0; level < depth; level++)
                if (!_tables[c].TrySetLevel(level, reader.Take("levels", 4)))
                    throw new FrameException("levels", "frequencies that add up to 256", "others");
        }
        for (int c = 0; values && c < _classes; c++)
        {
            int shape = reader.Byte("tokens"), symbols = shape & 127;
            bool escape = shape > 127;
            if (symbols > RansTable.MaximumSymbols || escape && symbols == 0)
                throw new FrameException("tokens", $"at most {RansTable.MaximumSymbols}", $"{shape:X2}");
            _tables[c].HasTokens = symbols > 0;
            if (symbols == 0) continue;
            int first = reader.Byte("tokens"), last = first + symbols - (escape ? 2 : 1);
            if (last > byte.MaxValue) throw new FrameException("tokens", $"at most {byte.MaxValue}", $"{last}");
            reader.Frequencies("token frequencies", frequencies[..symbols]);
            _tables[c].Tokens.Set(first, escape, frequencies[..symbols]);
        }
    }

    private void Decode(ref RansDecoder.Cursor cursor, bool values)
    {
        if (_classes > 1) Run(_idTable, ref cursor, _ids.Pointer, _blocks);
        int found = 0, at = 0;
        for (int c = 0; c < _classes; c++)
        {
            DecodePositions(ref cursor, c);
            found += _tables[c].Kept;
        }
        if (found != _kept) throw new FrameException("positions", $"{_kept}", $"{found}");
        for (int c = 0; values && c < _classes; c++)
        {
            ClassTables tables = _tables[c];
            if (tables.HasTokens != tables.Kept > 0) throw new FrameException("tokens", $"a table for {tables.Kept} tokens", tables.HasTokens ? "one" : "none");
            _tokenAt[c] = at;
            if (tables.Kept > 0) Run(tables.Tokens.Rans, ref cursor, _tokens.Pointer + at, tables.Kept);
            at += tables.Kept;
        }
    }

    private void DecodePositions(ref RansDecoder.Cursor cursor, int @class)
    {
        ClassTables tables = _tables[@class];
        int entries = _entries;
        if (_classes > 1)
        {
            entries = 0;
            for (int block = 0; block < _blocks; block++)
                if (_ids.Pointer[block] == @class)
                    entries += Math.Min(Planes.Block, _entries - block * Planes.Block);
        }
        tables.Kept = 0;
        if (entries == 0) return;
        byte* symbols = _symbols.Reserve(entries / 4 + 64 + Planes.Block), upper = _upperBits.Reserve(entries / 8 + 4096L), bits = upper;
        for (int level = 0; level < tables.Depth; level++)
        {
            int unit = 1 << 2 * (tables.Depth - level), nibbles = (int)((entries + (long)unit - 1) / unit), count = nibbles;
            if (level > 0) count = Population(bits, nibbles);
            Run(tables.Levels[level], ref cursor, symbols, count);
            // Levels alternate between the two halves of the buffer; the last fills the larger one, or the bitmap itself.
            byte* next = (tables.Depth - level & 1) != 0 ? upper : upper + (entries / 32 + 1024 & ~63);
            if (level == tables.Depth - 1) next = _classes == 1 ? _bitmap.Pointer : _classBits.Reserve(entries / 8 + Planes.Block);
            if (level == 0) NibbleLevels.Join(symbols, nibbles, next, _path);
            else NibbleLevels.JoinNonZero(bits, nibbles, symbols, next, _path);
            bits = next;
        }
        int set = Population(bits, entries);
        tables.Kept = tables.Inverted ? entries - set : set;
        if (_classes > 1) Spread(bits, @class, tables.Inverted);
        else if (tables.Inverted) Invert(bits, entries);
    }

    /// <summary>A class's bits to the bitmap, in the order of the blocks.</summary>
    private void Spread(byte* bits, int @class, bool inverted)
    {
        for (int block = 0; block < _blocks; block++)
        {
            if (_ids.Pointer[block] != @class) continue;
            int n = Math.Min(Planes.Block, _entries - block * Planes.Block), bytes = (n + 63) / 64 * sizeof(ulong);
            byte* to = _bitmap.Pointer + block * (Planes.Block / 8);
            Buffer.MemoryCopy(bits, to, bytes, bytes);
            if (inverted) Invert(to, n);
            bits += bytes;
        }
    }

    private static void Invert(byte* bits, int count)
    {
        ulong* words = (ulong*)bits;
        int whole = (count + 63) / 64;
        for (int i = 0; i < whole; i++) words[i] = ~words[i];
        if ((count & 63) != 0) words[whole - 1] &= (1UL << (count & 63)) - 1;
    }

    /// <summary>The number of set bits, none of which may come after the last one that counts.</summary>
    [MethodImpl(Jit.Kernel)]
    private static int Population(byte* bits, int count)
    {
        ulong* words = (ulong*)bits;
        int whole = (count + 63) / 64, set = 0;
        for (int i = 0; i < whole; i++) set += BitOperations.PopCount(words[i]);
        if ((count & 63) != 0 && words[whole - 1] >> (count & 63) != 0) throw new FrameException("positions", "none after the last entry", "one");
        return set;
    }

    private void Run(RansTable table, ref RansDecoder.Cursor cursor, byte* symbols, int count)
    {
        if (!RansDecoder.Run(table, ref cursor, symbols, count, _path)) throw new FrameException("coded bytes", "enough for all symbols", "fewer");
    }

    private void TakeCarried(int lanes, Span<byte> carried)
    {
        var writer = new BitWriter(carried);
        int left = 8 * carried.Length;
        for (int lane = 0; lane < lanes; lane++)
        {
            uint free = ((uint*)_states.Pointer)[lane] - RansDecoder.LowerBound;
            int bits = Math.Min(15, left);
            if (free >> bits != 0) throw new FrameException("state", "what it began with", $"{free + RansDecoder.LowerBound}");
            writer.Write(free, bits);
            left -= bits;
        }
        writer.Finish();
    }

    private void TakeLows(byte* raw, int lowBytes, bool values, int escapes)
    {
        if (!values)
        {
            TakeSingles(new ReadOnlySpan<byte>(raw, lowBytes), all: false);
            return;
        }
        // Eight low bits are bytes already, and lie where they are read.
        if (_lowBits < 8 && !BitPlanes.Unpack(raw, _kept, _lowBits, _lows.Pointer, _path))
            throw new FrameException("low bits", "zero bits after the last", "others");
        byte* escape = raw + lowBytes, end = escape + escapes;
        int largest = 0;
        for (byte* p = escape; p < end; p++) largest = Math.Max(largest, *p);
        for (int c = 0; c < _classes; c++)
        {
            ClassTables tables = _tables[c];
            if (tables.Kept == 0) continue;
            largest = Math.Max(largest, tables.Tokens.First + tables.Tokens.Symbols - (tables.Tokens.HasEscape ? 2 : 1));
            _firstToken[c] = tables.Tokens.First;
            if (!tables.Tokens.Fill(_tokens.Pointer + _tokenAt[c], tables.Kept, ref escape, end, _path))
                throw new FrameException("escapes", "one for each escape", "fewer");
        }
        if (escape != end) throw new FrameException("escapes", "one for each escape", $"{end - escape} more");
        // What the tables allow is mostly within the limit as a whole; otherwise every value is looked at.
        if (((largest + 1) << _lowBits) - 1 + _least > _limit) CheckCodes();
    }

    private void CheckCodes()
    {
        Span<int> at = stackalloc int[DensityClasses.Maximum];
        _tokenAt.CopyTo(at);
        int low = 0;
        for (int block = 0; block < _blocks; block++)
        {
            int sent = SentIn(block), first = _firstToken[_ids.Pointer[block]];
            ref int token = ref at[_ids.Pointer[block]];
            for (int i = 0; i < sent; i++, token++, low++)
            {
                int code = ((byte)(_tokens.Pointer[token] + first) << _lowBits | *Lows(low)) + _least;
                if (code > _limit) throw new FrameException("value", $"a code of 2 to {_limit}", $"{code}");
            }
        }
    }
}
