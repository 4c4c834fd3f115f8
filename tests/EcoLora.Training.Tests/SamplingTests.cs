using EcoLora.Numerics;

namespace EcoLora.Training.Tests;

public class SamplingTests
{
    private static readonly LlamaModel s_model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));

    /// <summary>Logits whose softmax is 1/16, 1/2, 1/8, 1/16, 1/4, whatever is added to all.</summary>
    private static readonly float[] s_logits = [.. new[] { 1.0, 8, 2, 1, 4 }.Select(weight => (float)(Math.Log(weight) - 3))];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>99.9% of χ² with 4 degrees of freedom lie below 18.47; counts of a temperature 20% off lie far above.</summary>
    [Theory]
    [InlineData(1.0)]
    [InlineData(0.7)]
    [InlineData(2.5)]
    public void Tokens_are_drawn_in_proportion_to_the_softmax_at_the_temperature(double temperature)
    {
        int[] counts = Counts(new SamplingOptions(temperature), 40_000);
        Assert.InRange(ChiSquare(counts, Softmax(temperature)), 0, 18.47);
        Assert.InRange(ChiSquare(counts, Softmax(temperature * 1.2)), 50, double.PositiveInfinity);
    }

    [Theory]
    [InlineData(1.0, 0.001, 1)]
    [InlineData(1.0, 0.49, 1)]
    [InlineData(1.0, 0.51, 2)]      // 1/2 + 1/4
    [InlineData(1.0, 0.74, 2)]
    [InlineData(1.0, 0.76, 3)]      // + 1/8
    [InlineData(1.0, 0.88, 4)]      // + 1/16: of the two, the lower id
    [InlineData(1.0, 0.94, 5)]
    [InlineData(1.0, 0.999, 5)]
    [InlineData(0.5, 0.76, 2)]      // squares: 64, 16, 4, 1, 1 of 86, so that 0.744 + 0.186 are enough
    [InlineData(0.5, 0.74, 1)]
    public void The_nucleus_is_the_fewest_tokens_that_reach_top_p(double temperature, double topP, int size)
    {
        int[] order = [1, 4, 2, 0, 3], kept = order[..size];
        int[] counts = Counts(new SamplingOptions(temperature, topP), 20_000);
        Assert.Equal(kept.Order(), Enumerable.Range(0, 5).Where(id => counts[id] > 0));
        double[] all = Softmax(temperature), renormalized = [.. all.Select((p, id) => kept.Contains(id) ? p / kept.Sum(each => all[each]) : 0)];
        Assert.InRange(ChiSquare(counts, renormalized), 0, 18.47);
    }

    [Fact]
    public void Temperature_0_takes_the_largest_logit_and_the_lowest_id_on_a_tie()
    {
        var sampler = new TokenSampler(SamplingOptions.Greedy);
        var stream = new RandomStream(1, "unread");
        Assert.Equal(1, sampler.Choose(s_logits, stream));
        Assert.Equal(2, sampler.Choose([0, -1, 5, 5, 3], stream));
        Assert.Equal(new RandomStream(1, "unread").NextUInt64(), stream.NextUInt64());
    }

    [Theory]
    [InlineData(double.Epsilon, 1)]
    [InlineData(1e-12, 0.5)]
    public void A_temperature_near_0_is_nearly_greedy(double temperature, double topP)
    {
        Assert.Equal(100, Counts(new SamplingOptions(temperature, topP), 100)[1]);
    }

    [Theory]
    [InlineData(float.NaN, 0)]
    [InlineData(float.PositiveInfinity, 3)]
    public void Logits_that_are_not_finite_do_no_harm(float odd, int choice)
    {
        foreach (double topP in new[] { 1, 0.5 })
        {
            float[] logits = [odd == float.PositiveInfinity ? 1 : odd, 2, 3, odd];
            Assert.Equal(choice, new TokenSampler(new SamplingOptions(1, topP)).Choose(logits, new RandomStream(1, "test")));
        }
    }

    /// <summary>The first token after one prompt, 6000 times, against the likelihoods that evaluation gives it: 99.9% of χ² with 63 degrees of freedom
    /// lie below 103.4.</summary>
    [Fact]
    public void Generation_draws_what_the_model_says()
    {
        int[] prompt = [1, 5, 9];
        double[] losses = Evaluator.Losses(s_model, [.. Enumerable.Range(0, 64).Select(token => new Example([.. prompt, token], 3, "", ""))], 1, null, Cancel);
        int[][] answers = Generator.GenerateAll(
            s_model, [.. Enumerable.Repeat(prompt, 6_000)], 1, [], new SamplingOptions(Temperature: 0.25), threads: 2, cancellation: Cancel);
        int[] counts = new int[64];
        foreach (int[] answer in answers) counts[Assert.Single(answer)]++;
        double[] weights = [.. losses.Select(loss => Math.Exp(-loss / 0.25))];
        Assert.InRange(ChiSquare(counts, [.. weights.Select(weight => weight / weights.Sum())]), 0, 103.4);
        double[] atOne = [.. losses.Select(loss => Math.Exp(-loss))];
        Assert.InRange(ChiSquare(counts, atOne), 200, double.PositiveInfinity);
    }

    [Fact]
    public void Draws_depend_on_the_seed_and_the_prompt_s_number_only()
    {
        List<int[]> prompts = [.. TinyModel.Counting(75, TinyModel.Small.Vocabulary, "prompts").Select(example => example.Tokens[..(2 + example.Tokens.Length % 5)])];
        var sampling = new SamplingOptions(1, 0.9, Seed: 7);
        int[][] one = All(prompts, sampling, threads: 1);
        Assert.Equal(one, All(prompts, sampling, threads: 8));
        Assert.Equal(one[..10], All(prompts[..10], sampling, threads: 1));
        Assert.Equal(one[0], Generator.Generate(s_model, prompts[0], 12, [7], sampling, cancellation: Cancel));
        Assert.NotEqual(one, All(prompts, sampling with { Seed = 8 }, threads: 1));
        int[][] twins = All([prompts[0], prompts[0]], sampling, threads: 1);
        Assert.NotEqual(twins[0], twins[1]);
        Assert.Equal(All(prompts, SamplingOptions.Greedy, threads: 1), All(prompts, new SamplingOptions(0, 0.5, 9), threads: 1));
    }

    [Theory]
    [InlineData(-0.1, 1)]
    [InlineData(double.NaN, 1)]
    [InlineData(double.PositiveInfinity, 1)]
    [InlineData(1, 0)]
    [InlineData(1, 1.1)]
    [InlineData(1, double.NaN)]
    public void Options_outside_their_range_are_refused(double temperature, double topP)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Generator.Generate(s_model, [1], 1, [], new SamplingOptions(temperature, topP), cancellation: Cancel));
    }

    private static int[][] All(IReadOnlyList<int[]> prompts, SamplingOptions sampling, int threads) =>
        Generator.GenerateAll(s_model, prompts, 12, [7], sampling, threads, cancellation: Cancel);

    private static int[] Counts(SamplingOptions options, int draws)
    {
        var sampler = new TokenSampler(options);
        var stream = new RandomStream(3, "draws");
        int[] counts = new int[s_logits.Length];
        for (int i = 0; i < draws; i++) counts[sampler.Choose(s_logits, stream)]++;
        return counts;
    }

    private static double[] Softmax(double temperature)
    {
        double[] weights = [.. s_logits.Select(logit => Math.Exp(logit / temperature))];
        return [.. weights.Select(weight => weight / weights.Sum())];
    }

    /// <summary>Σ (observed − expected)²/expected over what can be observed.</summary>
    private static double ChiSquare(int[] counts, double[] probabilities)
    {
        double total = counts.Sum();
        return counts.Select((count, i) => probabilities[i] == 0 ? 0 : Math.Pow(count - total * probabilities[i], 2) / (total * probabilities[i])).Sum();
    }
}
