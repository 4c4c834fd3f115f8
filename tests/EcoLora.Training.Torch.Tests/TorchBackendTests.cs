using EcoLora.Numerics;
using EcoLora.Training.Tests;
using TorchSharp;

// One after the other: tensors of all threads are counted together, and libtorch has threads of its own.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace EcoLora.Training.Torch.Tests;

/// <summary>libtorch on the processor, in binary32.</summary>
public sealed class TorchOnTheProcessorTests : SecondBackendConformance
{
    private static readonly TorchBackend _backend = new(new TorchOptions(TorchDevice.Cpu));

    /// <inheritdoc/>
    protected override IModelBackend Backend => _backend;
}

/// <summary>What libtorch brings with it.</summary>
public sealed class TorchBackendTests
{
    private static readonly LlamaModel _model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));
    private static readonly LoraOptions _lora = new(Rank: 4, Alpha: 8, LoraTargets.All);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_step_leaves_no_tensor_behind(bool recomputes)
    {
        var trainer = new LocalTrainer(_model, _lora with { Dropout = 0.1 }, new ComputeOptions(1, recomputes), new TorchBackend(new TorchOptions(TorchDevice.Cpu)));
        var counts = new List<long>();
        trainer.Train(
            new float[trainer.Layout.Length], TinyModel.Counting(60, TinyModel.Small.Vocabulary, "train"), new TrainingOptions { Steps = 12, BatchSize = 50 }, new RandomStream(3, "job"),
            _ => counts.Add(torch.Tensor.TotalCount), Cancel);
        Assert.Equal(12, counts.Count);
        // Other tests' collected tensors may make it fall.
        Assert.All(counts.Skip(1), count => Assert.True(count <= counts[0], $"{counts[0]} tensors after the first step, {count} after a later one"));
    }

    [Fact]
    public void A_device_that_is_not_there_is_refused_by_name()
    {
        Assert.SkipWhen(torch.cuda.is_available(), "there is one");
        Assert.StartsWith("torch.device: expected a CUDA device, found none", Assert.Throws<ModelException>(() => new TorchBackend(new TorchOptions(TorchDevice.Cuda))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bfloat16_base_learns_nearly_as_a_binary32_one()
    {
        List<Example> examples = TinyModel.Counting(60, TinyModel.Small.Vocabulary, "train");
        double[] losses = [.. new[] { TorchPrecision.Float32, TorchPrecision.BFloat16 }.Select(precision =>
        {
            var trainer = new LocalTrainer(_model, _lora, null, new TorchBackend(new TorchOptions(TorchDevice.Cpu, precision)));
            float[] adapter = [.. TinyModel.Doubles(trainer.Layout.Length, 0.05, "adapter").Select(value => (float)value)];
            double last = double.NaN;
            TrainingResult result = trainer.Train(adapter, examples, new TrainingOptions { Steps = 60, BatchSize = 20, LearningRate = 1e-2 }, new RandomStream(3, "job"), step => last = step.Loss, Cancel);
            Assert.Equal(TrainingOutcome.Completed, result.Outcome);
            return last;
        })];
        Assert.True(losses[0] < 3.8, $"{losses[0]}");
        Assert.Equal(losses[0], losses[1], 0.03 * losses[0]);
        Assert.NotEqual(losses[0], losses[1]);
    }

    [Fact]
    public void What_cannot_fit_is_refused_before_it_is_asked_for() =>
        Assert.Matches("^engine: expected 1000000000 MB free on cpu for all the world, found [0-9]+ MB$",
            Assert.Throws<ModelException>(() => DeviceMemory.Expect(torch.CPU, 1_000_000_000_000_000, "all the world")).Message);

    [Fact]
    public void A_wrong_length_is_refused()
    {
        var backend = new TorchBackend(new TorchOptions(TorchDevice.Cpu));
        Assert.Throws<ArgumentException>(() => backend.Tuned(_model, _lora, new float[3]));
        Assert.Throws<ArgumentException>(() => new LocalTrainer(_model, _lora, null, backend).Train(
            new float[3], TinyModel.Counting(4, TinyModel.Small.Vocabulary, "train"), new TrainingOptions { Steps = 1 }, new RandomStream(3, "job"), null, Cancel));
        Assert.Throws<ArgumentException>(() => Evaluator.Evaluate(backend.Plain(_model), [new Example([1, 5, TinyModel.Small.Vocabulary], 1, "", "")], cancellation: Cancel));
    }
}
