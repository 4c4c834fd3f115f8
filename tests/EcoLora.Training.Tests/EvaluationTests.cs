using EcoLora.Numerics;

namespace EcoLora.Training.Tests;

public class EvaluationTests
{
    private static readonly LlamaModel s_model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));
    private static readonly List<Example> s_examples = TinyModel.Counting(75, TinyModel.Small.Vocabulary, "held-out");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        EvaluationResult one = Evaluator.Evaluate(s_model, s_examples, 1, cancellation: Cancel);
        foreach (int threads in new[] { 2, 8 })
        {
            EvaluationResult many = Evaluator.Evaluate(s_model, s_examples, threads, cancellation: Cancel);
            Assert.Equal(one.Overall, many.Overall);
            Assert.Equal(one.ByCategory, many.ByCategory);
        }
    }

    [Fact]
    public void Categories_add_up_to_the_whole()
    {
        EvaluationResult result = Evaluator.Evaluate(s_model, s_examples, cancellation: Cancel);
        Assert.Equal(["even", "odd"], result.ByCategory.Select(c => c.Key));
        Assert.Equal(result.Overall.Tokens, result.ByCategory.Sum(c => c.Value.Tokens));
        Assert.Equal(s_examples.Count, result.ByCategory.Sum(c => c.Value.Examples));
        Assert.Equal(result.Overall.MeanLoss, result.ByCategory.Sum(c => c.Value.MeanLoss * c.Value.Tokens) / result.Overall.Tokens, 1e-12);
        Assert.InRange(result.Overall.MeanLoss, 4.0, 4.4);   // ln 64 = 4.16
    }

    [Fact]
    public void The_standard_error_is_that_of_a_ratio_of_examples()
    {
        // Each example alone gives its loss and tokens; by hand from these.
        LossScore[] each = [.. s_examples.Select(example => Evaluator.Evaluate(s_model, [example], cancellation: Cancel).Overall)];
        LossScore all = Evaluator.Evaluate(s_model, s_examples, cancellation: Cancel).Overall;
        double tokens = each.Sum(score => score.Tokens), mean = each.Sum(score => score.MeanLoss * score.Tokens) / tokens;
        double squares = each.Sum(score => Math.Pow((score.MeanLoss - mean) * score.Tokens, 2));
        Assert.Equal(Math.Sqrt(75.0 / 74 * squares) / tokens, all.StandardError, 1e-7);
        Assert.Equal(Math.Exp(mean), all.Perplexity, 1e-4);
        Assert.All(each, score => Assert.True(double.IsNaN(score.StandardError)));
    }

    [Fact]
    public void The_standard_error_is_how_much_the_loss_of_samples_varies()
    {
        const int Samples = 400, Size = 25;
        List<Example> population = TinyModel.Counting(Samples * Size, TinyModel.Small.Vocabulary, "population");
        LossScore[] scores =
            [.. Enumerable.Range(0, Samples).Select(i => Evaluator.Evaluate(s_model, population.GetRange(i * Size, Size), cancellation: Cancel).Overall)];
        double mean = scores.Average(score => score.MeanLoss);
        double deviation = Math.Sqrt(scores.Sum(score => Math.Pow(score.MeanLoss - mean, 2)) / (Samples - 1));
        // The deviation of 400 means is known to 1/√800 = 3.5%.
        Assert.InRange(Math.Sqrt(scores.Average(score => score.StandardError * score.StandardError)) / deviation, 0.89, 1.11);
    }

    [Theory]
    [InlineData(1, 4, 0.25, 0.25)]            // √(1/4·3/4/3)
    [InlineData(50, 101, 0.4950495, 0.0499975)]
    [InlineData(0, 5, 0, 0)]
    [InlineData(1, 1, 1, double.NaN)]
    [InlineData(0, 0, double.NaN, double.NaN)]
    public void The_standard_error_of_a_proportion(int successes, int count, double value, double error)
    {
        Proportion proportion = Proportion.Of(Enumerable.Range(0, count).Select(i => i < successes));
        Assert.Equal(new Proportion(successes, count), proportion);
        Assert.Equal(value, proportion.Value, 1e-7);
        Assert.Equal(error, proportion.StandardError, 1e-7);
    }

    [Fact]
    public void Progress_adds_up_to_all_examples_on_any_number_of_threads()
    {
        foreach (int threads in new[] { 1, 4 })
        {
            int done = 0, calls = 0;
            Evaluator.Evaluate(s_model, s_examples, threads, more => (_, _) = (Interlocked.Add(ref done, more), Interlocked.Increment(ref calls)), Cancel);
            Assert.Equal((75, 5), (done, calls));   // groups of 16
        }
    }

    [Fact]
    public void A_merged_adapter_scores_as_the_adapter_beside_the_model()
    {
        var lora = new LoraOptions(4, 8, LoraTargets.All, RsLora: true);
        float[] adapter = [.. TinyModel.Doubles(lora.LayoutFor(TinyModel.Small).Length, 0.1, "adapter").Select(x => (float)x)];
        double merged = Evaluator.Evaluate(s_model.WithAdapter(lora, adapter), s_examples, cancellation: Cancel).Overall.MeanLoss;
        var pass = new LlamaPass<float>(s_model.Weights, new LoraPlan(TinyModel.Small, lora), PassMemory.None);
        var batch = new Batch();
        batch.Fill(s_examples, [.. Enumerable.Range(0, s_examples.Count)], TinyModel.Small.Vocabulary);
        double beside = pass.Loss(batch, adapter, Cancel) / batch.Scored;
        Assert.Equal(beside, merged, 1e-5);
        Assert.NotEqual(Evaluator.Evaluate(s_model, s_examples, cancellation: Cancel).Overall.MeanLoss, merged, 1e-3);
    }

    [Fact]
    public void No_examples_give_no_loss()
    {
        EvaluationResult result = Evaluator.Evaluate(s_model, [], cancellation: Cancel);
        Assert.True(double.IsNaN(result.Overall.MeanLoss));
        Assert.Equal(0, result.Overall.Tokens);
        Assert.Empty(result.ByCategory);
    }

    [Fact]
    public void A_malformed_example_is_refused_on_any_number_of_threads()
    {
        List<Example> examples = [.. s_examples, new Example([1, 99], 1, "", "")];
        foreach (int threads in new[] { 1, 4 })
        {
            ArgumentException error = Assert.Throws<ArgumentException>(() => Evaluator.Evaluate(s_model, examples, threads, cancellation: Cancel));
            Assert.Contains("example 75: token 1", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Generation_does_not_depend_on_threads_or_neighbours()
    {
        List<int[]> prompts = [.. s_examples.Select(e => e.Tokens[..(2 + e.Tokens.Length % 5)])];
        int[][] one = Generator.GenerateAll(s_model, prompts, 12, [7], threads: 1, cancellation: Cancel);
        int[][] many = Generator.GenerateAll(s_model, prompts, 12, [7], threads: 8, cancellation: Cancel);
        Assert.Equal(one, many);
        for (int i = 0; i < prompts.Count; i += 9) Assert.Equal(one[i], Generator.Generate(s_model, prompts[i], 12, [7], cancellation: Cancel));
        Assert.All(one, answer => Assert.True(answer.Length <= 12 && !answer.Contains(7)));
    }

    [Fact]
    public void Generation_takes_the_most_likely_token_of_the_whole_pass()
    {
        int[] prompt = s_examples[0].Tokens[..4];
        int[] generated = Generator.Generate(s_model, prompt, 6, [], cancellation: Cancel);
        int[] all = [.. prompt, .. generated];
        for (int i = prompt.Length; i < all.Length; i++)
        {
            double best = double.PositiveInfinity;
            int likeliest = -1;
            for (int token = 0; token < TinyModel.Small.Vocabulary; token++)
            {
                double loss = Evaluator.Evaluate(s_model, [new Example([.. all[..i], token], i, "", "")], cancellation: Cancel).Overall.MeanLoss;
                if (loss < best) (best, likeliest) = (loss, token);
            }
            Assert.Equal(likeliest, all[i]);
        }
    }

    [Fact]
    public void Odd_requests_to_generate()
    {
        Assert.Empty(Generator.Generate(s_model, [1], 0, [], cancellation: Cancel));
        Assert.Empty(Generator.GenerateAll(s_model, [], 5, [], cancellation: Cancel));
        Assert.Throws<ArgumentException>(() => Generator.Generate(s_model, [], 5, [], cancellation: Cancel));
        Assert.Throws<ArgumentException>(() => Generator.Generate(s_model, [64], 5, [], cancellation: Cancel));
        Assert.Throws<ArgumentOutOfRangeException>(() => Generator.Generate(s_model, [1], -1, [], cancellation: Cancel));
        Assert.Throws<ArgumentOutOfRangeException>(() => Generator.Generate(s_model, [1], int.MaxValue, [], cancellation: Cancel));
    }
}
