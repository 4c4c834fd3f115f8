using System.Numerics;

namespace EcoLora.Codec;

/// <content>Modes 3 and 7: entropy-coded positions and tokens.</content>
internal sealed unsafe partial class ChunkEncoder
{
    /// <summary>Writes the entropy-coded form if it takes at most so many bytes.</summary>
    private bool TryWriteEntropy(ref FieldWriter writer, long limit)
    {
        bool values = _mode != ValueMode.Fp32;
        int sampling = _blocks < 64 ? 1 : _kept < 1 << 17 ? 8 : 16;
        Classify(values, sampling);
        PrepareSymbols(values);
        long symbols = 0;
        for (int i = 0; i < _runCount; i++)
            if (_runs[i].Table.Only < 0)
                symbols += _runs[i].Count;
        int lanes = ChunkFormat.LanesFor(symbols), escapes = (int)(_nextEscape - _escapes.Pointer);
        int lowBytes = values ? BitPlanes.Size(_kept, _lowBits) : _kept * sizeof(uint);
        byte* raw = _lows.Pointer;
        if (values && _lowBits < 8) BitPlanes.Pack(_lows.Pointer, _kept, _lowBits, raw = _packed.Reserve(2L * _kept + Planes.Block), _path);
        else if (values) lowBytes = _kept;
        new ReadOnlySpan<byte>(_escapes.Pointer, escapes).CopyTo(new Span<byte>(raw + lowBytes, escapes));
        int rawBytes = lowBytes + escapes, carried = Math.Min(rawBytes, ChunkFormat.CarriedBytes(lanes));
        ReadOnlySpan<byte> coded = EncodeRuns(lanes, symbols, new ReadOnlySpan<byte>(raw + rawBytes - carried, carried));

        var head = new FieldWriter(stackalloc byte[4096]);
        WriteTables(ref head, values, lanes, coded.Length, escapes);
        long total = head.Position + lanes * RansDecoder.StateBytes + coded.Length + rawBytes - carried;
        if (total > limit) return false;
        writer.Bytes(head.Written);
        for (int lane = 0; lane < lanes; lane++)
        {
            uint state = ((uint*)_states.Pointer)[lane];
            for (int shift = 0; shift < 8 * RansDecoder.StateBytes; shift += 8) writer.Byte((byte)(state >> shift));
        }
        writer.Bytes(coded);
        writer.Bytes(new ReadOnlySpan<byte>(raw, rawBytes - carried));
        return true;
    }

    private void Classify(bool values, int sampling)
    {
        _classes.Clear();
        byte* tokens = _tokens.Pointer;
        for (int block = 0; block < _blocks; block++)
        {
            _classes.Add(EntriesOf(block), _sent[block]);
            if (values && block % sampling == 0) _classes.AddTokens(EntriesOf(block), _sent[block], tokens);
            tokens += _sent[block];
        }
        _classes.Choose(single: _blocks < 8, sampling);
        for (int block = 0; block < _blocks; block++) _ids.Pointer[block] = (byte)_classes.Of(EntriesOf(block), _sent[block]);
    }

    /// <summary>Lays out the runs of symbols in the order in which they are decoded, and their tables.</summary>
    private void PrepareSymbols(bool values)
    {
        int classes = _classes.Count;
        _nextSymbols = _symbols.Reserve(_entries / 2 + (values ? _kept : 0) + 64L * (2 + classes * (NibbleLevels.Maximum + 1)) + _blocks);
        _nextEscape = _escapes.Reserve(_kept + 64);
        _runCount = 0;
        if (classes > 1)
        {
            Array.Clear(_counts);
            for (int block = 0; block < _blocks; block++) _counts[_ids.Pointer[block]]++;
            Frequencies.Normalize(_counts.AsSpan(0, classes), _idFrequencies.AsSpan(0, classes));
            _idTable.Set(_idFrequencies.AsSpan(0, classes));
            _runs[_runCount++] = new SymbolRun(_idTable, _ids.Pointer, _blocks);
        }
        for (int c = 0; c < classes; c++) PreparePositions(c);
        for (int c = 0; values && c < classes; c++) PrepareTokens(c);
    }

    private void PreparePositions(int @class)
    {
        ClassTables tables = _tables[@class];
        byte* bits = _bitmap.Pointer;
        int entries = 0, sent = 0;
        if (_classes.Count > 1) bits = _classBits.Reserve(_entries / 8 + Planes.Block);
        for (int block = 0; block < _blocks; block++)
        {
            if (_ids.Pointer[block] != @class) continue;
            // Only a chunk's last block is not whole, so a class's bits are without gaps.
            if (_classes.Count > 1) Buffer.MemoryCopy(_bitmap.Pointer + block * (Planes.Block / 8), bits + entries / 8, Planes.Block / 8, Planes.Block / 8);
            entries += EntriesOf(block);
            sent += _sent[block];
        }
        tables.Kept = sent;
        tables.Inverted = 2L * sent > entries;
        if (tables.Inverted) bits = Invert(bits, entries);
        int set = tables.Inverted ? entries - sent : sent;
        tables.Depth = set == 0 ? 1 : NibbleLevels.DepthFor(set, entries);
        int nibbles = (entries + 3) / 4, first = _runCount;
        byte* flags = _flags.Reserve(entries / 16 + 2 * Planes.Block);
        for (int level = tables.Depth - 1; level >= 0; level--, nibbles = (nibbles + 3) / 4)
        {
            int count = nibbles;
            ClearAfter(bits, nibbles);
            if (level == 0) NibbleLevels.Cut(bits, nibbles, _nextSymbols, _path);
            else count = NibbleLevels.CutNonZero(bits, nibbles, flags, _nextSymbols, _path);
            tables.ChooseLevel(level, new ReadOnlySpan<byte>(_nextSymbols, count), empty: set == 0, _path);
            _runs[first + level] = new SymbolRun(tables.Levels[level], _nextSymbols, count);
            _nextSymbols += count + 63 & ~63L;
            bits = flags;
            flags += ((nibbles + 63) / 64 * 8 + 63) & ~63;
        }
        _runCount = first + tables.Depth;
    }

