using System.Buffers.Binary;
using System.Numerics;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>
/// Reads a chunk: <see cref="Open"/> checks it whole and takes it to planes, then <c>Next</c> gives its blocks in order. Nothing that the bytes say is trusted
/// before it is checked; the planes are as large as the layout says that the chunk can be.
/// </summary>
internal sealed unsafe partial class ChunkDecoder
{
    private readonly PinnedBuffer _bitmap = new(), _tokens = new(), _lows = new(), _raw = new(), _classBits = new(), _upperBits = new(), _symbols = new();
    private readonly PinnedBuffer _states = new(RansDecoder.VectorLanes * sizeof(uint)), _ids = new(ChunkFormat.MaximumBlocks);
    private readonly ClassTables[] _tables = [.. Enumerable.Range(0, DensityClasses.Maximum).Select(_ => new ClassTables())];
    private readonly RansTable _idTable = new();
    private readonly int[] _tokenAt = new int[DensityClasses.Maximum], _firstToken = new int[DensityClasses.Maximum];
    private int[] _indexes = [];
    private int _entries, _blocks, _classes, _kept, _least, _lowBits, _limit, _block, _lowAt, _lastBorrowed;
    private byte* _borrowedLows;
    private ValueMode _mode;
    private SimdPath _path;

    /// <summary>Entries that the open chunk sends, as it says; zeros are among them where the sender asked for all.</summary>
    public int Kept => _kept;

    /// <summary>Bytes that <see cref="LosslessCoding.Golomb"/> takes for the open chunk.</summary>
    public int GolombSize()
    {
        int head = sizeof(uint) + 1 + FieldWriter.VarintBytes(_kept);
        if (_kept == 0 || _kept == _entries) return head + (int)ChunkFormat.RawBytes(_mode, _kept, all: true);
        return head + ChunkFormat.GolombBytes(_bitmap.Pointer, _kept, _entries, withFields: true) + (int)ChunkFormat.RawBytes(_mode, _kept, all: false);
    }

