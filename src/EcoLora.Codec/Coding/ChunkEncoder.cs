using System.Buffers.Binary;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>
/// Codes a chunk: up to 8192 blocks of one role's entries. Blocks are appended in order, then <see cref="Finish"/> writes the bytes of FORMAT.md. One
/// instance is used again and again; it allocates only while its buffers grow.
/// </summary>
internal sealed unsafe partial class ChunkEncoder
{
    private readonly PinnedBuffer _bitmap = new(), _tokens = new(), _lows = new(), _classBits = new(), _flags = new();
    private readonly PinnedBuffer _symbols = new(), _escapes = new(), _coded = new(), _packed = new();
    private readonly PinnedBuffer _states = new(RansDecoder.VectorLanes * sizeof(uint)), _ids = new(ChunkFormat.MaximumBlocks);
    private readonly int[] _sent = new int[ChunkFormat.MaximumBlocks];
    private readonly DensityClasses _classes = new();
    private readonly ClassTables[] _tables = [.. Enumerable.Range(0, DensityClasses.Maximum).Select(_ => new ClassTables())];
    private readonly RansTable _idTable = new();
    private readonly long[] _counts = new long[256];
    private readonly int[] _idFrequencies = new int[DensityClasses.Maximum];
    private readonly SymbolRun[] _runs = new SymbolRun[1 + DensityClasses.Maximum * (NibbleLevels.Maximum + 1)];
    private int[] _indexes = [];
    private byte* _nextSymbols, _nextEscape;
    private int _blocks, _entries, _kept, _runCount, _least, _lowBits;
    private CodeRange _range;
    private ValueMode _mode;
    private SimdPath _path;

    /// <summary>Of the blocks of halves that were added, the smallest and the largest code; those outside of what was announced are not sent rightly.</summary>
    public CodeRange Range => _range;

    /// <summary>Begins a chunk.</summary>
    /// <param name="entries">How many entries it will have, at most 8192 blocks.</param>
    /// <param name="mode">Value mode.</param>
    /// <param name="leastMagnitude">t ≥ 1: no code has a smaller magnitude.</param>
    /// <param name="largestMagnitude">No code has a larger one.</param>
    /// <param name="path">Code path.</param>
    public void Start(int entries, ValueMode mode, int leastMagnitude, int largestMagnitude, SimdPath path)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(entries, ChunkFormat.MaximumEntries);
        (_mode, _path, _least) = (mode, path, 2 * leastMagnitude);
        _lowBits = ValueFormat.LowBits(mode, leastMagnitude, largestMagnitude);
        (_blocks, _entries, _kept, _range) = (0, 0, 0, new CodeRange());
        _bitmap.Reserve(entries / 8 + Planes.Block);
        _tokens.Reserve(entries + Planes.Block);
        _lows.Reserve((mode == ValueMode.Fp32 ? 4L : 2L) * entries + Planes.Block); // Low bits, then at most as many escapes.
    }

    /// <summary>Appends a block of codes; all but the last of a chunk are whole.</summary>
    /// <param name="codes">[n, zeros to the next 64].</param>
    /// <param name="n">1 to 1024.</param>
    /// <param name="halves">Whether they are binary16 patterns, see <see cref="Planes"/>.</param>
    public void Add(ushort* codes, int n, bool halves)
    {
        byte* bitmap = _bitmap.Pointer + _blocks * (Planes.Block / 8);
        Count(n, Planes.Split(codes, n, halves, _least, _lowBits, bitmap, _tokens.Pointer + _kept, _lows.Pointer + _kept, ref _range, _path));
    }

    /// <summary>Appends a block of binary32 values; zeros are not sent.</summary>
    public void Add(ReadOnlySpan<float> values)
    {
        ulong* bitmap = (ulong*)(_bitmap.Pointer + _blocks * (Planes.Block / 8));
        uint* kept = (uint*)_lows.Pointer + _kept;
        int sent = 0;
        for (int i = 0; i < values.Length; i++)
        {
            if ((i & 63) == 0) bitmap[i >> 6] = 0;
            uint bits = BitConverter.SingleToUInt32Bits(values[i]);
            if (bits << 1 == 0) continue;
            bitmap[i >> 6] |= 1UL << i;
            kept[sent++] = bits;
        }
        Count(values.Length, sent);
    }

    /// <summary>Largest number of bytes that a chunk of so many entries takes.</summary>
    public static int MaximumSize(int entries, ValueMode mode) =>
        checked((int)(64 + entries / 8 + (entries * (long)ValueFormat.RawBits(mode, all: true) + 7) / 8));

    /// <summary>Writes the chunk in the smallest of its forms, or in the paper's.</summary>
    /// <param name="destination">At least <see cref="MaximumSize"/> bytes.</param>
    /// <param name="coding">Which forms may be used.</param>
    /// <param name="keepAll">Whether the sender asked for every entry: those whose value is zero are written too, and no position is.</param>
    /// <returns>Bytes written.</returns>
    public int Finish(Span<byte> destination, LosslessCoding coding, bool keepAll)
    {
        int bitmapBytes = (_entries + 7) / 8;
        long raw = ChunkFormat.RawBytes(_mode, _kept, all: false), all = ChunkFormat.RawBytes(_mode, _entries, all: true);
        var writer = new FieldWriter(destination[sizeof(uint)..]);
        if (coding == LosslessCoding.Golomb)
        {
            if (keepAll || _kept == _entries) WriteRaw(ref writer, ChunkPositions.All, _entries);
            else if (_kept == 0) WriteNothing(ref writer);
            else WriteRaw(ref writer, ChunkPositions.Golomb, _kept);
        }
        else if (_kept == 0) WriteNothing(ref writer);
        else
        {
            long least = Math.Min(all, raw + bitmapBytes);
            // Of many entries, gaps are less than coded positions only where these few would not pay for their tables.
            if (_entries <= 4 * Planes.Block || _kept <= _entries / 64) least = Math.Min(least, raw + GolombBytes(withFields: true));
            if (!TryWriteEntropy(ref writer, least + 1 + FieldWriter.VarintBytes(_kept)))
                WriteRaw(ref writer, least == all ? ChunkPositions.All : least == raw + bitmapBytes ? ChunkPositions.Bitmap : ChunkPositions.Golomb, _kept);
        }
        int length = sizeof(uint) + writer.Position;
        BinaryPrimitives.WriteUInt32LittleEndian(destination, Crc32C.Of(destination[sizeof(uint)..length]));
        return length;
    }

    private void Count(int entries, int sent)
    {
        _sent[_blocks++] = sent;
        _entries += entries;
        _kept += sent;
    }

    private static void WriteNothing(ref FieldWriter writer)
    {
        writer.Byte(0);
        writer.Varint(0);
    }

    private int EntriesOf(int block) => Math.Min(Planes.Block, _entries - block * Planes.Block);
}
