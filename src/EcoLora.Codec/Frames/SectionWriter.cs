using System.Numerics;
using System.Runtime.CompilerServices;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>A thread's work area for coding.</summary>
internal sealed unsafe class EncodeArea
{
    private readonly PinnedBuffer _codes = new(Planes.Block * sizeof(ushort)), _values = new(Planes.Block * sizeof(float));

    /// <summary>The chunk coder.</summary>
    public ChunkEncoder Encoder { get; } = new();

    /// <summary>[1024] codes of a block.</summary>
    public ushort* Codes => (ushort*)_codes.Pointer;

    /// <summary>[1024] values of a block.</summary>
    public Span<float> Values => new(_values.Pointer, Planes.Block);
}

/// <summary>A binary16 value that is not finite; the caller knows where.</summary>
internal sealed class NotFiniteException : Exception;

/// <summary>Selects and rounds the entries of one role of a segment, and feeds them to a chunk coder.</summary>
internal sealed unsafe class SectionWriter
{
    private readonly TopKScratch _scratch = new();
    private uint[] _largest = [];
    private Selection _selection;
    private int _leastMagnitude, _largestMagnitude;

    /// <summary>Its parameters in the frame.</summary>
    public SectionParameters Parameters { get; } = new();

    /// <summary>How many entries are kept: as asked for, or as sampled.</summary>
    public int Keep { get; private set; }

    /// <summary>Whether every entry was asked for.</summary>
    public bool KeepsAll { get; private set; }

    /// <summary>The entries of a role in a segment.</summary>
    public void Begin(LoraLayout layout, SegmentRange range, LoraRole role)
    {
        Parameters.Set(layout, range, role);
        (Keep, KeepsAll) = (0, false);
    }

    /// <summary>The error for a value that is not finite.</summary>
    public static ArgumentException NotFinite(LoraLayout layout, int index, double found)
    {
        LoraTensor tensor = layout.Tensors.First(t => index < t.End);
        return NotFinite(tensor, index - tensor.Offset, found);
    }

    /// <summary>Finds the threshold and the parameters; changes nothing.</summary>
    /// <exception cref="ArgumentException">A value that is not finite.</exception>
    public void Select(ReadOnlySpan<float> change, double fraction, ValueMode mode, int segmentStart, SimdPath path)
    {
        SectionEntries entries = Parameters.Entries;
        ReadOnlySpan<SegmentPiece> pieces = entries.Pieces;
        Keep = TopK.CountFor(fraction, entries.Count);
        KeepsAll = Keep == entries.Count;
        if (entries.Count == 0) return;
        if (_largest.Length < pieces.Length) _largest = new uint[pieces.Length];
        Span<uint> largest = _largest.AsSpan(0, pieces.Length);
        _selection = TopK.Find(change, pieces, Keep, largest, _scratch, path);
        uint most = 0;
        for (int i = 0; i < largest.Length; i++)
        {
            if (largest[i] >= 0x7F800000) throw NotFinite(pieces[i], change, segmentStart);
            most = Math.Max(most, largest[i]);
        }
        if (mode == ValueMode.Fp16) Parameters.ScaleExponent = SectionParameters.ScaleFor(most);
        if (ValueFormat.HasSteps(mode)) SetSteps(change, mode, path);
        uint least = KeepsAll ? 0 : _selection.Threshold;
        (_leastMagnitude, _largestMagnitude) = mode switch
        {
            ValueMode.Fp16 => Range(new Fp16Kernel(Parameters.ScaleExponent)),
            ValueMode.Bf16 => Range(new Bf16Kernel()),
            ValueMode.Fp32 => (1, 1),
            _ => (1, ValueFormat.MaximumMagnitude(mode)),
        };
        _leastMagnitude = Math.Max(1, _leastMagnitude);
        _largestMagnitude = Math.Max(_leastMagnitude, _largestMagnitude);

        (int, int) Range<TKernel>(TKernel kernel)
            where TKernel : struct, IValueKernel => (kernel.Round(least), kernel.Round(most));
    }

