namespace EcoLora.Numerics.Tests;

public class RandomStreamTests
{
    [Fact]
    public void The_same_name_and_keys_give_the_same_numbers()
    {
        var first = new RandomStream(7, "batches", 3, 12);
        var second = new RandomStream(7, "batches", 3, 12);
        for (int i = 0; i < 100; i++) Assert.Equal(first.NextUInt64(), second.NextUInt64());
    }

    [Fact]
    public void Streams_differ_by_seed_name_and_key()
    {
        ulong[] firsts = [new RandomStream(7, "a", 1).NextUInt64(), new RandomStream(8, "a", 1).NextUInt64(), new RandomStream(7, "b", 1).NextUInt64(), new RandomStream(7, "a", 2).NextUInt64(), new RandomStream(7, "a").NextUInt64()];
        Assert.Equal(firsts.Length, firsts.Distinct().Count());
    }

    /// <summary>Golden: tools/golden/random_stream.py, an independent implementation.</summary>
    [Fact]
    public void The_numbers_never_change()
    {
        var stream = new RandomStream(42, "golden", 1, 2);
        Assert.Equal([10549005989720023005UL, 1522400373418800478UL, 11361888582343913900UL], new[] { stream.NextUInt64(), stream.NextUInt64(), stream.NextUInt64() });
    }

    [Fact]
    public void Integers_cover_their_range_evenly()
    {
        var stream = new RandomStream(1, "range");
        int[] counts = new int[7];
        for (int i = 0; i < 70_000; i++) counts[stream.NextInt32(7)]++;
        Assert.All(counts, count => Assert.InRange(count, 9_600, 10_400));
    }

    [Theory]
    [InlineData(0.3)]
    [InlineData(1.0)]
    [InlineData(4.5)]
    public void Gamma_has_its_mean_and_variance(double shape)
    {
        var stream = new RandomStream(1, "gamma");
        double[] draws = new double[40_000];
        for (int i = 0; i < draws.Length; i++) draws[i] = stream.NextGamma(shape);
        double mean = draws.Average();
        Assert.InRange(mean, shape * 0.96, shape * 1.04);
        Assert.InRange(draws.Average(x => (x - mean) * (x - mean)), shape * 0.9, shape * 1.1);
    }

    [Fact]
    public void Gaussian_has_mean_0_and_variance_1()
    {
        var stream = new RandomStream(1, "gaussian");
        double[] draws = new double[40_000];
        for (int i = 0; i < draws.Length; i++) draws[i] = stream.NextGaussian();
        Assert.InRange(draws.Average(), -0.02, 0.02);
        Assert.InRange(draws.Average(x => x * x), 0.97, 1.03);
    }

    [Fact]
    public void A_shuffle_keeps_every_item()
    {
        int[] items = Enumerable.Range(0, 100).ToArray();
        new RandomStream(1, "shuffle").Shuffle(items.AsSpan());
        Assert.NotEqual(Enumerable.Range(0, 100), items);
        Assert.Equal(Enumerable.Range(0, 100), items.Order());
    }

    [Fact]
    public void Bad_arguments_are_refused()
    {
        var stream = new RandomStream(1, "x");
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.NextInt32(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.NextGamma(0));
        Assert.Throws<ArgumentException>(() => new RandomStream(1, ""));
    }
}
