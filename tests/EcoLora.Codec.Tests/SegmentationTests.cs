using EcoLora.Numerics;

namespace EcoLora.Codec.Tests;

public class SegmentationTests
{
    [Fact]
    public void Segment_s_is_cut_at_the_floor_of_s_P_over_Ns()
    {
        SegmentRange[] ranges = [.. Enumerable.Range(0, 3).Select(s => Segmentation.Range(s, 3, 20))];
        Assert.Equal([new SegmentRange(0, 6), new SegmentRange(6, 13), new SegmentRange(13, 20)], ranges);
    }

    [Fact]
    public void A_cut_may_run_through_a_tensor()
    {
        // A: entries 0..11, B: entries 12..19; the second of three segments is [6, 13).
        LoraLayout layout = MadeUpVectors.Layout((4, 6, 2));
        SegmentRange range = Segmentation.Range(1, 3, layout.Length);
        Assert.Equal([new SegmentPiece(layout.Tensors[0], 0, 6)], Segmentation.Pieces(layout, range, LoraRole.A));
        Assert.Equal([new SegmentPiece(layout.Tensors[1], 6, 1)], Segmentation.Pieces(layout, range, LoraRole.B));
    }

    [Fact]
    public void Segments_partition_the_vector_and_pieces_of_A_and_B_partition_each_segment()
    {
        var random = new RandomStream(1, "segmentation");
        for (int trial = 0; trial < 200; trial++)
        {
            LoraLayout layout = MadeUpVectors.RandomLayout(random);
            int segments = 1 + random.NextInt32(layout.Length), end = 0;
            for (int s = 0; s < segments; s++)
            {
                SegmentRange range = Segmentation.Range(s, segments, layout.Length);
                Assert.Equal(end, range.Start);
                Assert.InRange(range.Length, layout.Length / segments, (layout.Length + segments - 1) / segments);
                end = range.End;
                int[] covered = new int[range.Length];
                foreach (LoraRole role in new[] { LoraRole.A, LoraRole.B })
                {
                    foreach (SegmentPiece piece in Segmentation.Pieces(layout, range, role))
                    {
                        Assert.Equal(role, piece.Tensor.Role);
                        Assert.InRange(range.Start + piece.Start, piece.Tensor.Offset, piece.Tensor.End - piece.Length);
                        for (int i = 0; i < piece.Length; i++) covered[piece.Start + i]++;
                    }
                }
                Assert.All(covered, count => Assert.Equal(1, count));
                Assert.Equal(range.Length, Segmentation.CountOf(layout, range, LoraRole.A) + Segmentation.CountOf(layout, range, LoraRole.B));
            }
            Assert.Equal(layout.Length, end);
        }
    }

    [Fact]
    public void A_vector_of_2_billion_entries_is_cut_without_overflow() =>
        Assert.Equal(new SegmentRange(2147450878, int.MaxValue), Segmentation.Range(65534, 65535, int.MaxValue));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 21)]
    [InlineData(-1, 5)]
    [InlineData(5, 5)]
    public void A_segment_that_is_not_one_of_Ns_is_refused(int segment, int segments) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Segmentation.Range(segment, segments, 20));
}
