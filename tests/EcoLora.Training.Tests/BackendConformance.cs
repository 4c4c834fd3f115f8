using EcoLora.Numerics;

namespace EcoLora.Training.Tests;

/// <summary>
/// What every backend must do alike: its losses and gradients are those of the same pass in double precision. The projects of the backends run it, each with its own.
/// </summary>
public abstract class BackendConformance
{
    /// <summary>Relative, of losses; and of a gradient's distance to the largest entry of its tensor.</summary>
    protected const double Tolerance = 1e-4;

    /// <summary>The test's.</summary>
    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The backend, in binary32.</summary>
    protected abstract IModelBackend Backend { get; }

    /// <summary>Shapes and adapters, by name.</summary>
    public static TheoryData<string> Cases => [.. s_cases.Keys];

    private static readonly Dictionary<string, (LlamaConfig Config, LoraOptions Lora)> s_cases = new()
    {
        ["queries and values"] = (TinyModel.Config(), new LoraOptions(Rank: 3, Alpha: 6)),
        ["all layers, rslora"] = (TinyModel.Config(tied: false), new LoraOptions(Rank: 2, Alpha: 3, LoraTargets.All, RsLora: true)),
        ["the way down alone"] = (TinyModel.Config(), new LoraOptions(Rank: 2, Alpha: 4, LoraTargets.DownProj)),
        ["frozen A"] = (TinyModel.Config(), new LoraOptions(Rank: 3, Alpha: 6, LoraTargets.All, FreezeA: true)),
        ["dropout"] = (TinyModel.Config(), new LoraOptions(Rank: 3, Alpha: 6, LoraTargets.All, Dropout: 0.3)),
        ["biases"] = (TinyModel.Config() with { QueryKeyValueBias = true, OutputBias = true, MlpBias = true }, new LoraOptions(Rank: 3, Alpha: 6, LoraTargets.All)),
        ["one head of keys, scaled positions"] = (
            TinyModel.Config() with { KeyValueHeads = 1, RopeScaling = new RopeScaling.Llama3(Factor: 4, Low: 1, High: 4, OriginalPositions: 16), RopeTheta = 500 },
            new LoraOptions(Rank: 3, Alpha: 6)),
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Losses_and_gradients_are_those_in_double_precision(string name)
    {
        (LlamaConfig config, LoraOptions lora) = s_cases[name];
        foreach (bool recomputes in (bool[])[false, true])
        {
            Comparison compared = Compare(config, lora, (pass, batch, adapter, gradient, masks) => pass.LossAndGradient(batch, 7, adapter, gradient, masks, Cancel),
                (pass, batch, adapter, gradient, masks) => pass.LossAndGradient(batch, 7, adapter, gradient, masks, Cancel), recomputes);
            compared.Check(recomputes);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_gradient_of_an_objective_of_pairs_is_that_in_double_precision(string name)
    {
        (LlamaConfig config, LoraOptions lora) = s_cases[name];
        var loss = new PreferenceLoss(0.4, [0.3]);
        foreach (bool recomputes in (bool[])[false, true])
        {
            Comparison compared = Compare(config, lora,
                (pass, batch, adapter, gradient, masks) => pass.LossAndGradient(batch, (all, rows, scales) => loss.Weigh(all, rows, 1, scales), adapter, gradient, masks, Cancel),
                (pass, batch, adapter, gradient, masks) => pass.LossAndGradient(batch, (all, rows, scales) => loss.Weigh(all, rows, 1, scales), adapter, gradient, masks, Cancel), recomputes);
            compared.Check(recomputes);
        }
    }

    [Fact]
    public void New_tokens_of_a_sequence_see_those_before_them_however_they_come()
    {
        IDecoder model = Backend.Plain(LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights")));
        int[] tokens = [1, 9, 33, 4, 4, 60, 17];
        using ICachedPass whole = model.NewCachedPass(), parts = model.NewCachedPass();
        whole.Start(8, 1);
        whole.Append(0, tokens);
        whole.Step();
        parts.Start(8, 2);
        parts.Append(1, tokens.AsSpan(..3));
        parts.Step();
        parts.Append(0, [5]);
        parts.Append(1, tokens.AsSpan(3..6));
        parts.Step();
        parts.Append(1, tokens.AsSpan(6..));
        Assert.Equal([1], parts.Step());
        for (int i = 0; i < whole.Logits.Length; i++) Assert.Equal(whole.Logits[i], parts.Logits[i], 1e-5f);
    }

    [Fact]
    public void A_cancelled_job_leaves_the_adapter_as_it_was()
    {
        LlamaModel model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));
        var lora = new LoraOptions(Rank: 4, Alpha: 8);
        float[] adapter = NewAdapter(TinyModel.Small, lora), start = [.. adapter];
        using var cancel = new CancellationTokenSource();
        var trainer = new LocalTrainer(model, lora, null, Backend);
        Assert.Throws<OperationCanceledException>(() => trainer.Train(
            adapter, TinyModel.Counting(10, TinyModel.Small.Vocabulary, "train"), new TrainingOptions { Steps = 5 }, new RandomStream(3, "job"), _ => cancel.Cancel(), cancel.Token));
        Assert.Equal(start, adapter);
    }

    /// <summary>A and B both small and not zero: so both have a gradient from the first step on.</summary>
    private protected static float[] NewAdapter(LlamaConfig config, LoraOptions lora) => [.. TinyModel.Doubles(lora.LayoutFor(config).Length, 0.05, "adapter").Select(value => (float)value)];

    private Comparison Compare(LlamaConfig config, LoraOptions lora, Gradient<double> exact, Gradient<float> tested, bool recomputes)
    {
        ParameterLayout layout = ParameterLayout.Of(config);
        float[] weights = [.. TinyModel.Doubles(layout.VectorLength(), 0.4, "weights").Select(value => (float)value)];
        foreach (ParameterTensor tensor in layout.Tensors.Where(tensor => tensor.IsVector))
            foreach (ref float gain in tensor.In(weights.AsSpan())) gain += 1;
        var plan = new LoraPlan(config, lora);
        float[] adapter = [.. TinyModel.Doubles(plan.Layout.Length, 0.3, "adapter").Select(value => (float)value)];
        var batch = new Batch();
        batch.Fill(TinyModel.TwoExamples, [0, 1], config.Vocabulary);
        DropoutMasks? masks = lora.Dropout > 0 ? new DropoutMasks(3, Step: 1, First: 4) : null;
        var reference = new LlamaPass<double>(LlamaWeights<double>.In(config, layout, Array.ConvertAll(weights, weight => (double)weight)), plan, PassMemory.All);
        double[] wide = Array.ConvertAll(adapter, value => (double)value), expected = new double[adapter.Length];
        // What was in it before stays in it.
        float[] found = new float[adapter.Length];
        found.AsSpan().Fill(0.5f);
        LlamaModel model = LlamaModel.Of(config, weights);
        IModelPass<float> pass = Backend.NewTrainingPass(model, plan, recomputes);
        double loss = exact(reference, batch, wide, expected, masks), got = tested(pass, batch, adapter, found, masks);
        for (int i = 0; i < found.Length; i++) found[i] -= 0.5f;
        return new Comparison(plan, loss, got, [.. reference.Losses(batch)], [.. pass.Losses(batch)], expected, found);
    }

    private delegate double Gradient<T>(IModelPass<T> pass, Batch batch, T[] adapter, T[] gradient, DropoutMasks? masks)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>;

    private sealed record Comparison(LoraPlan Plan, double Loss, double FoundLoss, double[] Rows, float[] FoundRows, double[] Gradient, float[] FoundGradient)
    {
        public void Check(bool recomputes)
        {
            Assert.Equal(Loss, FoundLoss, Tolerance * Loss);
            for (int i = 0; i < Rows.Length; i++) Assert.Equal(Rows[i], FoundRows[i], Tolerance * Math.Max(1, Rows[i]));
            foreach (Codec.LoraTensor tensor in Plan.Layout.Tensors)
            {
                double[] expected = tensor.In<double>(Gradient).ToArray();
                float[] found = tensor.In<float>(FoundGradient).ToArray();
                bool isFrozen = tensor.Role == Codec.LoraRole.A && Plan.Options.FreezeA;
                double largest = expected.Max(Math.Abs);
                Assert.True(isFrozen ? largest == 0 : largest > 1e-6, $"{tensor}: nothing is tested");
                for (int i = 0; i < expected.Length; i++)
                    Assert.True(Math.Abs(expected[i] - found[i]) <= Tolerance * largest + 1e-7, $"{tensor.Module} {tensor.Role}[{i}], recomputes {recomputes}: expected {expected[i]:R}, found {found[i]:R}");
            }
        }
    }
}

/// <summary>What a backend besides the managed kernels must come to with them: the same steps, scores and answers.</summary>
public abstract class SecondBackendConformance : BackendConformance
{
    [Theory]
    [InlineData(0.0, false)]
    [InlineData(0.2, true)]
    public void Fifty_steps_follow_the_managed_kernels(double dropout, bool recomputes)
    {
        LlamaModel model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));
        var lora = new LoraOptions(Rank: 4, Alpha: 8, LoraTargets.All, dropout);
        // More rows than a group has, in examples of 5 to 24.
        List<Example> examples = TinyModel.Counting(150, TinyModel.Small.Vocabulary, "train");
        var options = new TrainingOptions { Steps = 50, BatchSize = 60, LearningRate = 1e-2, WeightDecay = 0.01, WarmupSteps = 5, Schedule = LearningRateSchedule.Cosine };
        PreferencePair[] pairs = [.. examples.Take(40).Select((example, i) => new PreferencePair(example, example with { Tokens = [.. example.Tokens[..2], .. examples[i + 40].Tokens[2..]] }))];
        var loss = new PreferenceLoss(0.5, PreferencePair.LogRatios(model, pairs, cancellation: Cancel));

        Near(Steps(ManagedBackend.Instance, Answers), Steps(Backend, Answers));
        Near(Steps(ManagedBackend.Instance, Preferences), Steps(Backend, Preferences));

        TrainingResult Answers(LocalTrainer trainer, float[] adapter, Action<TrainingStep> step) => trainer.Train(adapter, examples, options, new RandomStream(3, "job"), step, Cancel);
        TrainingResult Preferences(LocalTrainer trainer, float[] adapter, Action<TrainingStep> step) =>
            trainer.Train(adapter, pairs, loss, options with { BatchSize = 12 }, new RandomStream(3, "job"), step, Cancel);

        List<double> Steps(IModelBackend backend, Func<LocalTrainer, float[], Action<TrainingStep>, TrainingResult> train)
        {
            var losses = new List<double>();
            float[] adapter = NewAdapter(TinyModel.Small, lora);
            TrainingResult result = train(new LocalTrainer(model, lora, new ComputeOptions(1, recomputes), backend), adapter, step => losses.Add(step.Loss));
            Assert.Equal(TrainingOutcome.Completed, result.Outcome);
            Assert.All(adapter, value => Assert.True(float.IsFinite(value)));
            return losses;
        }

        static void Near(List<double> expected, List<double> found)
        {
            Assert.Equal(50, found.Count);
            Assert.True(expected[^1] < 0.95 * expected[0], "nothing was learnt, so nothing is compared");
            for (int i = 0; i < 50; i++) Assert.True(Math.Abs(expected[i] - found[i]) <= Tolerance * expected[i], $"step {i + 1}: expected {expected[i]:R}, found {found[i]:R}");
        }
    }

