using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>A thread's work area for decoding.</summary>
internal sealed unsafe class DecodeArea
{
    private readonly PinnedBuffer _codes = new(Planes.Block * sizeof(ushort)), _values = new(Planes.Block * sizeof(float));

    /// <summary>The chunk decoder.</summary>
    public ChunkDecoder Decoder { get; } = new();

    /// <summary>[1024] codes of a block.</summary>
    public ushort* Codes => (ushort*)_codes.Pointer;

    /// <summary>[1024] values of a block.</summary>
    public Span<float> Values => new(_values.Pointer, Planes.Block);
}

/// <summary>Reads one frame at a time; the state of <see cref="Frame"/>'s methods.</summary>
internal sealed unsafe class FrameReader : ChunkTask
{
    /// <summary>
    /// Blocks of which less than one entry in so many is sent are summed entry by entry. Sums that do not fit the cache are better streamed through.
    /// </summary>
    private const int SparseShare = 6, SparseShareOfMany = 64, Many = 1 << 21;

    private Frame? _frame;
    private float* _values;
    private ushort* _halves;
    private double* _sums;
    private double _weight;
    private SimdPath _path;
    private long _keptA, _keptB, _golomb;

    public FrameSizes Measure(Frame frame, CodecExecution execution)
    {
        (_keptA, _keptB, _golomb) = (0, 0, 0);
        Run(frame, null, null, null, execution);
        int entriesA = frame.A.Entries.Count, entriesB = frame.B.Entries.Count, width = ValueFormat.Width(frame.Values);
        (int coded, int framed) = frame.Lengths;
        return new FrameSizes(entriesA, (int)_keptA, entriesB, (int)_keptB, (long)frame.Range.Length * width, (_keptA + _keptB) * (width + sizeof(int)),
            _golomb, coded, framed);
    }

    public void Decode(Frame frame, Span<float> destination, CodecExecution execution)
    {
        fixed (float* values = destination) Run(frame, values, null, null, execution);
    }

    public void Decode(Frame frame, Span<ushort> destination, CodecExecution execution)
    {
        fixed (ushort* halves = destination) Run(frame, null, halves, null, execution);
    }

    public void Accumulate(Frame frame, double weight, Span<double> sums, CodecExecution execution)
    {
        _weight = weight;
        fixed (double* pointer = sums) Run(frame, null, null, pointer, execution);
    }

    protected override void Do(int chunk)
    {
        SectionParameters section = chunk < _frame!.A.Chunks ? _frame.A : _frame.B;
        int number = section == _frame.A ? chunk : chunk - _frame.A.Chunks, entries = section.EntriesOf(number);
        DecodeArea area = Pool<DecodeArea>.Rent();
        try
        {
            ReadOnlySpan<byte> bytes = _frame.Chunk(chunk, out int readable);
            fixed (byte* start = bytes)
            {
                area.Decoder.Open(start, bytes.Length, readable, entries, _frame.Values, section.LargestMagnitude(_frame.Values), _path);
                SectionEntries.Cursor cursor = section.Entries.From(number * section.BlocksPerChunk * Planes.Block);
                if (_values != null || _sums != null) TakeValues(area, section, cursor, entries);
                else if (_halves != null) TakeHalves(area, cursor, entries);
                else Count(area.Decoder, section);
            }
        }
        finally
        {
            Pool<DecodeArea>.Return(area);
        }
    }

    private void Run(Frame frame, float* values, ushort* halves, double* sums, CodecExecution execution)
    {
        (_frame, _path) = (frame, CodecPath.Resolve(execution.Path));
        _values = values;
        _halves = halves;
        _sums = sums;
        try
        {
            ForEach(frame.Chunks, execution.Threads);
        }
        finally
        {
            _frame = null; // A pooled reader keeps no frame alive.
        }
    }

    private void Count(ChunkDecoder decoder, SectionParameters section)
    {
        Interlocked.Add(ref section == _frame!.A ? ref _keptA : ref _keptB, decoder.Kept);
        Interlocked.Add(ref _golomb, decoder.GolombSize());
    }

