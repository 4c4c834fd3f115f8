using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Training.Tests;

/// <summary>Every gradient against central finite differences in double precision, by the same code that trains in float.</summary>
public class GradientTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private const double Tolerance = 1e-6;

    public static TheoryData<SimdPath, double, bool> LoraCases => new()
    {
        { SimdPath.Scalar, 0, false }, { SimdPath.Vector128, 0, false }, { SimdPath.Vector256, 0, false }, { SimdPath.Vector512, 0, false },
        { SimdPath.Fastest, 0.25, false }, { SimdPath.Fastest, 0.1, true },
    };

    [Theory]
    [MemberData(nameof(LoraCases))]
    public void Every_lora_gradient_matches_finite_differences(SimdPath path, double dropout, bool rsLora)
    {
        LlamaConfig config = TinyModel.Config();
        var plan = new LoraPlan(config, new LoraOptions(Rank: 3, Alpha: 6, LoraTargets.All, dropout, rsLora));
        double[] adapter = TinyModel.Doubles(plan.Layout.Length, 0.3, "adapter"), gradient = new double[adapter.Length];
        var pass = Pass(config, plan, path, out _);
        Batch batch = TwoSequences(config);
        pass.LossAndGradient(batch, batch.Scored, adapter, gradient, [], Mask(dropout), Cancel);

        Assert.Equal(2 * 7 * 2, plan.Layout.Tensors.Count);
        foreach (LoraTensor tensor in plan.Layout.Tensors)
        {
            AssertMatches($"{tensor.Module}.{tensor.Role}", tensor.Offset, tensor.Length, adapter, gradient, () => MeanLoss(pass, batch, adapter, dropout));
        }
    }

    [Theory]
    [InlineData(LoraTargets.QProj | LoraTargets.VProj)]
    [InlineData(LoraTargets.KProj)]
    [InlineData(LoraTargets.OProj)]
    [InlineData(LoraTargets.UpProj | LoraTargets.GateProj)]
    [InlineData(LoraTargets.DownProj)]
    public void Stopping_at_the_lowest_adapter_leaves_no_gradient_out(LoraTargets targets)
    {
        LlamaConfig config = TinyModel.Config() with { QueryKeyValueBias = true, OutputBias = true, MlpBias = true };
        var plan = new LoraPlan(config, new LoraOptions(Rank: 2, Alpha: 4, targets));
        double[] adapter = TinyModel.Doubles(plan.Layout.Length, 0.3, "adapter"), gradient = new double[adapter.Length];
        var pass = Pass(config, plan, SimdPath.Fastest, out _);
        Batch batch = TwoSequences(config);
        pass.LossAndGradient(batch, batch.Scored, adapter, gradient, [], null, Cancel);
        foreach (LoraTensor tensor in plan.Layout.Tensors)
            AssertMatches($"{tensor.Module}.{tensor.Role}", tensor.Offset, tensor.Length, adapter, gradient, () => MeanLoss(pass, batch, adapter, 0));
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.2)]
    public void Running_layers_again_gives_the_same_bits_as_keeping_them(double dropout)
    {
        LlamaConfig config = TinyModel.Config() with { Layers = 3, QueryKeyValueBias = true };
        var plan = new LoraPlan(config, new LoraOptions(Rank: 3, Alpha: 6, LoraTargets.All, dropout));
        double[] adapter = TinyModel.Doubles(plan.Layout.Length, 0.3, "adapter"), kept = new double[adapter.Length], again = new double[adapter.Length];
        Batch batch = TwoSequences(config);
        double loss = Pass(config, plan, SimdPath.Fastest, out _).LossAndGradient(batch, batch.Scored, adapter, kept, [], Mask(dropout), Cancel);
        var pass = Pass(config, plan, SimdPath.Fastest, out _, PassMemory.Inputs);
        Assert.Equal(loss, pass.LossAndGradient(batch, batch.Scored, adapter, again, [], Mask(dropout), Cancel));
        Assert.Equal(kept, again);
        again.AsSpan().Clear();
        pass.LossAndGradient(batch, batch.Scored, adapter, again, [], Mask(dropout), Cancel);
        Assert.Equal(kept, again);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public void Every_base_gradient_matches_finite_differences(bool tied, bool biases)
    {
        LlamaConfig config = TinyModel.Config(tied) with { QueryKeyValueBias = biases, OutputBias = biases, MlpBias = biases };
        var pass = Pass(config, null, SimdPath.Fastest, out double[] weights);
        double[] gradient = new double[weights.Length];
        Batch batch = TwoSequences(config);
        pass.LossAndGradient(batch, batch.Scored, [], [], gradient, null, Cancel);

        foreach (ParameterTensor tensor in ParameterLayout.Of(config).Tensors)
        {
            AssertMatches(tensor.Name, (int)tensor.Offset, tensor.Length, weights, gradient, () => pass.Loss(batch, [], Cancel) / batch.Scored);
        }
    }

    [Fact]
    public void A_sequence_longer_than_an_attention_block_has_the_right_gradient()
    {
        LlamaConfig config = TinyModel.Config() with { Layers = 1, MaxPositions = 256 };
        var plan = new LoraPlan(config, new LoraOptions(Rank: 2, Alpha: 4, LoraTargets.QProj | LoraTargets.KProj | LoraTargets.VProj));
        double[] adapter = TinyModel.Doubles(plan.Layout.Length, 0.3, "adapter"), gradient = new double[adapter.Length];
        var pass = Pass(config, plan, SimdPath.Fastest, out _);
        var stream = new RandomStream(1, "tokens");
        int[] tokens = [.. Enumerable.Range(0, Attention.BlockRows * 2 + 7).Select(_ => stream.NextInt32(config.Vocabulary))];
        var batch = new Batch();
        batch.Fill([new Example(tokens, 90, "", "")], [0], config.Vocabulary);
        pass.LossAndGradient(batch, batch.Scored, adapter, gradient, [], null, Cancel);
        foreach (LoraTensor tensor in plan.Layout.Tensors)
        {
            AssertMatches($"{tensor.Module}.{tensor.Role}", tensor.Offset, tensor.Length, adapter, gradient, () => MeanLoss(pass, batch, adapter, 0));
        }
    }

    [Fact]
    public void Base_and_adapter_gradients_can_be_taken_together()
    {
        LlamaConfig config = TinyModel.Config();
        var plan = new LoraPlan(config, new LoraOptions(Rank: 2));
        double[] adapter = TinyModel.Doubles(plan.Layout.Length, 0.3, "adapter");
        var pass = Pass(config, plan, SimdPath.Fastest, out double[] weights);
        Batch batch = TwoSequences(config);
        double[] together = new double[adapter.Length], alone = new double[adapter.Length], baseGradient = new double[weights.Length];
        pass.LossAndGradient(batch, batch.Scored, adapter, together, baseGradient, null, Cancel);
        pass.LossAndGradient(batch, batch.Scored, adapter, alone, [], null, Cancel);
        Assert.Equal(alone, together);
        foreach (ParameterTensor tensor in ParameterLayout.Of(config).Tensors)
        {
            AssertMatches(tensor.Name, (int)tensor.Offset, tensor.Length, weights, baseGradient, () => MeanLoss(pass, batch, adapter, 0));
        }
    }

    [Fact]
    public void A_frozen_A_gets_no_gradient_and_B_gets_the_same()
    {
        LlamaConfig config = TinyModel.Config();
        var options = new LoraOptions(Rank: 3, Alpha: 6, LoraTargets.All);
        var plan = new LoraPlan(config, options);
        double[] adapter = TinyModel.Doubles(plan.Layout.Length, 0.3, "adapter"), full = new double[adapter.Length], frozen = new double[adapter.Length];
        Batch batch = TwoSequences(config);
        Pass(config, plan, SimdPath.Fastest, out _).LossAndGradient(batch, batch.Scored, adapter, full, [], null, Cancel);
        Pass(config, new LoraPlan(config, options with { FreezeA = true }), SimdPath.Fastest, out _).LossAndGradient(batch, batch.Scored, adapter, frozen, [], null, Cancel);
        foreach (LoraTensor tensor in plan.Layout.Tensors)
        {
            if (tensor.Role == LoraRole.A) Assert.All(tensor.In(frozen.AsSpan()).ToArray(), g => Assert.Equal(0.0, g));
            else Assert.Equal(tensor.In(full.AsSpan()).ToArray(), tensor.In(frozen.AsSpan()).ToArray());
        }
    }

    [Fact]
    public void Gradients_are_added_to_what_is_there()
    {
        LlamaConfig config = TinyModel.Config();
        var plan = new LoraPlan(config, new LoraOptions(Rank: 2));
        double[] adapter = TinyModel.Doubles(plan.Layout.Length, 0.3, "adapter"), once = new double[adapter.Length], twice = new double[adapter.Length];
        var pass = Pass(config, plan, SimdPath.Fastest, out _);
        Batch batch = TwoSequences(config);
        pass.LossAndGradient(batch, batch.Scored, adapter, once, [], null, Cancel);
        pass.LossAndGradient(batch, batch.Scored, adapter, twice, [], null, Cancel);
        pass.LossAndGradient(batch, batch.Scored, adapter, twice, [], null, Cancel);
        for (int i = 0; i < once.Length; i++) Assert.Equal(2 * once[i], twice[i], 1e-12);
    }

    /// <summary>Relative to the largest entry of the tensor: a single entry may be arbitrarily close to zero.</summary>
    private static void AssertMatches(string name, int offset, int length, double[] vector, double[] gradient, Func<double> loss)
    {
        double largest = gradient.AsSpan(offset, length).ToArray().Max(Math.Abs);
        Assert.True(largest > 1e-7, $"{name}: the gradient is zero, nothing is tested");
        int stride = Math.Max(1, length / 40);
        for (int i = offset; i < offset + length; i += stride)
        {
            double kept = vector[i];
            const double Step = 1e-5;
            vector[i] = kept + Step;
            double above = loss();
            vector[i] = kept - Step;
            double below = loss();
            vector[i] = kept;
            double expected = (above - below) / (2 * Step);
            Assert.True(Math.Abs(expected - gradient[i]) <= Tolerance * largest + 1e-10,
                $"{name}[{i - offset}]: expected {expected:R}, found {gradient[i]:R}, largest {largest:R}");
        }
    }

    private static double MeanLoss(LlamaPass<double> pass, Batch batch, double[] adapter, double dropout)
        => (dropout > 0 ? pass.LossAndGradient(batch, batch.Scored, adapter, [], [], Mask(dropout), Cancel) : pass.Loss(batch, adapter, Cancel)) / batch.Scored;

    private static DropoutMasks? Mask(double dropout) => dropout > 0 ? new DropoutMasks(3, Step: 1, First: 0) : null;

    private static Batch TwoSequences(LlamaConfig config)
    {
        var batch = new Batch();
        batch.Fill(TinyModel.TwoExamples, [0, 1], config.Vocabulary);
        return batch;
    }

    private static LlamaPass<double> Pass(LlamaConfig config, LoraPlan? plan, SimdPath path, out double[] weights, PassMemory kept = PassMemory.All)
    {
        ParameterLayout layout = ParameterLayout.Of(config);
        weights = TinyModel.Doubles(layout.VectorLength(), 0.4, "weights");
        foreach (ParameterTensor tensor in layout.Tensors.Where(t => t.IsVector))
            foreach (ref double gain in tensor.In(weights.AsSpan())) gain += 1;
        return new LlamaPass<double>(LlamaWeights<double>.In(config, layout, weights), plan, kept, path);
    }
}
