using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Training.Tests;

/// <summary>Direct preference optimisation: the loss, its gradient, training and evaluation.</summary>
public class PreferenceTests
{
    private static readonly LlamaModel s_model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));
    private static readonly LoraOptions s_lora = new(Rank: 4, Alpha: 8, LoraTargets.All);
    private static readonly List<PreferencePair> s_pairs = Counting(40, "train");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.3)]
    [InlineData(-2.5)]
    [InlineData(30.0)]
    public void The_loss_of_a_margin_is_minus_the_logarithm_of_its_sigmoid(double margin)
    {
        Assert.Equal(-Math.Log(1 / (1 + Math.Exp(-margin))), PreferenceLoss.Of(margin), 1e-12);
        Assert.Equal(margin, PreferenceLoss.Of(-margin) - PreferenceLoss.Of(margin), 1e-12);   // ln σ(m) − ln σ(−m) = m
    }

    [Fact]
    public void A_margin_beyond_the_exponential_has_a_finite_loss()
    {
        Assert.Equal(1000, PreferenceLoss.Of(-1000));
        Assert.Equal(0, PreferenceLoss.Of(1000));
        Assert.True(double.IsNaN(PreferenceLoss.Of(double.NaN)));
        Assert.True(double.IsNaN(new PreferenceLoss(0.1, [0]).Margin(0, double.PositiveInfinity)));
    }

    [Theory]
    [InlineData(0.0, false)]
    [InlineData(0.25, false)]
    [InlineData(0.0, true)]
    public void The_gradient_matches_finite_differences_and_the_loss_the_formula(double dropout, bool freezeA)
    {
        LlamaConfig config = TinyModel.Config();
        var plan = new LoraPlan(config, new LoraOptions(Rank: 3, Alpha: 6, LoraTargets.All, dropout) { FreezeA = freezeA });
        double[] adapter = TinyModel.Doubles(plan.Layout.Length, 0.3, "adapter"), gradient = new double[adapter.Length], ignored = new double[adapter.Length];
        ParameterLayout layout = ParameterLayout.Of(config);
        double[] weights = TinyModel.Doubles(layout.VectorLength(), 0.4, "weights");
        var pass = new LlamaPass<double>(LlamaWeights<double>.In(config, layout, weights), plan, PassMemory.All);
        Example[] sequences =
        [
            new([1, 5, 9, 3, 22, 7, 7, 2], PromptLength: 3, "", ""), new([1, 5, 9, 11, 2], PromptLength: 3, "", ""),
            new([1, 4, 0, 11, 2], PromptLength: 2, "", ""), new([1, 4, 8, 8, 19, 20, 2], PromptLength: 2, "", ""),
        ];
        var batch = new Batch();
        batch.Fill(sequences, [0, 1, 2, 3], config.Vocabulary);
        const double Beta = 0.7;
        double[] references = [0.4, -1.1];
        var loss = new PreferenceLoss(Beta, references);

        double found = Loss(gradient);
        if (dropout == 0) Assert.Equal(Formula(), found / 2, 1e-12);
        foreach (LoraTensor tensor in plan.Layout.Tensors)
        {
            double largest = tensor.In(gradient.AsSpan()).ToArray().Max(Math.Abs);
            Assert.Equal(freezeA && tensor.Role == LoraRole.A, largest == 0);
            for (int i = tensor.Offset; i < tensor.End && largest > 0; i += Math.Max(1, tensor.Length / 20))
            {
                double kept = adapter[i];
                adapter[i] = kept + 1e-5;
                double above = Loss(ignored);
                adapter[i] = kept - 1e-5;
                double below = Loss(ignored);
                adapter[i] = kept;
                Assert.Equal((above - below) / 2 / 2e-5, gradient[i], 1e-6 * largest + 1e-10);
            }
        }

        double Loss(double[] into) => pass.LossAndGradient(
            batch, (all, losses, scales) => loss.Weigh(all, losses, 2, scales), adapter, into, dropout > 0 ? new DropoutMasks(3, Step: 1, First: 0) : null, Cancel);

        // −ln of a sigmoid of β times a difference of log-likelihoods, sequence by sequence through the loss of instruction tuning.
        double Formula()
        {
            double[] logs = [.. Enumerable.Range(0, 4).Select(i =>
            {
                var one = new Batch();
                one.Fill(sequences, [i], config.Vocabulary);
                return -pass.Loss(one, adapter, Cancel);
            })];
            return Enumerable.Range(0, 2).Average(i => -Math.Log(1 / (1 + Math.Exp(-Beta * (logs[2 * i] - logs[2 * i + 1] - references[i])))));
        }
    }

    [Fact]
    public void The_first_step_from_the_reference_has_a_loss_of_ln_2()
    {
        var reports = new List<TrainingStep>();
        Train(new LocalTrainer(s_model, s_lora), NewAdapter(), new TrainingOptions { Steps = 2, LearningRate = 1e-2 }, reports.Add);
        Assert.Equal(Math.Log(2), reports[0].Loss, 1e-6);
        Assert.NotEqual(Math.Log(2), reports[1].Loss, 1e-4);

        PreferenceScore before = PreferenceEvaluator.Evaluate(s_model.WithAdapter(s_lora, NewAdapter()), s_pairs, Loss(), cancellation: Cancel).Overall;
        Assert.Equal(Math.Log(2), before.Loss, 1e-15);
        Assert.Equal((0, 0.0, 40), (before.Accuracy.Successes, before.Margin, before.Accuracy.Count));
    }

    [Fact]
    public void Training_makes_the_chosen_answers_preferred_also_where_A_is_frozen()
    {
        List<PreferencePair> heldOut = Counting(20, "held-out");
        var references = new PreferenceLoss(0.1, PreferencePair.LogRatios(s_model, heldOut, cancellation: Cancel));
        foreach (bool freezeA in (bool[])[false, true])
        {
            LoraOptions lora = s_lora with { FreezeA = freezeA };
            float[] start = NewAdapter(), adapter = [.. start];
            TrainingResult result = Train(new LocalTrainer(s_model, lora), adapter, new TrainingOptions { Epochs = 8, LearningRate = 1e-2 });
            Assert.Equal((TrainingOutcome.Completed, 8 * 40L), (result.Outcome, result.Terms));
            PreferenceScore after = PreferenceEvaluator.Evaluate(s_model.WithAdapter(lora, adapter), heldOut, references, cancellation: Cancel).Overall;
            Assert.True(after is { Loss: < 0.6, Accuracy.Value: > 0.8, Margin: > 0.2 }, $"{after}");
            foreach (LoraTensor tensor in lora.LayoutFor(s_model.Config).Tensors.Where(tensor => tensor.Role == LoraRole.A))
                Assert.Equal(freezeA, tensor.In(start.AsSpan()).SequenceEqual(tensor.In(adapter.AsSpan())));
        }
    }

    [Theory]
    [InlineData(2, false)]
    [InlineData(3, true)]
    public void Threads_and_memory_change_no_bit(int threads, bool recomputes)
    {
        LoraOptions lora = s_lora with { Dropout = 0.1 };
        // 20 pairs of 10 to 48 rows: two groups or more a step.
        var options = new TrainingOptions { Steps = 5, BatchSize = 20, LearningRate = 1e-2 };
        float[] expected = NewAdapter(), found = NewAdapter();
        TrainingResult one = Train(new LocalTrainer(s_model, lora), expected, options);
        TrainingResult other = Train(new LocalTrainer(s_model, lora, new ComputeOptions(threads, recomputes)), found, options);
        Assert.Equal(expected, found);
        Assert.Equal(one, other);
        LlamaModel trained = s_model.WithAdapter(lora, found);
        Assert.Equal(PreferenceEvaluator.Evaluate(trained, s_pairs, Loss(), 1, cancellation: Cancel).Overall, PreferenceEvaluator.Evaluate(trained, s_pairs, Loss(), threads, cancellation: Cancel).Overall);
    }

    [Fact]
    public void Groups_hold_whole_pairs()
    {
        float[] adapter = [.. TinyModel.Doubles(NewAdapter().Length, 0.05, "adapter").Select(value => (float)value)], total = new float[adapter.Length];
        var plan = new LoraPlan(TinyModel.Small, s_lora);
        var groups = new GroupedGradient<LlamaPass<float>>(total, TinyModel.Small.Vocabulary, 2, ManagedBackend.GroupRows, () => new LlamaPass<float>(s_model.Weights, plan, PassMemory.All));
        int pairs = 0, calls = 0;
        var objective = new Objective<LlamaPass<float>>(OfPairs: true, (_, batch, divisor, _, _, _) =>
        {
            Assert.Equal(40, divisor);
            for (int i = 0; i < batch.Sequences; i += 2) Assert.Equal((batch.Example(i) / 2 * 2, batch.Example(i) + 1), (batch.Example(i), batch.Example(i + 1)));
            Interlocked.Add(ref pairs, batch.Sequences / 2);
            Interlocked.Increment(ref calls);
            return 1;
        });
        StepLoss step = groups.Run(objective, PreferencePair.Sequences(s_pairs), [.. Enumerable.Range(0, 40)], null, Cancel);
        Assert.Equal((40, calls, 40), (step.Terms, (int)step.LossSum, pairs));
        Assert.True(calls > 2, $"{calls} groups");
    }

    [Fact]
    public void Scores_are_told_by_category_with_their_errors()
    {
        float[] adapter = NewAdapter();
        Train(new LocalTrainer(s_model, s_lora), adapter, new TrainingOptions { Epochs = 2, LearningRate = 1e-2 });
        PreferenceResult result = PreferenceEvaluator.Evaluate(s_model.WithAdapter(s_lora, adapter), s_pairs, Loss(), cancellation: Cancel);
        Assert.Equal(["even", "odd"], result.ByCategory.Select(category => category.Key));
        Assert.Equal(result.Overall.Margin, result.ByCategory.Average(category => category.Value.Margin), 1e-12);
        Assert.Equal(result.Overall.Loss, result.ByCategory.Average(category => category.Value.Loss), 1e-12);
        Assert.Equal(result.Overall.Accuracy.Successes, result.ByCategory.Sum(category => category.Value.Accuracy.Successes));
        Assert.Equal(s_pairs.Sum(pair => (long)pair.Chosen.AnswerTokens + pair.Rejected.AnswerTokens), result.Overall.Tokens);

        double[] ratios = PreferencePair.LogRatios(s_model.WithAdapter(s_lora, adapter), s_pairs, cancellation: Cancel), margins = [.. ratios.Select((ratio, i) => Loss().Margin(i, ratio))];
        double mean = margins.Average();
        Assert.Equal(Math.Sqrt(margins.Average(m => (m - mean) * (m - mean)) / 39), result.Overall.MarginStandardError, 1e-12);
    }

    [Fact]
    public void What_is_not_finite_is_an_outcome_and_bad_input_refused()
    {
        float[] adapter = NewAdapter();
        adapter[^1] = float.NaN;
        Assert.Equal(TrainingOutcome.NonFiniteLoss, Train(new LocalTrainer(s_model, s_lora), adapter, new TrainingOptions { Steps = 5 }).Outcome);
        Assert.Equal(float.NaN, adapter[^1]);
        Assert.Contains("beta is 0", Assert.Throws<ArgumentException>(() => new PreferenceLoss(0, [])).Message, StringComparison.Ordinal);
        Assert.Contains("references of 40 pairs, found 1", Assert.Throws<ArgumentException>(
            () => new LocalTrainer(s_model, s_lora).Train(NewAdapter(), s_pairs, new PreferenceLoss(1, [0]), new TrainingOptions(), new RandomStream(1, "x"), cancellation: Cancel)).Message,
            StringComparison.Ordinal);
        Assert.Contains("references of 40 pairs, found 1", Assert.Throws<ArgumentException>(
            () => PreferenceEvaluator.Evaluate(s_model, s_pairs, new PreferenceLoss(1, [0]), cancellation: Cancel)).Message, StringComparison.Ordinal);
    }

    /// <summary>The chosen answer counts up from the prompt, the rejected one down.</summary>
    private static List<PreferencePair> Counting(int count, string name) =>
    [
        .. TinyModel.Counting(count, TinyModel.Small.Vocabulary, name).Select(up =>
        {
            int[] down = [.. up.Tokens];
            for (int i = 2; i < down.Length; i++) down[i] = (down[i - 1] + 63) % 64;
            return new PreferencePair(up, up with { Tokens = down });
        }),
    ];

    private static PreferenceLoss Loss() => new(0.1, PreferencePair.LogRatios(s_model, s_pairs, cancellation: Cancel));

    private static float[] NewAdapter() => LoraInitialization.Create(s_lora.LayoutFor(s_model.Config), seed: 1);

    private static TrainingResult Train(LocalTrainer trainer, float[] adapter, TrainingOptions options, Action<TrainingStep>? onStep = null) =>
        trainer.Train(adapter, s_pairs, Loss(), options, new RandomStream(2, "job"), onStep, Cancel);
}
