using EcoLora.Codec;

namespace EcoLora.Local.Bench;

/// <summary>The kernels around the codec, timed like the codecs. A new kernel is one more row of <see cref="Measure"/>.</summary>
internal static class KernelBench
{
    private const double Weight = 0.1;
    private const int Rounds = 3;

    /// <summary>Measures every kernel.</summary>
    /// <param name="dense">The change before sparsification.</param>
    /// <param name="sparse">The same after it.</param>
    /// <param name="copy">What speeds are compared with.</param>
    /// <param name="seconds">Time for each kernel.</param>
    public static IEnumerable<KernelRow> Measure(DenseUpdate dense, SparseUpdate sparse, CopyReference copy, double seconds)
    {
        yield return Accumulate(sparse, copy, seconds);
        yield return Select(dense, sparse, copy, seconds);
    }

    private static KernelRow Accumulate(SparseUpdate sparse, CopyReference copy, double seconds)
    {
        using var coding = new EcoLoraPeer(sparse);
        using var sums = new AlignedBuffer<double>(sparse.Entries);
        coding.Encode();
        Timing timing = Timing.Measure(copy, seconds, Rounds, () => coding.Accumulate(Weight, sums.Span));
        return Row("accumulate", sparse, timing, sizeof(ushort), "frame to weighted double sums; dense FP16 bytes");
    }

    private static KernelRow Select(DenseUpdate dense, SparseUpdate sparse, CopyReference copy, double seconds)
    {
        int[] kept = new int[TopK.CountFor(sparse.Density, dense.Values.Length)];
        Timing timing = Timing.Measure(copy, seconds, Rounds, () => TopK.Select(dense.Values, kept.Length, kept));
        return Row("top-k", sparse, timing, sizeof(float), "exact; FP32 bytes read");
    }

    private static KernelRow Row(string kernel, SparseUpdate update, Timing timing, int bytesPerEntry, string note) => new(
        kernel, update.Data, update.Density, update.Entries, 1e-9 * bytesPerEntry * update.Entries / timing.Seconds[0],
        1e-9 * CopyReference.Bytes / timing.Copy, timing.Allocated, note);
}
