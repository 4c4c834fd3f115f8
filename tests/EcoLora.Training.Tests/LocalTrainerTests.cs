using EcoLora.Codec;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Training.Tests;

public class LocalTrainerTests
{
    private static readonly LlamaModel s_model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));
    private static readonly LoraOptions s_lora = new(Rank: 4, Alpha: 8, LoraTargets.All);
    private static readonly List<Example> s_examples = TinyModel.Counting(40, TinyModel.Small.Vocabulary, "train");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void Training_lowers_the_loss()
    {
        float[] adapter = NewAdapter(s_lora);
        var trainer = new LocalTrainer(s_model, s_lora);
        TrainingResult first = Train(trainer, adapter, new TrainingOptions { Epochs = 1, LearningRate = 1e-2 });
        var options = new TrainingOptions { Epochs = 20, LearningRate = 1e-2, Schedule = LearningRateSchedule.Cosine, WarmupSteps = 5 };
        TrainingResult later = Train(trainer, adapter, options);
        TrainingResult last = Train(trainer, adapter, new TrainingOptions { Epochs = 1, LearningRate = 1e-3 });
        Assert.Equal(TrainingOutcome.Completed, later.Outcome);
        Assert.InRange(first.MeanLoss, 3.5, 4.5);   // ln 64 = 4.16
        Assert.True(last.MeanLoss < first.MeanLoss - 0.3, $"from {first.MeanLoss} to {last.MeanLoss}");
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.2)]
    public void The_same_inputs_give_the_same_bytes_also_from_a_used_trainer(double dropout)
    {
        LoraOptions lora = s_lora with { Dropout = dropout };
        var options = new TrainingOptions { Steps = 12, LearningRate = 1e-2, WarmupSteps = 3, WeightDecay = 0.01 };
        float[] first = NewAdapter(lora), second = NewAdapter(lora), third = NewAdapter(lora);
        var trainer = new LocalTrainer(s_model, lora);
        TrainingResult a = Train(trainer, first, options), b = Train(new LocalTrainer(s_model, lora), second, options), c = Train(trainer, third, options);
        Assert.Equal(first, second);
        Assert.Equal(first, third);
        Assert.Equal(a, b);
        Assert.Equal(a, c);
    }

    [Fact]
    public void Jobs_on_several_threads_do_not_disturb_each_other()
    {
        var options = new TrainingOptions { Steps = 6, LearningRate = 1e-2 };
        float[] expected = NewAdapter(s_lora);
        Train(new LocalTrainer(s_model, s_lora), expected, options);
        float[][] found = new float[6][];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = 3, CancellationToken = Cancel };
        Parallel.For(0, found.Length, parallel, i => Train(new LocalTrainer(s_model, s_lora), found[i] = NewAdapter(s_lora), options));
        Assert.All(found, adapter => Assert.Equal(expected, adapter));
    }

    [Theory]
    [InlineData(2, false)]
    [InlineData(3, true)]
    [InlineData(16, false)]
    public void Threads_and_memory_change_no_bit(int threads, bool recomputes)
    {
        LoraOptions lora = s_lora with { Dropout = 0.1 };
        // 20 examples of 5 to 24 rows: two groups in the first steps, one in the last of an epoch.
        var options = new TrainingOptions { Steps = 7, BatchSize = 30, LearningRate = 1e-2 };
        float[] expected = NewAdapter(lora), found = NewAdapter(lora);
        TrainingResult one = Train(new LocalTrainer(s_model, lora), expected, options);
        TrainingResult other = Train(new LocalTrainer(s_model, lora, new ComputeOptions(threads, recomputes)), found, options);
        Assert.Equal(expected, found);
        Assert.Equal(one, other);
    }

    [Fact]
    public void A_step_in_groups_has_the_gradient_of_the_step_in_one()
    {
        Example[] examples = [.. s_examples.Concat(s_examples).Take(60)];
        int[] chosen = [.. Enumerable.Range(0, examples.Length)];
        float[] adapter = NewAdapter(s_lora), whole = new float[adapter.Length], grouped = new float[adapter.Length];
        var plan = new LoraPlan(TinyModel.Small, s_lora);
        var batch = new Batch();
        batch.Fill(examples, chosen, TinyModel.Small.Vocabulary);
        Assert.True(batch.Rows > 2 * ManagedBackend.GroupRows);
        double loss = new LlamaPass<float>(s_model.Weights, plan, PassMemory.All).LossAndGradient(batch, batch.Scored, adapter, whole, [], null, Cancel);
        var groups = new GroupedGradient<LlamaPass<float>>(grouped, TinyModel.Small.Vocabulary, 2, ManagedBackend.GroupRows, () => new LlamaPass<float>(s_model.Weights, plan, PassMemory.All));
        var objective = new Objective<LlamaPass<float>>(
            OfPairs: false, (pass, group, divisor, gradient, dropout, cancel) => pass.LossAndGradient(group, divisor, adapter, gradient, [], dropout, cancel));
        StepLoss step = groups.Run(objective, examples, chosen, null, Cancel);
        Assert.Equal(loss, step.LossSum, 1e-3);
        Assert.Equal((batch.Scored, batch.Rows), (step.Terms, step.Rows));
        double scale = whole.Max(Math.Abs);
        for (int i = 0; i < whole.Length; i++) Assert.Equal(whole[i], grouped[i], 1e-5 * scale);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_malformed_example_in_a_late_group_ends_the_job_and_the_trainer_goes_on(int threads)
    {
        var options = new TrainingOptions { Steps = 2, BatchSize = 60 };
        var trainer = new LocalTrainer(s_model, s_lora, new ComputeOptions(threads));
        Example[] bad = [.. s_examples, new Example([1, 2, 999], 1, "", "")];
        float[] adapter = NewAdapter(s_lora);
        ArgumentException error = Assert.Throws<ArgumentException>(
            () => trainer.Train(adapter, bad, options, new RandomStream(1, "x"), cancellation: Cancel));
        Assert.Contains("expected 0 to 63, found 999", error.Message, StringComparison.Ordinal);
        float[] expected = NewAdapter(s_lora);
        Assert.Equal(expected, adapter);
        Assert.Equal(Train(new LocalTrainer(s_model, s_lora), expected, options), Train(trainer, adapter, options));
        Assert.Equal(expected, adapter);
    }

    [Fact]
    public void Dropout_and_the_stream_change_the_result()
    {
        var options = new TrainingOptions { Steps = 4, LearningRate = 1e-2 };
        float[] without = NewAdapter(s_lora), with = NewAdapter(s_lora), other = NewAdapter(s_lora);
        Train(new LocalTrainer(s_model, s_lora), without, options);
        Train(new LocalTrainer(s_model, s_lora with { Dropout = 0.3 }), with, options);
        new LocalTrainer(s_model, s_lora).Train(other, s_examples, options, new RandomStream(3, "other"), cancellation: Cancel);
        Assert.NotEqual(without, with);
        Assert.NotEqual(without, other);
    }

    [Fact]
    public void Only_B_moves_when_A_is_frozen()
    {
        LoraOptions lora = s_lora with { FreezeA = true };
        float[] start = NewAdapter(lora), adapter = [.. start];
        var trainer = new LocalTrainer(s_model, lora);
        Train(trainer, adapter, new TrainingOptions { Steps = 3, LearningRate = 1e-2, WeightDecay = 0.1 });
        foreach (LoraTensor tensor in trainer.Layout.Tensors)
        {
            float[] before = tensor.In(start.AsSpan()).ToArray(), after = tensor.In(adapter.AsSpan()).ToArray();
            if (tensor.Role == LoraRole.A) Assert.Equal(before, after);
            else Assert.All(after, value => Assert.NotEqual(0f, value));
        }
    }

    [Fact]
    public void The_steady_state_allocates_nothing()
    {
        var trainer = new LocalTrainer(s_model, s_lora);
        float[] adapter = NewAdapter(s_lora);
        Allocated(5);
        long few = Allocated(5), many = Allocated(55);   // eleven epochs
        Assert.InRange(many - few, 0, 50_000);   // sorting keys of an epoch; one activation of a step alone is larger: 8·25 rows · 88 · 4 bytes
        Assert.True(many - few < 50 * 8 * 25 * 88 * 4);

        long Allocated(int steps) => Allocations.Of(() => Train(trainer, adapter, new TrainingOptions { Steps = steps }));
    }

    [Fact]
    public void Cancellation_is_honoured_between_steps_and_leaves_the_adapter()
    {
        using var source = new CancellationTokenSource();
        float[] start = NewAdapter(s_lora), adapter = [.. start];
        int steps = 0;
        var trainer = new LocalTrainer(s_model, s_lora);
        var options = new TrainingOptions { Steps = 100 };
        Assert.Throws<OperationCanceledException>(() => trainer.Train(adapter, s_examples, options, new RandomStream(1, "x"), CancelAtThird, source.Token));
        Assert.Equal(3, steps);
        Assert.Equal(start, adapter);

        void CancelAtThird(TrainingStep step)
        {
            if (++steps == 3) source.Cancel();
        }
    }

    [Fact]
    public void A_loss_that_is_not_finite_is_an_outcome()
    {
        float[] adapter = NewAdapter(s_lora);
        adapter[^1] = float.NaN;
        float[] start = [.. adapter];
        TrainingResult result = Train(new LocalTrainer(s_model, s_lora), adapter, new TrainingOptions { Steps = 5 });
        Assert.Equal(TrainingOutcome.NonFiniteLoss, result.Outcome);
        Assert.Equal(0, result.Steps);
        Assert.Equal(start, adapter);
    }

    [Fact]
    public void A_gradient_that_overflows_is_an_outcome()
    {
        // B = 0 hides the scale from the loss, but not from B's gradient.
        LoraOptions lora = s_lora with { Alpha = 1e30 };
        float[] start = NewAdapter(lora), adapter = [.. start];
        TrainingResult result = Train(new LocalTrainer(s_model, lora), adapter, new TrainingOptions { Steps = 5 });
        Assert.Equal(TrainingOutcome.NonFiniteGradient, result.Outcome);
        Assert.Equal(start, adapter);
    }

    [Fact]
    public void Tokens_and_steps_are_counted_and_reported()
    {
        var reports = new List<TrainingStep>();
        var options = new TrainingOptions { Epochs = 2, BatchSize = 7 };
        TrainingResult result = new LocalTrainer(s_model, s_lora).Train(NewAdapter(s_lora), s_examples, options, new RandomStream(1, "x"), reports.Add, Cancel);
        Assert.Equal(12, result.Steps);   // 2 · ⌈40/7⌉
        Assert.Equal(2 * s_examples.Sum(e => e.AnswerTokens), result.Terms);
        Assert.Equal(2 * s_examples.Sum(e => e.Tokens.Length - 1), result.Tokens);
        Assert.Equal(Enumerable.Range(1, 12), reports.Select(r => r.Step));
        Assert.All(reports, r => Assert.True(r.GradientNorm > 0 && r.Loss > 0));
    }

    [Fact]
    public void Bad_input_is_refused_by_name()
    {
        var trainer = new LocalTrainer(s_model, s_lora);
        float[] adapter = NewAdapter(s_lora);
        Refuses("adapter", () => Train(trainer, new float[3], new TrainingOptions()));
        Refuses("examples", () => trainer.Train(adapter, [], new TrainingOptions(), new RandomStream(1, "x"), cancellation: Cancel));
        Refuses("LearningRate is 0", () => Train(trainer, adapter, new TrainingOptions { LearningRate = 0 }));
        Refuses("example 0: PromptLength: expected 1 to 2, found 3", () => TrainOn(new Example([1, 2, 3], 3, "", "")));
        Refuses("example 0: token 2: expected 0 to 63, found 64", () => TrainOn(new Example([1, 2, 64], 1, "", "")));
        Refuses("Rank is 0; expected 1 to 1024", (s_lora with { Rank = 0 }).Validate);

        void TrainOn(Example example) => trainer.Train(adapter, [example], new TrainingOptions(), new RandomStream(1, "x"), cancellation: Cancel);
    }

    private static void Refuses(string message, Action action)
        => Assert.Contains(message, Assert.Throws<ArgumentException>(action).Message, StringComparison.Ordinal);

    private static TrainingResult Train(LocalTrainer trainer, float[] adapter, TrainingOptions options)
        => trainer.Train(adapter, s_examples, options, new RandomStream(2, "job"), cancellation: Cancel);

    private static float[] NewAdapter(LoraOptions lora) => LoraInitialization.Create(lora.LayoutFor(TinyModel.Small), seed: 4);
}
