using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Federation.Tests;

public class FederatedMethodTests
{
    private const int Outputs = 4, Inputs = 6, Rank = 2;
    private static readonly LoraLayout _layout = LoraLayout.Of([new LoraModule("q", Outputs, Inputs, Rank), new LoraModule("v", 3, 6, 1)]);

    [Fact]
    public void FedIt_exchanges_the_whole_adapter()
    {
        Assert.Equal(_layout.Fingerprint, FederatedMethod.FedIt.ExchangedLayout(_layout).Fingerprint);
        float[] whole = LoraInitialization.Create(_layout, 3);
        Assert.Equal(whole, FederatedMethod.FedIt.InitialReference(_layout, 3));
        Assert.Equal(whole, FederatedMethod.FedIt.WholeAdapter(_layout, 3, FederatedMethod.FedIt.Exchanged(_layout, whole)));
    }

    [Fact]
    public void Ffa_exchanges_B_and_puts_the_frozen_A_of_the_seed_back()
    {
        FederatedMethod ffa = FederatedMethod.FfaLora;
        LoraLayout exchanged = ffa.ExchangedLayout(_layout);
        Assert.Equal([LoraRole.B, LoraRole.B], exchanged.Tensors.Select(t => t.Role));
        float[] b = [.. Enumerable.Range(1, exchanged.Length).Select(i => (float)i)];
        float[] whole = ffa.WholeAdapter(_layout, 3, b), seeded = LoraInitialization.Create(_layout, 3);
        Assert.Equal(b, ffa.Exchanged(_layout, whole));
        foreach (LoraTensor a in _layout.Tensors.Where(t => t.Role == LoraRole.A))
            Assert.Equal(a.In(seeded.AsSpan()).ToArray(), a.In(whole.AsSpan()).ToArray());
        Assert.All(ffa.InitialReference(_layout, 3), value => Assert.Equal(0, value));
        Assert.False(ffa.Trains(LoraRole.A));
        Assert.True(ffa.Trains(LoraRole.B));
    }

    [Fact]
    public void Ffa_is_exact_the_mean_of_the_products_is_the_product_of_the_mean()
    {
        LoraLayout layout = LoraLayout.Of([new LoraModule("q", Outputs, Inputs, Rank)]);
        FederatedMethod ffa = FederatedMethod.FfaLora;
        LoraLayout exchanged = ffa.ExchangedLayout(layout);
        var random = new RandomStream(4, "ffa");
        int[] samples = [1, 2, 5];
        float[][] locals = [.. samples.Select(_ => Enumerable.Range(0, exchanged.Length).Select(_ => (float)random.NextGaussian()).ToArray())];
        double[] update = Aggregation.WeightedMean(samples.Select((n, i) => new AcceptedFrame(i, n, MadeUpPlan.Lossless(exchanged, locals[i], i))), exchanged.Length);
        float[] a = LoraInitialization.Create(layout, 9)[..(Rank * Inputs)];
        for (int row = 0; row < Outputs; row++)
        {
            for (int column = 0; column < Inputs; column++)
            {
                double ofProducts = 0, ofMean = 0;
                for (int r = 0; r < Rank; r++)
                {
                    ofMean += update[row * Rank + r] * a[r * Inputs + column];
                    for (int i = 0; i < 3; i++) ofProducts += samples[i] / 8.0 * locals[i][row * Rank + r] * a[r * Inputs + column];
                }
                Assert.Equal(ofProducts, ofMean, 12);
            }
        }
    }

    [Fact]
    public void An_unknown_method_is_refused_with_the_known_ones() => Assert.Equal(
        "federation.method: expected one of fedit, ffa-lora, flora, found 'fedavg'", Assert.Throws<ArgumentException>(() => FederatedMethod.Named("fedavg")).Message);
}