    private void TakeValues(DecodeArea area, SectionParameters section, SectionEntries.Cursor cursor, int entries)
    {
        ValueMode mode = _frame!.Values;
        int share = _frame.Range.Length < Many ? SparseShare : SparseShareOfMany;
        for (int left = entries; left > 0;)
        {
            int n = Math.Min(Planes.Block, left);
            (int piece, int start, int length) = cursor.Take(n);
            left -= n;
            if (mode == ValueMode.Fp32) area.Decoder.Next(area.Values);
            else if (_sums != null && length == n && area.Decoder.Peek(out ulong* bitmap) is var sent && sent * share < n)
            {
                area.Decoder.NextSent(area.Codes, sent);
                TakeSent(area, section, piece, start, sent, bitmap);
                continue;
            }
            else area.Decoder.Next(area.Codes, halves: false);
            for (int taken = 0; ; (piece, start, length) = cursor.Take(n - taken))
            {
                if (mode == ValueMode.Fp32) Take(area.Values.Slice(taken, length), start);
                else Take(new ReadOnlySpan<ushort>(area.Codes + taken, length), section, piece, start);
                taken += length;
                if (taken == n) break;
            }
        }
    }

    private void Take(ReadOnlySpan<ushort> codes, SectionParameters section, int piece, int start)
    {
        if (_sums != null)
        {
            var sums = new Span<double>(_sums + start, codes.Length);
            switch (_frame!.Values)
            {
                case ValueMode.Fp16: Dequantize.Accumulate(codes, _weight, sums, new Fp16Kernel(section.ScaleExponent), _path); break;
                case ValueMode.Bf16: Dequantize.Accumulate(codes, _weight, sums, new Bf16Kernel(), _path); break;
                case ValueMode.Sign: Dequantize.Accumulate(codes, _weight, sums, new SignKernel(section.Step(piece)), _path); break;
                default:
                    Dequantize.Accumulate(codes, _weight, sums, new StepKernel(section.Step(piece), section.LargestMagnitude(_frame.Values)), _path);
                    break;
            }
        }
        else Values(codes, new Span<float>(_values + start, codes.Length), section, piece);
    }

    /// <summary>Where few entries are sent, only these are touched.</summary>
    [MethodImpl(Jit.Kernel)]
    private void TakeSent(DecodeArea area, SectionParameters section, int piece, int start, int sent, ulong* bitmap)
    {
        Values(new ReadOnlySpan<ushort>(area.Codes, sent), area.Values, section, piece);
        ref float value = ref MemoryMarshal.GetReference(area.Values);
        double* sums = _sums + start;
        for (int left = sent; left > 0; bitmap++, sums += 64)
        {
            left -= BitOperations.PopCount(*bitmap);
            for (ulong bits = *bitmap; bits != 0; bits &= bits - 1, value = ref Unsafe.Add(ref value, 1))
                sums[BitOperations.TrailingZeroCount(bits)] += _weight * value;
        }
    }

    private void Values(ReadOnlySpan<ushort> codes, Span<float> values, SectionParameters section, int piece)
    {
        switch (_frame!.Values)
        {
            case ValueMode.Fp16: Dequantize.Run(codes, values, new Fp16Kernel(section.ScaleExponent), _path); break;
            case ValueMode.Bf16: Dequantize.Run(codes, values, new Bf16Kernel(), _path); break;
            case ValueMode.Sign: Dequantize.Run(codes, values, new SignKernel(section.Step(piece)), _path); break;
            default: Dequantize.Run(codes, values, new StepKernel(section.Step(piece), section.LargestMagnitude(_frame.Values)), _path); break;
        }
    }

    private void Take(ReadOnlySpan<float> values, int start)
    {
        if (_sums != null) Dequantize.Accumulate(values, _weight, new Span<double>(_sums + start, values.Length));
        else values.CopyTo(new Span<float>(_values + start, values.Length));
    }

    private void TakeHalves(DecodeArea area, SectionEntries.Cursor cursor, int entries)
    {
        for (int left = entries; left > 0;)
        {
            int n = Math.Min(Planes.Block, left);
            (_, int start, int length) = cursor.Take(n);
            left -= n;
            if (length == Planes.Block)
            {
                area.Decoder.Next(_halves + start, halves: true);
                continue;
            }
            area.Decoder.Next(area.Codes, halves: true);
            for (int taken = 0; ; (_, start, length) = cursor.Take(n - taken))
            {
                new ReadOnlySpan<ushort>(area.Codes + taken, length).CopyTo(new Span<ushort>(_halves + start, length));
                taken += length;
                if (taken == n) break;
            }
        }
    }
}
