using EcoLora.Numerics;

namespace EcoLora.Training.Tests;

public class TrainingOptionsTests
{
    [Fact]
    public void Warm_up_then_cosine()
    {
        var options = new TrainingOptions { LearningRate = 2, WarmupSteps = 4, Schedule = LearningRateSchedule.Cosine };
        Assert.Equal([0.5, 1, 1.5, 2, 2], Enumerable.Range(0, 5).Select(step => options.LearningRateAt(step, 12)));
        Assert.Equal(1, options.LearningRateAt(8, 12), 1e-12);   // half of the 8 steps after the warm-up
        Assert.Equal(1 - Math.Sqrt(0.5), options.LearningRateAt(10, 12), 1e-12);
    }

    [Fact]
    public void A_constant_rate_stays()
    {
        var options = new TrainingOptions { LearningRate = 2, WarmupSteps = 2 };
        Assert.Equal([1, 2, 2, 2], Enumerable.Range(0, 4).Select(step => options.LearningRateAt(step, 4)));
    }

    [Fact]
    public void Steps_come_from_epochs_or_are_given()
    {
        Assert.Equal(6, new TrainingOptions { Epochs = 2, BatchSize = 4 }.StepsFor(9));
        Assert.Equal(5, new TrainingOptions { Steps = 5, Epochs = 2 }.StepsFor(9));
    }

    public static TheoryData<TrainingOptions, string> Bad => new()
    {
        { new() { Steps = 0 }, "Steps is 0; expected 1 to 2147483647" },
        { new() { Epochs = 0 }, "Epochs is 0; expected 1 to 100000" },
        { new() { BatchSize = 0 }, "BatchSize is 0; expected 1 to 65536" },
        { new() { LearningRate = double.NaN }, "LearningRate is NaN; expected a finite number above 0" },
        { new() { WarmupSteps = -1 }, "WarmupSteps is -1; expected 0 to 2147483647" },
        { new() { WeightDecay = -0.5 }, "WeightDecay is -0.5; expected a finite number of at least 0" },
        { new() { Beta1 = 1 }, "Beta1 is 1; expected a number from 0 to below 1" },
        { new() { Beta2 = -0.1 }, "Beta2 is -0.1; expected a number from 0 to below 1" },
        { new() { Epsilon = 0 }, "Epsilon is 0; expected a finite number above 0" },
        { new() { ClipNorm = double.PositiveInfinity }, "ClipNorm is Infinity; expected a finite number of at least 0" },
        { new() { Schedule = (LearningRateSchedule)9 }, "Schedule is 9; expected Constant or Cosine" },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void A_bad_option_is_named_with_value_and_limit(TrainingOptions options, string message)
        => Assert.Equal(message, Assert.Throws<ArgumentException>(options.Validate).Message);

    [Fact]
    public void Every_epoch_holds_every_example_once_in_batches_of_similar_length()
    {
        List<Example> examples = TinyModel.Counting(500, 64, "order");
        var order = new BatchOrder(examples, 8, new RandomStream(1, "batches"));
        var again = new BatchOrder(examples, 8, new RandomStream(1, "batches"));
        int[]? first = null;
        for (int epoch = 0; epoch < 2; epoch++)
        {
            var seen = new List<int>();
            int spread = 0;
            for (int batch = 0; batch < 63; batch++)
            {
                int[] chosen = order.Next().ToArray();
                Assert.Equal(chosen, again.Next().ToArray());
                seen.AddRange(chosen);
                spread += chosen.Max(i => examples[i].Tokens.Length) - chosen.Min(i => examples[i].Tokens.Length);
            }
            Assert.Equal(Enumerable.Range(0, 500), seen.Order());
            Assert.InRange(spread / 63.0, 0, 4);   // of 19
            if (first is null) first = [.. seen];
            else Assert.NotEqual(first, seen);
        }
    }

    [Theory]
    [InlineData(8, 1, 8)]
    [InlineData(8, 3, 2)]
    [InlineData(8, 100, 1)]
    [InlineData(1, 4, 1)]
    [InlineData(4, 0, 4)]
    public void A_machine_s_threads_are_shared_among_its_jobs(int threads, int jobs, int each)
        => Assert.Equal(new ComputeOptions(each, true), ComputeOptions.Shared(threads, jobs, recomputesLayers: true));

    [Fact]
    public void Threads_have_a_limit()
        => Assert.Contains("Threads", Assert.Throws<ArgumentException>(() => new ComputeOptions(0).Validate()).Message, StringComparison.Ordinal);
}