    /// <summary>
    /// How dense halves are and how small, from one block of 64. Top-k has a sharp threshold, at which the halves of the sample agree; then all that is sent is
    /// most likely not more than a little smaller.
    /// </summary>
    public void Sample(ReadOnlySpan<ushort> halves)
    {
        const int Stride = 64, Sharp = 4;
        SectionEntries entries = Parameters.Entries;
        (Keep, _leastMagnitude, _largestMagnitude) = (0, 1, ValueFormat.MaximumMagnitude(ValueMode.Fp16));
        if (entries.Count == 0) return;
        long kept = 0, seen = 0;
        int even = ushort.MaxValue, odd = ushort.MaxValue;
        for (int block = 0; block < entries.Blocks; block += Stride)
        {
            (_, int start, int length) = entries.From(block * Planes.Block).Take(Planes.Block);
            ref int least = ref (block / Stride % 2 == 0 ? ref even : ref odd);
            kept += Count(halves.Slice(start, length), ref least);
            seen += length;
        }
        Keep = (int)Math.Min(entries.Count, (kept * entries.Count + seen - 1) / seen);
        if (Math.Abs(even - odd) <= Sharp) _leastMagnitude = Math.Max(1, Math.Min(even, odd) - Sharp);
    }

    /// <summary>Rounds a chunk's entries, leaves their residual in their place and gives their codes to the chunk coder.</summary>
    public void AddValues(EncodeArea area, int first, int entries, float* change, ValueMode mode, SimdPath path)
    {
        area.Encoder.Start(entries, mode, _leastMagnitude, _largestMagnitude, path);
        SectionEntries.Cursor cursor = Parameters.Entries.From(first);
        for (int at = first, end = first + entries; at < end;)
        {
            int n = Math.Min(Planes.Block, end - at);
            for (int filled = 0; filled < n;)
            {
                // A run has one minimum: it ends where the ties that are kept end.
                int most = n - filled, beforeTie = _selection.LastTie + 1 - at - filled;
                if (beforeTie > 0) most = Math.Min(most, beforeTie);
                (int piece, int start, int length) = cursor.Take(most);
                var run = new Span<float>(change + start, length);
                uint minimum = _selection.MinimumAt(at + filled);
                if (mode == ValueMode.Fp32) Move(run, area.Values.Slice(filled, length), minimum);
                else Round(run, new Span<ushort>(area.Codes + filled, length), minimum, piece, mode, path);
                filled += length;
            }
            if (mode == ValueMode.Fp32) area.Encoder.Add(area.Values[..n]);
            else AddCodes(area, n);
            at += n;
        }
    }

    /// <summary>Gives a chunk's halves to the chunk coder.</summary>
    /// <exception cref="NotFiniteException">One of them is not finite.</exception>
    public void AddHalves(EncodeArea area, int first, int entries, ushort* halves, SimdPath path)
    {
        Add(_leastMagnitude);
        CodeRange range = area.Encoder.Range;
        if (range.Largest > 2 * _largestMagnitude + 1) throw new NotFiniteException();
        if (range.Least < 2 * _leastMagnitude) Add(range.Least / 2); // The sample had misled.

        void Add(int least)
        {
            area.Encoder.Start(entries, ValueMode.Fp16, least, _largestMagnitude, path);
            SectionEntries.Cursor cursor = Parameters.Entries.From(first);
            for (int left = entries; left > 0;)
            {
                int n = Math.Min(Planes.Block, left);
                (_, int start, int length) = cursor.Take(n);
                left -= n;
                if (length == Planes.Block) area.Encoder.Add(halves + start, n, halves: true);
                else AddPieces(area, ref cursor, halves, start, length, n);
            }
        }
    }

    /// <summary>A block that is not in one piece.</summary>
    private static void AddPieces(EncodeArea area, ref SectionEntries.Cursor cursor, ushort* halves, int start, int length, int n)
    {
        for (int filled = 0; ; (_, start, length) = cursor.Take(n - filled))
        {
            new ReadOnlySpan<ushort>(halves + start, length).CopyTo(new Span<ushort>(area.Codes + filled, length));
            filled += length;
            if (filled == n) break;
        }
        new Span<ushort>(area.Codes + n, Planes.Block - n).Clear();
        area.Encoder.Add(area.Codes, n, halves: true);
    }

