namespace EcoLora.Federation.Tests;

public class MixingTests
{
    [Theory]
    [InlineData(1.0, 5, 4, 0.36787944117144233)] // e^−1
    [InlineData(0.5, 7, 3, 0.1353352832366127)] // e^−2
    [InlineData(0.0, 7, 3, 1.0)]
    public void The_weight_is_e_to_the_minus_beta_times_the_rounds_since(double beta, int round, int last, double weight) =>
        Assert.Equal(weight, Mixing.Weight(beta, round, last), 15);

    [Fact]
    public void The_weight_is_0_for_a_first_participation_or_without_mixing()
    {
        Assert.Equal(0, Mixing.Weight(1, 5, null));
        Assert.Equal(0, Mixing.Weight(null, 5, 4));
    }

    [Fact]
    public void The_start_is_1_minus_m_of_the_published_and_m_of_the_own_last_adapter()
    {
        float[] start = new float[3];
        Mixing.Mix(0.25, [4, -8, 0], [8, 8, 1], start);
        Assert.Equal([0.75f * 4 + 0.25f * 8, -6 + 2, 0.25f], start);
    }

    [Fact]
    public void Without_weight_the_start_is_the_published_adapter_bit_by_bit()
    {
        float[] start = new float[2];
        Mixing.Mix(0, [-0f, 3], [], start);
        Assert.Equal([0x8000_0000u, 0x4040_0000u], start.Select(BitConverter.SingleToUInt32Bits));
    }

    [Fact]
    public void Mixing_rounds_once()
    {
        // 0.9·16777216 + 0.1·1 = 15099494.5: rounded once to nearest even 15099494; rounding the products first would give 15099494.0 or .5 up.
        float[] start = new float[1];
        Mixing.Mix(0.1, [16777216f], [1f], start);
        Assert.Equal((float)((1 - 0.1) * 16777216.0 + 0.1 * 1.0), start[0]);
    }

    [Fact]
    public void Rho_is_0_one_minus_m_or_1()
    {
        Assert.Equal(0.75, Mixing.FeedbackShare(null, 0.25));
        Assert.Equal(0.8, Mixing.FeedbackShare(0.8, 0.25));
    }
}
