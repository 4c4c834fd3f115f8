using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Codec.Tests;

/// <summary>Runs while no other test does: a frame of another test takes a work area from the pool that this one has warmed, and another has to grow.</summary>
[CollectionDefinition(nameof(FrameAllocationTests), DisableParallelization = true)]
[Collection(nameof(FrameAllocationTests))]
public class FrameAllocationTests
{
    [Fact]
    public void A_frame_of_many_chunks_is_the_same_from_any_number_of_threads_and_nothing_is_allocated()
    {
        LoraLayout layout = MadeUpVectors.Layout((3000, 2000, 300));
        float[] change = MadeUpVectors.Values(new RandomStream(12, "threads"), layout.Length, 0.5), residual = [.. change], decoded = new float[change.Length];
        var compression = new Compression(0.95, 0.95, ValueMode.Fp16);
        FrameHeader header = MadeUpVectors.Segment(layout);
        byte[] first = FrameEncoder.Encode(header, layout, residual, compression), bytes = new byte[FrameEncoder.MaximumSize(header, layout, ValueMode.Fp16)];
        double[] sums = new double[change.Length];
        var frame = Frame.Open(first, layout);
        Assert.InRange(frame.Chunks, 6, 20);
        for (int threads = 1; threads <= 4; threads++)
        {
            change.CopyTo(residual, 0);
            int length = FrameEncoder.Encode(header, layout, residual, compression, bytes, new CodecExecution(threads));
            Assert.True(first.AsSpan().SequenceEqual(bytes.AsSpan(0, length)));
            frame.Decode(decoded, new CodecExecution(threads));
            frame.Accumulate(0.25, sums, new CodecExecution(threads));
            for (int i = 0; i < change.Length; i++)
                if (change[i] - decoded[i] != residual[i] || sums[i] != 0.25 * threads * decoded[i])
                    Assert.Fail($"entry {i} with {threads} threads");
        }
        // One thread: what the thread pool allocates for its own queues is not ours.
        AllOnOneThread();
        Assert.Equal(0, Allocations.Of(() =>
        {
            for (int i = 0; i < 3; i++) AllOnOneThread();
        }));

        void AllOnOneThread()
        {
            FrameEncoder.Encode(header, layout, residual, compression, bytes, new CodecExecution(1));
            frame.Decode(decoded, new CodecExecution(1));
            frame.Accumulate(0.25, sums, new CodecExecution(1));
        }
    }
}
