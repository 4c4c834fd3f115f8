namespace EcoLora.Federation.Tests;

public class AdaptiveDensityTests
{
    [Theory]
    [InlineData(0.0, 0.95)] // Nothing gained: k_max.
    [InlineData(0.25, 0.7287578044100048)] // 0.6 + 0.35·e^−1
    [InlineData(0.5, 0.6473673491328145)] // 0.6 + 0.35·e^−2
    [InlineData(100.0, 0.6)]
    [InlineData(-1.0, 0.95)] // A loss that rose is clamped.
    public void The_fraction_falls_exponentially_with_the_loss_gained(double gained, double fraction) =>
        Assert.Equal(fraction, AdaptiveDensity.Fraction(0.6, 0.95, 4, 3.0, 3.0 - gained), 12);

    [Fact]
    public void Before_the_first_loss_the_fraction_is_the_largest()
    {
        Assert.Equal(0.95, AdaptiveDensity.Fraction(0.6, 0.95, 4, null, null));
        Assert.Equal(0.95, AdaptiveDensity.Fraction(0.6, 0.95, 4, 3, null));
    }

    [Fact]
    public void B_with_a_smaller_minimum_and_a_larger_gamma_grows_sparser_than_A() =>
        Assert.True(AdaptiveDensity.Fraction(0.5, 0.95, 8, 3, 2.8) < AdaptiveDensity.Fraction(0.6, 0.95, 4, 3, 2.8));

    [Fact]
    public void The_first_rounds_may_be_dense_and_the_downlink_may_have_its_own_share()
    {
        var options = new ExchangeOptions { DenseRounds = 2, KDown = 0.1 };
        Assert.Equal([(1, 1), (1, 1), (0.6, 0.5)], new[] { 0, 1, 2 }.Select(round => options.Keep(round, 1e3, 0)));
        Assert.Equal([(1, 1), (1, 1), (0.1, 0.1)], new[] { 0, 1, 2 }.Select(round => options.KeepDown(round, options.Keep(round, 1e3, 0))));
        Assert.Equal((0.6, 0.5), (options with { KDown = null }).KeepDown(2, (0.6, 0.5)));
    }

    [Theory]
    [InlineData(double.PositiveInfinity, double.PositiveInfinity)]
    [InlineData(3, double.PositiveInfinity)]
    [InlineData(double.PositiveInfinity, 3)]
    [InlineData(-1e308, 1e308)]
    [InlineData(1e308, -1e308)]
    public void Absurd_losses_stay_in_the_range(double first, double previous) =>
        Assert.InRange(AdaptiveDensity.Fraction(0.6, 0.95, 4, first, previous), 0.6, 0.95);
}
