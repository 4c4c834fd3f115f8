using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>A change after one global exact top-k, rounded to binary16: what every codec gets.</summary>
/// <param name="data">Name of the data.</param>
/// <param name="density">The kept fraction that was asked for.</param>
/// <param name="layout">Its tensors.</param>
/// <param name="values">[layout], zero where nothing is kept; the new object owns it.</param>
internal sealed class SparseUpdate(string data, double density, LoraLayout layout, AlignedBuffer<Half> values) : IDisposable
{
    /// <summary>Entries per block of <see cref="Slice"/> and of the density classes.</summary>
    public const int Block = 1024;

    public string Data { get; } = data;

    public double Density { get; } = density;

    public LoraLayout Layout { get; } = layout;

    /// <summary>[layout], zero where nothing is kept.</summary>
    public AlignedBuffer<Half> Values { get; } = values;

    /// <summary>Number of entries.</summary>
    public int Entries => Values.Length;

    /// <summary>Number of entries that are not zero.</summary>
    public int Kept { get; } = CountOf(values.Span);

    /// <summary>The smallest magnitude that is kept; zero when nothing is.</summary>
    public Half Smallest { get; } = SmallestOf(values.Span);

    /// <summary>Keeps the k·n entries of largest magnitude of the whole vector; ties go to the lower index; what rounds to zero is dropped.</summary>
    public static SparseUpdate Of(DenseUpdate update, double density)
    {
        float[] source = update.Values;
        Selection selection = TopK.Find(
            source, WholeOf(update), TopK.CountFor(density, source.Length), stackalloc uint[1], new TopKScratch(), CodecPath.Resolve(SimdPath.Fastest));
        var values = new AlignedBuffer<Half>(source.Length);
        Span<Half> destination = values.Span;
        for (int i = 0; i < source.Length; i++)
        {
            var value = (Half)source[i];
            bool kept = BitConverter.SingleToUInt32Bits(MathF.Abs(source[i])) >= selection.MinimumAt(i);
            if (kept && value != Half.Zero) destination[i] = value;
        }
        return new SparseUpdate(update.Name, density, update.Layout, values);
    }

    /// <summary>All entries as one piece.</summary>
    public static SegmentPiece[] WholeOf(DenseUpdate update) => [new(update.Layout.Tensors[0], 0, update.Values.Length)];

    /// <summary>Number of values that are not zero.</summary>
    public static int CountOf(ReadOnlySpan<Half> values)
    {
        int kept = 0;
        foreach (Half value in values) kept += value == Half.Zero ? 0 : 1;
        return kept;
    }

    /// <summary>Every so-many-th block of 1024 entries, so that about <paramref name="entries"/> stand for all; everything when there are no more.</summary>
    public SparseUpdate Slice(int entries)
    {
        int stride = Math.Max(1, (Entries + entries - 1) / entries) * Block;
        var tensors = new List<LoraTensor>();
        int length = 0;
        foreach (LoraTensor tensor in Layout.Tensors)
        {
            int taken = TakenBefore(tensor.End, stride) - TakenBefore(tensor.Offset, stride);
            if (taken == 0) continue;
            tensors.Add(tensor with { Rows = 1, Columns = taken, Offset = length });
            length += taken;
        }
        var values = new AlignedBuffer<Half>(length);
        int at = 0;
        for (long start = 0; start < Entries; start += stride)
        {
            Span<Half> block = Values.Span[(int)start..(int)Math.Min(start + Block, Entries)];
            block.CopyTo(values.Span[at..]);
            at += block.Length;
        }
        return new SparseUpdate(Data, Density, new LoraLayout(tensors), values);
    }

    /// <inheritdoc/>
    public void Dispose() => Values.Free();

    /// <summary>How many of the first entries a slice takes.</summary>
    private static int TakenBefore(int entries, int stride) => entries / stride * Block + Math.Min(entries % stride, Block);

    private static Half SmallestOf(ReadOnlySpan<Half> values)
    {
        ushort smallest = ushort.MaxValue;
        foreach (Half value in values)
        {
            int magnitude = BitConverter.HalfToUInt16Bits(value) & 0x7FFF;
            if (magnitude != 0) smallest = Math.Min(smallest, (ushort)magnitude);
        }
        return smallest == ushort.MaxValue ? Half.Zero : BitConverter.UInt16BitsToHalf(smallest);
    }
}
