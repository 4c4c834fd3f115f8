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
    public void A_count_outside_the_values_is_refused(int keep) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => TopK.Select([1f, 2f, 3f], keep, new int[8]));

    private static int[] Select(float[] values, int keep)
    {
        int[] kept = new int[keep];
        TopK.Select(values, keep, kept);
        return kept;
    }
}
