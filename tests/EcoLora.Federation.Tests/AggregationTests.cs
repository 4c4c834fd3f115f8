using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Federation.Tests;

public class AggregationTests
{
    private static readonly LoraLayout _layout = LoraLayout.Of([new LoraModule("q", 1, 4, 1)]).Only(LoraRole.A);

    /// <summary>Segment 0 from clients with 1 and 3 samples: w = ¼, ¾. Segment 1 from one with 5: w = 1.</summary>
    [Fact]
    public void Weights_are_per_segment_over_those_that_sent_it()
    {
        AcceptedFrame[] accepted =
        [
            new(0, 1, MadeUpPlan.Lossless(_layout, [4, 8], 0, 0, 2)),
            new(1, 5, MadeUpPlan.Lossless(_layout, [7, -1], 1, 1, 2)),
            new(2, 3, MadeUpPlan.Lossless(_layout, [8, 0], 2, 0, 2)),
        ];
        Assert.Equal([0.25 * 4 + 0.75 * 8, 0.25 * 8, 7, -1], Aggregation.WeightedMean(accepted, 4));
    }

    /// <summary>Entry 0 is sent by all, entry 1 by the quarter, entry 2 by the three quarters, entry 3 by nobody.</summary>
    [Theory]
    [InlineData(CoverageScale.Mean, new[] { 7, 2.0, 6, 0 })]
    [InlineData(CoverageScale.RootCoverage, new[] { 7, 4.0, 6.928203230275509, 0 })] // 2 / √¼, 6 / √¾
    [InlineData(CoverageScale.Senders, new[] { 7, 8.0, 8, 0 })]
    public void A_sum_is_divided_by_the_share_that_sent_the_entry_as_the_scale_says(CoverageScale scale, double[] expected)
    {
        AcceptedFrame[] accepted = [new(0, 1, MadeUpPlan.Lossless(_layout, [4, 8, 0, 0], 0)), new(1, 3, MadeUpPlan.Lossless(_layout, [8, 0, 8, 0], 1))];
        double[] found = Aggregation.WeightedMean(accepted, 4, scale);
        for (int j = 0; j < 4; j++) Assert.Equal(expected[j], found[j], 12);
    }

    [Fact]
    public void A_segment_s_coverage_is_of_its_own_senders() => Assert.Equal(
        [0, 0, 14, -2], Aggregation.WeightedMean([new(0, 5, MadeUpPlan.Lossless(_layout, [0, -2], 1, 1, 2)), new(1, 5, MadeUpPlan.Lossless(_layout, [14, -2], 2, 1, 2))], 4, CoverageScale.Senders));

    [Fact]
    public void A_segment_that_nobody_sent_keeps_its_value() =>
        Assert.Equal([0, 0, 7, -1], Aggregation.WeightedMean([new AcceptedFrame(0, 5, MadeUpPlan.Lossless(_layout, [7, -1], 1, 1, 2))], 4));

    [Fact]
    public void Nobody_sent_anything() => Assert.Equal([0, 0, 0, 0], Aggregation.WeightedMean([], 4));

    [Fact]
    public void Without_loss_Q_plus_U_is_Eq_2()
    {
        float[] published = [10, 20, 30, 40];
        float[][] locals = [[11, 22, 33, 44], [9, 24, 30, 48], [14, 20, 22, 40]];
        int[] samples = [1, 2, 5];
        var accepted = new List<AcceptedFrame>();
        for (int i = 0; i < 3; i++)
        {
            float[] change = [.. locals[i].Zip(published, (p, q) => p - q)];
            accepted.Add(new AcceptedFrame(i, samples[i], MadeUpPlan.Lossless(_layout, change, i)));
        }
        double[] update = Aggregation.WeightedMean(accepted, 4);
        for (int e = 0; e < 4; e++)
            Assert.Equal((1 * locals[0][e] + 2 * locals[1][e] + 5 * locals[2][e]) / 8.0, published[e] + update[e], 12);
    }

    [Fact]
    public void The_order_of_arrival_changes_no_bit()
    {
        var random = new RandomStream(1, "order");
        LoraLayout layout = LoraLayout.Of([new LoraModule("q", 6, 5, 2)]);
        AcceptedFrame[] accepted = [.. Enumerable.Range(0, 8).Select(slot =>
        {
            float[] change = [.. Enumerable.Range(0, 11).Select(_ => (float)(random.NextGaussian() * Math.Pow(10, random.NextInt32(20))))];
            return new AcceptedFrame(slot, 1 + random.NextInt32(100), MadeUpPlan.Lossless(layout, change, slot, slot % 2, 2));
        })];
        double[] expected = Aggregation.WeightedMean(accepted, layout.Length);
        for (int trial = 0; trial < 50; trial++)
        {
            random.Shuffle(accepted.AsSpan());
            double[] found = Aggregation.WeightedMean(accepted, layout.Length);
            Assert.Equal(expected.Select(BitConverter.DoubleToInt64Bits), found.Select(BitConverter.DoubleToInt64Bits));
        }
    }

