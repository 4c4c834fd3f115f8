using EcoLora.Numerics;

namespace EcoLora.Codec.Tests;

public class TopKTests
{
    [Fact]
    public void The_largest_magnitudes_are_kept_in_ascending_order() =>
        Assert.Equal([1, 3, 4], Select([0.5f, -3f, 0f, 1f, 2f], 3));

    [Fact]
    public void Ties_go_to_the_lower_index() => Assert.Equal([0, 1, 3], Select([1f, -1f, 0.5f, 1f, -1f], 3));

    [Fact]
    public void All_equal_keeps_the_first() => Assert.Equal([0, 1, 2, 3], Select([.. Enumerable.Repeat(-0.25f, 9)], 4));

    [Fact]
    public void Zeros_of_both_signs_are_equal_and_smaller_than_any_subnormal() =>
        Assert.Equal([0, 3, 4], Select([-0f, 0f, -0f, float.Epsilon, -float.Epsilon], 3));

    [Fact]
    public void Magnitudes_that_differ_only_in_the_last_bit_are_told_apart() =>
        Assert.Equal([1], Select([1f, MathF.BitIncrement(1f), 1f], 1));

    [Fact]
    public void It_agrees_with_sorting()
    {
        var random = new RandomStream(2, "top-k");
        for (int trial = 0; trial < 300; trial++)
        {
            float[] values = MadeUpVectors.Values(random, 1 + random.NextInt32(200), spread: trial % 3 * 70);
            if (trial % 4 == 0) for (int i = 0; i < values.Length; i++) values[i] = random.NextInt32(3) - 1;
            int keep = random.NextInt32(values.Length + 1);
            int[] expected = [.. Enumerable.Range(0, values.Length).OrderByDescending(i => Math.Abs(values[i])).ThenBy(i => i).Take(keep).Order()];
            Assert.Equal(expected, Select(values, keep));
        }
    }

    [Theory]
    [InlineData(0.6, 10, 6)]
    [InlineData(0.25, 10, 3)] // 2.5 rounds away from zero.
    [InlineData(0.24, 10, 2)]
    [InlineData(0.001, 10, 1)]
    [InlineData(1.0, 10, 10)]
    [InlineData(0.99, 10, 10)]
    [InlineData(0.5, 0, 0)]
    [InlineData(1e-300, 1, 1)]
    public void A_fraction_means_the_nearest_count_of_at_least_one(double fraction, int entries, int count) =>
        Assert.Equal(count, TopK.CountFor(fraction, entries));

    [Theory]
    [InlineData(0)]
    [InlineData(-0.1)]
    [InlineData(1.0000001)]
    [InlineData(double.NaN)]
    public void A_fraction_outside_0_to_1_is_refused(double fraction) => Assert.Throws<ArgumentOutOfRangeException>(() => TopK.CountFor(fraction, 10));

    [Theory]
    [InlineData(-1)]
    [InlineData(4)]
    public void A_count_outside_the_values_is_refused(int keep) => Assert.Throws<ArgumentOutOfRangeException>(() => Select([1f, 2f, 3f], keep));

    [Theory]
    [InlineData("gaussian")]
    [InlineData("few magnitudes")]
    [InlineData("one magnitude")]
    [InlineData("periodic")]
    [InlineData("sorted")]
    [InlineData("a few large")]
    public void Large_vectors_of_any_kind_agree_with_sorting_on_every_path(string kind)
    {
        var random = new RandomStream(3, kind);
        float[] values = MadeUpVectors.Values(random, 200_003, 1);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = kind switch
            {
                "few magnitudes" => 1 + random.NextInt32(3),
                "one magnitude" => i % 2 == 0 ? 0.5f : -0.5f,
                "periodic" => i % 8,
                "sorted" => i,
                "a few large" => i % 1000 == 7 ? 1e10f + i : values[i],
                _ => values[i],
            };
        }
        int[] order = [.. Enumerable.Range(0, values.Length).OrderByDescending(i => Math.Abs(values[i])).ThenBy(i => i)];
        foreach (double share in (double[])[0.00001, 0.001, 0.05, 0.5, 0.95, 0.9999, 1])
        {
            int keep = TopK.CountFor(share, values.Length);
            int[] expected = [.. order[..keep].Order()];
            foreach (SimdPath path in Paths.All)
                Assert.True(expected.AsSpan().SequenceEqual(Select(values, keep, path)), $"{share}, {path}");
        }
    }

    /// <summary>The entries that are kept of a vector cut into pieces, and every piece's largest, which must be right too.</summary>
    private static int[] Select(float[] values, int keep, SimdPath path = SimdPath.Fastest)
    {
        var tensor = new LoraTensor("m", LoraRole.A, 1, values.Length, 0);
        int cut = values.Length / 3;
        SegmentPiece[] pieces = cut == 0 ? [new(tensor, 0, values.Length)] : [new(tensor, 0, cut), new(tensor, cut, values.Length - cut)];
        uint[] largest = new uint[pieces.Length];
        Selection selection = TopK.Find(values, pieces, keep, largest, new TopKScratch(), CodecPath.Resolve(path));
        for (int i = 0; i < pieces.Length; i++)
            Assert.Equal(values.AsSpan(pieces[i].Start, pieces[i].Length).ToArray().Max(Math.Abs), BitConverter.UInt32BitsToSingle(largest[i]));
        return [.. Enumerable.Range(0, values.Length).Where(i => (BitConverter.SingleToUInt32Bits(values[i]) & 0x7FFFFFFF) >= selection.MinimumAt(i))];
    }
}