    private static void AddCodes(EncodeArea area, int n)
    {
        new Span<ushort>(area.Codes + n, Planes.Block - n).Clear();
        area.Encoder.Add(area.Codes, n, halves: false);
    }

    private void SetSteps(ReadOnlySpan<float> change, ValueMode mode, SimdPath path)
    {
        ReadOnlySpan<SegmentPiece> pieces = Parameters.Entries.Pieces;
        int at = 0;
        for (int i = 0; i < pieces.Length; at += pieces[i++].Length)
        {
            ReadOnlySpan<float> values = change.Slice(pieces[i].Start, pieces[i].Length);
            if (mode != ValueMode.Sign)
            {
                Parameters.SetStep(i, Quantize.StepFor(_largest[i], ValueFormat.MaximumMagnitude(mode)));
                continue;
            }
            int ties = Math.Clamp(_selection.LastTie + 1 - at, 0, values.Length);
            (double before, long countBefore) = Quantize.SumKept(values[..ties], _selection.Threshold, path);
            (double after, long countAfter) = Quantize.SumKept(values[ties..], _selection.Threshold + 1, path);
            Parameters.SetStep(i, Quantize.MeanFor(before + after, countBefore + countAfter));
        }
    }

    private void Round(Span<float> run, Span<ushort> codes, uint minimum, int piece, ValueMode mode, SimdPath path)
    {
        if (mode == ValueMode.Fp16) Quantize.Run(run, codes, minimum, new Fp16Kernel(Parameters.ScaleExponent), path);
        else if (mode == ValueMode.Bf16) Quantize.Run(run, codes, minimum, new Bf16Kernel(), path);
        else if (mode == ValueMode.Sign) Quantize.Run(run, codes, minimum, new SignKernel(Parameters.Step(piece)), path);
        else Quantize.Run(run, codes, minimum, new StepKernel(Parameters.Step(piece), ValueFormat.MaximumMagnitude(mode)), path);
    }

    /// <summary>Moves what is sent from the run to a block.</summary>
    private static void Move(Span<float> run, Span<float> block, uint minimum)
    {
        for (int i = 0; i < run.Length; i++)
        {
            bool sent = (BitConverter.SingleToUInt32Bits(run[i]) & 0x7FFFFFFF) >= minimum;
            block[i] = sent ? run[i] : 0;
            if (sent) run[i] = 0;
        }
    }

    /// <summary>How many halves are not zero, and the least magnitude of these.</summary>
    [MethodImpl(Jit.Kernel)]
    private static int Count(ReadOnlySpan<ushort> halves, ref int least)
    {
        int kept = halves.Length, i = 0;
        if (halves.Length >= Vector<ushort>.Count)
        {
            // Less 1, zero becomes the largest number and is out of the way of the least.
            Vector<ushort> low = Vector<ushort>.AllBitsSet, zeros = Vector<ushort>.Zero, magnitude = new(0x7FFF);
            for (; i + Vector<ushort>.Count <= halves.Length; i += Vector<ushort>.Count)
            {
                Vector<ushort> v = new Vector<ushort>(halves[i..]) & magnitude;
                low = Vector.Min(low, v - Vector<ushort>.One);
                zeros -= Vector.Equals(v, Vector<ushort>.Zero);
            }
            for (int lane = 0; lane < Vector<ushort>.Count; lane++)
            {
                least = Math.Min(least, low[lane] == ushort.MaxValue ? ushort.MaxValue : low[lane] + 1);
                kept -= zeros[lane];
            }
        }
        for (; i < halves.Length; i++)
        {
            int v = halves[i] & 0x7FFF;
            if (v == 0) kept--;
            else least = Math.Min(least, v);
        }
        return kept;
    }

    private static ArgumentException NotFinite(SegmentPiece piece, ReadOnlySpan<float> change, int segmentStart)
    {
        ReadOnlySpan<float> values = change.Slice(piece.Start, piece.Length);
        int index = 0;
        while (float.IsFinite(values[index])) index++;
        return NotFinite(piece.Tensor, segmentStart + piece.Start + index - piece.Tensor.Offset, values[index]);
    }

    private static ArgumentException NotFinite(LoraTensor tensor, int index, double found) =>
        new($"{tensor.Module}.lora_{tensor.Role}[{index}]: expected a finite number, found {found}");
}