    [Fact]
    public void Coverage_counts_the_deliveries_of_each_segment() => Assert.Equal([2, 0, 1], Aggregation.Coverage([0, 2, 0], 3));

    /// <summary>
    /// k = 0.5 of 4. Round 0: U = (4, 3, 2, 1), D = (4, 3, 0, 0), S = (0, 0, 2, 1). Round 1: U = (0, 1, 0, 2), U + S = (0, 1, 2, 3),
    /// D = (0, 0, 2, 3), S = (0, 1, 0, 0). Q becomes Q^0 + D + D at both ends.
    /// </summary>
    [Fact]
    public void The_published_chain_carries_what_did_not_fit()
    {
        PublishedAdapter hub = Published(), site = Published();
        float[] residual = new float[4];
        byte[] first = Publish(0, [4, 3, 2, 1], residual);
        Assert.Equal([0, 0, 2, 1], residual);
        byte[] second = Publish(1, [0, 1, 0, 2], residual);
        Assert.Equal([0, 1, 0, 0], residual);
        foreach (PublishedAdapter end in new[] { hub, site })
        {
            end.Apply(first);
            end.Apply(second);
            Assert.Equal(2, end.Version);
            Assert.Equal([14f, 23f, 32f, 43f], end.Values.ToArray());
        }
    }

    /// <summary>m = ½, D = (4, 3, 0, 0) and (0, 0, 2, 3): V = (4, 3, 0, 0), then (2, 1.5, 2, 3).</summary>
    [Fact]
    public void Momentum_follows_the_decoded_change_at_both_ends_and_survives_a_stored_version()
    {
        PublishedAdapter hub = new(1, _layout, 0, [10, 20, 30, 40], 0.5), site = new(1, _layout, 0, [10, 20, 30, 40], 0.5);
        float[] residual = new float[4];
        byte[] first = Publish(0, [4, 3, 2, 1], residual), second = Publish(1, [0, 1, 0, 2], residual);
        hub.Apply(first);
        site.Apply(first);
        float[][] stored = [.. site.Vectors.Select(vector => vector.ToArray())];
        PublishedAdapter again = new(1, _layout, 1, stored[0], 0.5, stored[1]), copy = hub.Copy();
        hub.Apply(second);
        again.Apply(second);
        Assert.Equal([16f, 24.5f, 32f, 43f], hub.Values.ToArray());
        Assert.Equal([2f, 1.5f, 2f, 3f], hub.Vectors[1].ToArray());
        Assert.Equal(hub.Vectors.Select(vector => vector.ToArray()), again.Vectors.Select(vector => vector.ToArray()));
        Assert.Equal([14f, 23f, 30f, 40f], copy.Values.ToArray());
        Assert.Equal(1, copy.Version);
    }

    [Fact]
    public void A_change_against_another_version_run_or_layout_is_refused_and_changes_nothing()
    {
        PublishedAdapter site = Published();
        byte[] first = Publish(0, [4, 3, 2, 1], new float[4]), second = Publish(1, [1, 1, 1, 1], new float[4]);
        Assert.Equal("base version", Assert.Throws<FrameException>(() => site.Apply(second)).Field);
        site.Apply(first);
        float[] values = site.Values.ToArray();
        Assert.Equal("base version", Assert.Throws<FrameException>(() => site.Apply(first)).Field);
        Assert.Equal("run", Assert.Throws<FrameException>(() => new PublishedAdapter(2, _layout, 0, new float[4]).Apply(first)).Field);
        LoraLayout other = LoraLayout.Of([new LoraModule("v", 1, 4, 1)]).Only(LoraRole.A);
        Assert.Equal("layout", Assert.Throws<FrameException>(() => new PublishedAdapter(1, other, 0, new float[4]).Apply(first)).Field);
        var header = new FrameHeader(FrameKind.Segment, 1, 1, 0, 0, 1, 1, (uint)_layout.Fingerprint);
        byte[] segment = FrameEncoder.Encode(header, _layout, [1, 1, 1, 1], new Compression(1, 1, ValueMode.Fp32));
        Assert.Equal("kind", Assert.Throws<FrameException>(() => site.Apply(segment)).Field);
        Assert.Equal(values, site.Values.ToArray());
        Assert.Equal(1, site.Version);
    }

    private static PublishedAdapter Published() => new(1, _layout, 0, [10, 20, 30, 40]);

    private static byte[] Publish(int version, double[] update, float[] residual) => Aggregation.Publish(
        new FrameHeader(FrameKind.GlobalChange, 1, version, FrameHeader.Aggregator, 0, 1, version, (uint)_layout.Fingerprint),
        _layout, update, residual, new Compression(0.5, 1, ValueMode.Fp32));
}