    private void PrepareTokens(int @class)
    {
        ClassTables tables = _tables[@class];
        int count = tables.Kept;
        if (count == 0) return;
        var range = new TokenRange();
        byte* from = _tokens.Pointer, symbols = _nextSymbols;
        bool single = _classes.Count == 1;
        for (int block = 0; block < (single ? 1 : _blocks); from += _sent[block++])
            if (_ids.Pointer[block] == @class)
                range.Include(new ReadOnlySpan<byte>(from, single ? count : _sent[block]));
        _classes.TokensOf(@class, _counts);
        long sampled = 0;
        foreach (long n in _counts) sampled += n;
        if (sampled < 1024 && sampled < count) CountFirst(@class, 4096);
        tables.Tokens.Choose(_counts, range);
        from = _tokens.Pointer;
        for (int block = 0; block < (single ? 1 : _blocks); from += _sent[block++])
        {
            if (_ids.Pointer[block] != @class) continue;
            int n = single ? count : _sent[block];
            tables.Tokens.ToSymbols(from, n, symbols, ref _nextEscape, _path);
            symbols += n;
        }
        _runs[_runCount++] = new SymbolRun(tables.Tokens.Rans, _nextSymbols, count);
        _nextSymbols += count + 63 & ~63L;
    }

    /// <summary>Counts the first tokens of a class, where the sample has too few.</summary>
    private void CountFirst(int @class, int most)
    {
        Array.Clear(_counts);
        byte* from = _tokens.Pointer;
        for (int block = 0; block < _blocks && most > 0; from += _sent[block++])
        {
            if (_ids.Pointer[block] != @class) continue;
            int n = Math.Min(most, _sent[block]);
            for (int i = 0; i < n; i++) _counts[from[i]]++;
            most -= n;
        }
    }

    private byte* Invert(byte* bits, int entries)
    {
        ulong* from = (ulong*)bits, to = (ulong*)_classBits.Reserve(_entries / 8 + Planes.Block);
        int words = (entries + 63) / 64;
        for (int i = 0; i < words; i++) to[i] = ~from[i];
        if ((entries & 63) != 0) to[words - 1] &= (1UL << (entries & 63)) - 1;
        return (byte*)to;
    }

    /// <summary>Zeros from the last nibble's byte on to the next 32 bytes: what the vectors read.</summary>
    private static void ClearAfter(byte* bits, int nibbles)
    {
        int used = (nibbles + 1) / 2;
        new Span<byte>(bits + used, (used + 31 & ~31) - used).Clear();
    }

    /// <summary>Codes all runs, the last one first; the states begin with the carried bytes in their 15 free bits.</summary>
    private ReadOnlySpan<byte> EncodeRuns(int lanes, long symbols, ReadOnlySpan<byte> carried)
    {
        long capacity = symbols + 4096;
        byte* end = _coded.Reserve(capacity + 64) + (capacity & ~63L);
        var cursor = new RansEncoder.Cursor { States = (uint*)_states.Pointer, Lanes = lanes, Bytes = end, Lane = (int)(symbols & (lanes - 1)) };
        var bits = new BitReader(carried);
        for (int lane = 0; lane < lanes; lane++) cursor.States[lane] = RansDecoder.LowerBound | bits.Read(15);
        for (int run = _runCount - 1; run >= 0; run--) RansEncoder.Run(_runs[run].Table, ref cursor, _runs[run].Symbols, _runs[run].Count, _path);
        return new ReadOnlySpan<byte>(cursor.Bytes, (int)(end - cursor.Bytes));
    }

    private void WriteTables(ref FieldWriter head, bool values, int lanes, int coded, int escapes)
    {
        int classes = _classes.Count;
        head.Byte((int)ChunkPositions.Entropy | (values ? ChunkFormat.TokenFlag : 0));
        head.Varint(_kept);
        if (values)
        {
            head.Varint(_least / 2);
            head.Byte(_lowBits);
        }
        head.Byte(BitOperations.Log2((uint)lanes) | classes - 1 << 3);
        if (classes > 1) head.Frequencies(_idFrequencies.AsSpan(0, classes));
        for (int c = 0; c < classes; c++)
        {
            head.Byte(_tables[c].Depth | (_tables[c].Inverted ? 128 : 0));
            foreach (int f in _tables[c].Populations) head.Byte(f);
        }
        for (int c = 0; values && c < classes; c++)
        {
            TokenTable tokens = _tables[c].Tokens;
            if (_tables[c].Kept == 0)
            {
                head.Byte(0);
                continue;
            }
            head.Byte(tokens.Symbols | (tokens.HasEscape ? 128 : 0));
            head.Byte(tokens.First);
            head.Frequencies(tokens.Frequencies);
        }
        head.Varint(coded);
        head.Varint(escapes);
    }
}
