using System.Buffers.Binary;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>Writes one frame at a time; the state of <see cref="FrameEncoder"/>.</summary>
internal sealed unsafe class FrameWriter : ChunkTask
{
    /// <summary>
    /// Blocks of a chunk of which all entries are kept. Other chunks have as many kept entries, 2^18, where 8192 blocks have them: beside
    /// these a chunk's tables cost nothing.
    /// </summary>
    public const int LeastBlocks = 256;

    private readonly SectionWriter _a = new(), _b = new();
    private int[] _slots = [], _lengths = [];
    private float* _change;
    private ushort* _halves;
    private byte* _destination;
    private ValueMode _mode;
    private LosslessCoding _coding;
    private SimdPath _path;
    private int _position;
    private bool _inOrder;

    /// <inheritdoc cref="FrameEncoder.Encode(FrameHeader, LoraLayout, Span{float}, Compression, Span{byte}, CodecExecution)"/>
    public int Write(FrameHeader header, LoraLayout layout, Span<float> change, Compression compression, Span<byte> destination, CodecExecution execution)
    {
        SegmentRange range = Begin(header, layout, change.Length, compression.Values, compression.Coding, destination, execution);
        // Everything that can be refused is refused before the first value changes.
        _a.Select(change, compression.KeepA, _mode, range.Start, _path);
        _b.Select(change, compression.KeepB, _mode, range.Start, _path);
        fixed (float* pointer = change)
        {
            _change = pointer;
            return WriteAll(header, destination, execution.Threads);
        }
    }

    /// <inheritdoc cref="FrameEncoder.Encode(FrameHeader, LoraLayout, ReadOnlySpan{Half}, LosslessCoding, Span{byte}, CodecExecution)"/>
    public int Write(FrameHeader header, LoraLayout layout, ReadOnlySpan<ushort> halves, LosslessCoding coding, Span<byte> destination,
        CodecExecution execution)
    {
        SegmentRange range = Begin(header, layout, halves.Length, ValueMode.Fp16, coding, destination, execution);
        _a.Sample(halves);
        _b.Sample(halves);
        fixed (ushort* pointer = halves)
        {
            _halves = pointer;
            try
            {
                return WriteAll(header, destination, execution.Threads);
            }
            catch (NotFiniteException)
            {
                int first = halves.IndexOfAnyInRange<ushort>(0x7C00, 0x7FFF), second = halves.IndexOfAnyInRange<ushort>(0xFC00, 0xFFFF);
                int index = first < 0 || second >= 0 && second < first ? second : first;
                throw SectionWriter.NotFinite(layout, range.Start + index, (double)BitConverter.UInt16BitsToHalf(halves[index]));
            }
        }
    }

    protected override void Do(int chunk)
    {
        SectionWriter section = chunk < _a.Parameters.Chunks ? _a : _b;
        int number = section == _a ? chunk : chunk - _a.Parameters.Chunks, entries = section.Parameters.EntriesOf(number);
        EncodeArea area = Pool<EncodeArea>.Rent();
        try
        {
            int first = number * section.Parameters.BlocksPerChunk * Planes.Block;
            if (_halves != null) section.AddHalves(area, first, entries, _halves, _path);
            else section.AddValues(area, first, entries, _change, _mode, _path);
            int start = _inOrder ? _position : _slots[chunk];
            var slot = new Span<byte>(_destination + start, ChunkEncoder.MaximumSize(entries, _mode));
            _lengths[chunk] = area.Encoder.Finish(slot, _coding, section.KeepsAll);
            if (_inOrder) _position += _lengths[chunk];
        }
        finally
        {
            Pool<EncodeArea>.Return(area);
        }
    }

    private SegmentRange Begin(FrameHeader header, LoraLayout layout, int length, ValueMode mode, LosslessCoding coding, Span<byte> destination,
        CodecExecution execution)
    {
        SegmentRange range = header.Range(layout);
        if (length != range.Length) throw new ArgumentException($"{header}: expected {range.Length} entries, found {length}");
        int most = FrameEncoder.MaximumSize(header, layout, mode);
        if (destination.Length < most)
            throw new ArgumentException($"{header}: expected room for {most} bytes, found {destination.Length}", nameof(destination));
        (_mode, _coding, _path) = (mode, coding, CodecPath.Resolve(execution.Path));
        _change = null;
        _halves = null;
        _a.Begin(layout, range, LoraRole.A);
        _b.Begin(layout, range, LoraRole.B);
        return range;
    }

    private int WriteAll(FrameHeader header, Span<byte> destination, int threads)
    {
        _a.Parameters.BlocksPerChunk = BlocksPerChunk(_a);
        _b.Parameters.BlocksPerChunk = BlocksPerChunk(_b);
        int chunks = _a.Parameters.Chunks + _b.Parameters.Chunks;
        if (_lengths.Length < chunks) (_slots, _lengths) = (new int[chunks], new int[chunks]);

        var parameters = new FieldWriter(destination[FrameHeader.Size..]);
        parameters.Byte((int)_mode);
        parameters.Varint(chunks);
        Span<byte> index = parameters.Take(chunks * sizeof(uint));
        _a.Parameters.Write(ref parameters, _mode);
        _b.Parameters.Write(ref parameters, _mode);
        header.Write(destination, parameters.Position);
        int head = FrameHeader.Size + parameters.Position, body = head + sizeof(uint);

        fixed (byte* pointer = destination)
        {
            _destination = pointer;
            _inOrder = chunks == 1 || threads == 1 || Environment.ProcessorCount == 1;
            _position = body;
            for (int chunk = 0, at = body; chunk < chunks && !_inOrder; chunk++)
            {
                _slots[chunk] = at;
                SectionParameters section = chunk < _a.Parameters.Chunks ? _a.Parameters : _b.Parameters;
                at += ChunkEncoder.MaximumSize(section.EntriesOf(section == _a.Parameters ? chunk : chunk - _a.Parameters.Chunks), _mode);
            }
            ForEach(chunks, _inOrder ? 1 : threads);
        }
        for (int chunk = 0; chunk < chunks; chunk++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(index[(chunk * sizeof(uint))..], _lengths[chunk]);
            if (_inOrder) continue;
            destination.Slice(_slots[chunk], _lengths[chunk]).CopyTo(destination[_position..]);
            _position += _lengths[chunk];
        }
        BinaryPrimitives.WriteUInt32LittleEndian(destination[head..], Crc32C.Of(destination[..head]));
        return _position;
    }

    private static int BlocksPerChunk(SectionWriter section) => section.Parameters.Entries.Count == 0
        ? 0
        : Math.Min(section.Parameters.Entries.Blocks,
            (int)Math.Clamp((long)LeastBlocks * section.Parameters.Entries.Count / Math.Max(1, section.Keep), LeastBlocks, ChunkFormat.MaximumBlocks));
}