    [Fact]
    public void A_tuned_model_scores_prefers_and_answers_as_on_the_managed_kernels()
    {
        LlamaModel model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));
        var lora = new LoraOptions(Rank: 4, Alpha: 8, LoraTargets.All);
        float[] adapter = [.. TinyModel.Doubles(lora.LayoutFor(TinyModel.Small).Length, 0.3, "adapter").Select(value => (float)value)];
        List<Example> heldOut = TinyModel.Counting(40, TinyModel.Small.Vocabulary, "held out");
        IDecoder expected = model.WithAdapter(lora, adapter), found = Backend.Tuned(model, lora, adapter);

        EvaluationResult wanted = Evaluator.Evaluate(expected, heldOut, cancellation: Cancel), scored = Evaluator.Evaluate(found, heldOut, threads: 2, cancellation: Cancel);
        Assert.Equal(wanted.Overall.MeanLoss, scored.Overall.MeanLoss, Tolerance * wanted.Overall.MeanLoss);
        Assert.Equal(wanted.ByCategory.Select(each => each.Value.Tokens), scored.ByCategory.Select(each => each.Value.Tokens));

        PreferencePair[] pairs = [.. heldOut.Take(20).Select((example, i) => new PreferencePair(example, heldOut[i + 20]))];
        double[] ratios = PreferencePair.LogRatios(expected, pairs, cancellation: Cancel), same = PreferencePair.LogRatios(found, pairs, threads: 2, cancellation: Cancel);
        for (int i = 0; i < ratios.Length; i++) Assert.Equal(ratios[i], same[i], 1e-3);

        int[][] prompts = [.. heldOut.Select(example => example.Tokens[..Math.Min(5, example.Tokens.Length)])];
        Assert.Equal(Generator.GenerateAll(expected, prompts, 12, [3], cancellation: Cancel), Generator.GenerateAll(found, prompts, 12, [3], cancellation: Cancel));
        Assert.Equal(Generator.GenerateAll(model, prompts, 12, [3], cancellation: Cancel), Generator.GenerateAll(Backend.Plain(model), prompts, 12, [3], cancellation: Cancel));
    }

    [Fact]
    public void A_base_with_a_merged_change_trains_as_on_the_managed_kernels()
    {
        LlamaModel model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));
        var lora = new LoraOptions(Rank: 2, Alpha: 4);
        int length = lora.LayoutFor(TinyModel.Small).Tensors.Chunk(2).Sum(pair => pair[1].Rows * pair[0].Columns);
        LlamaModel merged = model.WithChange(lora, [.. TinyModel.Doubles(length, 0.1, "change").Select(value => (float)value)]);
        List<Example> examples = TinyModel.Counting(10, TinyModel.Small.Vocabulary, "train");
        double Before(IDecoder decoder) => Evaluator.Evaluate(decoder, examples, cancellation: Cancel).Overall.MeanLoss;

        Assert.Equal(Before(model), Before(Backend.Plain(model)), Tolerance);
        Assert.Equal(Before(merged), Before(Backend.Plain(merged)), Tolerance);
        Assert.NotEqual(Before(model), Before(merged), 1e-3);
        float[] wanted = NewAdapter(TinyModel.Small, lora), trained = [.. wanted];
        var options = new TrainingOptions { Steps = 5, BatchSize = 4, LearningRate = 1e-2 };
        TrainingResult expected = new LocalTrainer(merged, lora).Train(wanted, examples, options, new RandomStream(3, "job"), null, Cancel);
        TrainingResult found = new LocalTrainer(merged, lora, null, Backend).Train(trained, examples, options, new RandomStream(3, "job"), null, Cancel);
        Assert.Equal(expected.MeanLoss, found.MeanLoss, Tolerance * expected.MeanLoss);
    }
}
