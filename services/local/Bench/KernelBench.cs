using EcoLora.Codec;
using EcoLora.Numerics;

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
    /// <param name="path">Code path.</param>
    public static IEnumerable<KernelRow> Measure(DenseUpdate dense, SparseUpdate sparse, CopyReference copy, double seconds, SimdPath path)
    {
        yield return Accumulate(sparse, copy, seconds, path);
        yield return Select(dense, sparse, copy, seconds, CodecPath.Resolve(path));
        yield return Round(dense, sparse, copy, seconds, CodecPath.Resolve(path));
        yield return EncodeChange(dense, sparse, copy, seconds, path);
    }

    private static KernelRow Accumulate(SparseUpdate sparse, CopyReference copy, double seconds, SimdPath path)
    {
        using var coding = new EcoLoraPeer(sparse, path);
        using var sums = new AlignedBuffer<double>(sparse.Entries);
        coding.Encode();
        Timing timing = Timing.Measure(copy, seconds, Rounds, () => coding.Accumulate(Weight, sums.Span));
        return Row("accumulate", sparse, timing, sizeof(ushort), "frame to weighted double sums; dense FP16 bytes");
    }

    private static KernelRow Select(DenseUpdate dense, SparseUpdate sparse, CopyReference copy, double seconds, SimdPath path)
    {
        SegmentPiece[] pieces = SparseUpdate.WholeOf(dense);
        uint[] largest = new uint[1];
        var scratch = new TopKScratch();
        int keep = TopK.CountFor(sparse.Density, dense.Values.Length);
        Timing timing = Timing.Measure(copy, seconds, Rounds, () => TopK.Find(dense.Values, pieces, keep, largest, scratch, path));
        return Row("top-k", sparse, timing, sizeof(float), "the exact k-th magnitude; FP32 bytes read");
    }

    /// <summary>The threshold is known; as in a frame, a block at a time into codes that stay in the cache.</summary>
    private static KernelRow Round(DenseUpdate dense, SparseUpdate sparse, CopyReference copy, double seconds, SimdPath path)
    {
        using var residual = new AlignedBuffer<float>(dense.Values.Length);
        using var codes = new AlignedBuffer<ushort>(SparseUpdate.Block);
        uint minimum = BitConverter.SingleToUInt32Bits(Math.Max((float)sparse.Smallest, 1e-6f));
        dense.Values.CopyTo(residual.Span);
        var kernel = new Fp16Kernel(0);
        // What is left after the first time is below the threshold or small; the work is the same.
        Timing timing = Timing.Measure(copy, seconds, Rounds, () =>
        {
            for (int at = 0; at < residual.Length; at += SparseUpdate.Block)
                Quantize.Run(residual.Span.Slice(at, Math.Min(SparseUpdate.Block, residual.Length - at)), codes.Span, minimum, kernel, path);
        });
        return Row("select-round-residual", sparse, timing, sizeof(float), "in place; FP32 bytes of one stream");
    }

    /// <summary>Everything that a client's upload takes: top-k, rounding, residual, frame.</summary>
    private static KernelRow EncodeChange(DenseUpdate dense, SparseUpdate sparse, CopyReference copy, double seconds, SimdPath path)
    {
        using var change = new AlignedBuffer<float>(dense.Values.Length);
        var header = new FrameHeader(FrameKind.Segment, 0, 0, 0, 0, 1, 0, (uint)dense.Layout.Fingerprint);
        byte[] frame = GC.AllocateArray<byte>(FrameEncoder.MaximumSize(header, dense.Layout, ValueMode.Fp16), pinned: true);
        var compression = new Compression(sparse.Density, sparse.Density, ValueMode.Fp16);
        double spent = 0;
        Timing timing = Timing.Measure(copy, seconds, Rounds, () =>
        {
            long start = System.Diagnostics.Stopwatch.GetTimestamp();
            dense.Values.CopyTo(change.Span);
            spent = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
            FrameEncoder.Encode(header, dense.Layout, change.Span, compression, frame, new CodecExecution(1, path));
        });
        return Row("change-to-frame", sparse, timing with { Seconds = [timing.Seconds[0] - spent] }, sizeof(float), "top-k, rounding, residual and coding; FP32 bytes");
    }

    private static KernelRow Row(string kernel, SparseUpdate update, Timing timing, int bytesPerEntry, string note) => new(
        kernel, update.Data, update.Density, update.Entries, 1e-9 * bytesPerEntry * update.Entries / timing.Seconds[0],
        1e-9 * CopyReference.Bytes / timing.Copy, timing.Allocated, note);
}