    /// <summary>Checks a chunk's checksum.</summary>
    /// <exception cref="FrameException">It is another one.</exception>
    public static void CheckSum(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < sizeof(uint)) throw new FrameException("chunk", "a checksum", $"{bytes.Length} bytes");
        uint stated = BinaryPrimitives.ReadUInt32LittleEndian(bytes), found = Crc32C.Of(bytes[sizeof(uint)..]);
        if (stated != found) throw new FrameException("chunk checksum", $"{stated:x8}", $"{found:x8}");
    }

    /// <summary>Checks a chunk and takes it to planes.</summary>
    /// <param name="bytes">Its bytes, checksum first; they stay where they are until the last block was taken.</param>
    /// <param name="length">How many.</param>
    /// <param name="readable">Bytes from its start on that may be touched; at least its length.</param>
    /// <param name="entries">Entries of its blocks, at most 8192 blocks; the caller has checked.</param>
    /// <param name="mode">Value mode of the frame.</param>
    /// <param name="largest">Largest magnitude that stands for a finite number; not used with FP32.</param>
    /// <param name="path">Code path.</param>
    /// <exception cref="FrameException">Anything is wrong with it.</exception>
    /// <exception cref="ArgumentOutOfRangeException">More entries than a chunk can have.</exception>
    public void Open(byte* bytes, int length, int readable, int entries, ValueMode mode, int largest, SimdPath path)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(entries, ChunkFormat.MaximumEntries);
        (_mode, _path, _entries, _blocks) = (mode, path, entries, (entries + Planes.Block - 1) / Planes.Block);
        (_block, _lowAt, _classes, _limit, _lastBorrowed) = (0, 0, 1, 2 * largest + 1, -1);
        var chunk = new ReadOnlySpan<byte>(bytes, length);
        CheckSum(chunk);
        var reader = new FieldReader(chunk[sizeof(uint)..]);
        int modes = reader.Byte("chunk mode");
        var positions = (ChunkPositions)(modes & 3);
        bool tokens = modes == ((int)ChunkPositions.Entropy | ChunkFormat.TokenFlag);
        if (modes > 3 && !tokens || tokens && mode == ValueMode.Fp32 || modes == 3 && mode != ValueMode.Fp32)
            throw new FrameException("chunk mode", $"a known mode for {mode}", $"{modes:X2}");
        _kept = reader.Varint("kept", 0, entries);
        long planes = 64L * ((entries + 63) / 64);
        byte* bitmap = _bitmap.Reserve(planes / 8 + Planes.Block);
        if (positions != ChunkPositions.Entropy) new Span<byte>(bitmap, (int)(planes / 8)).Clear();
        _tokens.Reserve(_kept + Planes.Block);
        _lows.Reserve((mode == ValueMode.Fp32 ? 4L : 1L) * _kept + Planes.Block);
        Array.Clear(_tokenAt);
        new Span<byte>(_ids.Pointer, _blocks).Clear();
        Array.Clear(_firstToken);
        if (positions == ChunkPositions.Entropy) ReadEntropy(ref reader, bytes, readable, tokens);
        else if (_kept == 0 && positions == ChunkPositions.All) (_least, _lowBits) = (2, 8);
        else ReadRaw(ref reader, positions);
        if (reader.Left != 0) throw new FrameException("chunk", "its end", $"{reader.Left} more bytes");
    }

    /// <summary>The next block's codes.</summary>
    /// <param name="codes">[⌈n/64⌉·64] receives them, zero where nothing is sent.</param>
    /// <param name="halves">Whether to turn them into binary16 patterns.</param>
    /// <returns>n.</returns>
    public int Next(ushort* codes, bool halves)
    {
        int n = Math.Min(Planes.Block, _entries - _block * Planes.Block), @class = _ids.Pointer[_block];
        int sent = Planes.Merge(_bitmap.Pointer + _block++ * (Planes.Block / 8), n, _tokens.Pointer + _tokenAt[@class], Lows(_lowAt), halves,
            new CodeShape(_least, _lowBits, (byte)_firstToken[@class]), codes, _path);
        _tokenAt[@class] += sent;
        _lowAt += sent;
        return n;
    }

    /// <summary>The bitmap of the next block, [⌈n/64⌉] words, and how many of its entries are sent.</summary>
    public int Peek(out ulong* bitmap)
    {
        bitmap = (ulong*)_bitmap.Pointer + _block * (Planes.Block / 64);
        return SentIn(_block);
    }

    /// <summary>The next block's codes, only those that are sent.</summary>
    /// <param name="codes">[sent, to the next 32] receives them.</param>
    /// <param name="sent">What <see cref="Peek"/> gave.</param>
    public void NextSent(ushort* codes, int sent)
    {
        int @class = _ids.Pointer[_block++];
        var shape = new CodeShape(_least, _lowBits, (byte)_firstToken[@class]);
        Planes.Join(_tokens.Pointer + _tokenAt[@class], Lows(_lowAt), sent, shape, halves: false, codes, _path);
        _tokenAt[@class] += sent;
        _lowAt += sent;
    }

    private int SentIn(int block)
    {
        ulong* bitmap = (ulong*)_bitmap.Pointer + block * (Planes.Block / 64);
        int words = (Math.Min(Planes.Block, _entries - block * Planes.Block) + 63) / 64, sent = 0;
        for (int word = 0; word < words; word++) sent += BitOperations.PopCount(bitmap[word]);
        return sent;
    }

    /// <summary>The next block's binary32 values.</summary>
    public int Next(Span<float> values)
    {
        int n = Math.Min(Planes.Block, _entries - _block * Planes.Block);
        byte* bitmap = _bitmap.Pointer + _block++ * (Planes.Block / 8);
        for (int i = 0; i < n; i++)
            values[i] = (bitmap[i >> 3] >> (i & 7) & 1) != 0 ? BitConverter.UInt32BitsToSingle(((uint*)_lows.Pointer)[_lowAt++]) : 0;
        return n;
    }
}
