using System.Text.Json;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Training.Tests;

/// <summary>Against PyTorch in double precision: tools/golden/training_golden.py.</summary>
public class GoldenTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static readonly string s_file = Path.Combine(Repository.Root, "tests", "EcoLora.Training.Tests", "golden", "training.json");
    private static readonly JsonElement s_golden = JsonDocument.Parse(File.ReadAllBytes(s_file)).RootElement;

    private static LlamaConfig Config { get; } = new()
    {
        HiddenSize = Int("config", "hidden"),
        IntermediateSize = Int("config", "intermediate"),
        Layers = Int("config", "layers"),
        Heads = Int("config", "heads"),
        KeyValueHeads = Int("config", "kv_heads"),
        HeadSize = Int("config", "head_size"),
        Vocabulary = Int("config", "vocabulary"),
        MaxPositions = 64,
        NormEpsilon = Double("config", "epsilon"),
        RopeTheta = Double("config", "theta"),
    };

    private static LoraOptions Lora { get; } = new(Int("lora", "rank"), Double("lora", "alpha"), LoraTargets.All);

    private static List<Example> Examples { get; } =
    [
        .. s_golden.GetProperty("examples").EnumerateArray().Select(e =>
            new Example([.. e.GetProperty("tokens").EnumerateArray().Select(t => t.GetInt32())], e.GetProperty("prompt").GetInt32(), "", "")),
    ];

    private static TrainingOptions Options { get; } = new()
    {
        Steps = Int("adamw", "steps"),
        BatchSize = 3,
        LearningRate = Double("adamw", "learning_rate"),
        WeightDecay = Double("adamw", "weight_decay"),
        Beta1 = Double("adamw", "beta1"),
        Beta2 = Double("adamw", "beta2"),
        Epsilon = Double("adamw", "epsilon"),
        ClipNorm = Double("adamw", "clip_norm"),
    };

    [Fact]
    public void Loss_and_all_gradients_match()
    {
        (LlamaPass<double> pass, Batch batch) = DoublePass();
        double[] adapter = Vector("adapter"), adapterGradient = new double[adapter.Length], baseGradient = new double[Vector("weights").Length];
        double loss = pass.LossAndGradient(batch, batch.Scored, adapter, adapterGradient, baseGradient, null, Cancel) / batch.Scored;
        Assert.Equal(s_golden.GetProperty("loss").GetDouble(), loss, 1e-12);
        AssertClose(Vector("adapter_gradient"), adapterGradient, 1e-10);
        AssertClose(Vector("base_gradient"), baseGradient, 1e-8);
    }

    [Fact]
    public void The_float_pass_matches_to_its_rounding()
    {
        float[] weights = Floats("weights"), adapter = Floats("adapter"), gradient = new float[adapter.Length];
        foreach (SimdPath path in new[] { SimdPath.Scalar, SimdPath.Vector128, SimdPath.Vector256, SimdPath.Vector512 })
        {
            var pass = new LlamaPass<float>(LlamaWeights<float>.In(Config, ParameterLayout.Of(Config), weights), new LoraPlan(Config, Lora), PassMemory.All,
                path);
            var batch = new Batch();
            batch.Fill(Examples, [0, 1, 2], Config.Vocabulary);
            gradient.AsSpan().Clear();
            Assert.Equal(s_golden.GetProperty("loss").GetDouble(), pass.LossAndGradient(batch, batch.Scored, adapter, gradient, [], null, Cancel) / batch.Scored, 2e-6);
            AssertClose(Vector("adapter_gradient"), [.. gradient.Select(x => (double)x)], 2e-6);
        }
    }

    [Fact]
    public void Steps_of_the_optimiser_match()
    {
        (LlamaPass<double> pass, Batch batch) = DoublePass();
        double[] adapter = Vector("adapter"), gradient = new double[adapter.Length], m = new double[adapter.Length], v = new double[adapter.Length];
        double[] losses = Vector("step_losses");
        for (int step = 0; step < losses.Length; step++)
        {
            gradient.AsSpan().Clear();
            Assert.Equal(losses[step], pass.LossAndGradient(batch, batch.Scored, adapter, gradient, [], null, Cancel) / batch.Scored, 1e-6);
            double norm = Math.Sqrt(VectorMath.SumOfSquares<double>(gradient));
            Assert.True(norm > Options.ClipNorm, "the golden run clips");
            double scale = Options.ClipNorm / norm;
            var update = new AdamStep(Options.LearningRate, Options.Beta1, Options.Beta2, Options.Epsilon, Options.WeightDecay, scale, step + 1);
            update.Apply<double>(adapter, gradient, m, v);
        }
        AssertClose(Vector("trained"), adapter, 1e-6);   // PyTorch clips by max/(norm + 1e-6)
    }

    [Fact]
    public void The_trainer_makes_the_same_steps()
    {
        LlamaModel model = LlamaModel.Of(Config, Floats("weights"));
        float[] adapter = Floats("adapter");
        TrainingResult result = new LocalTrainer(model, Lora).Train(adapter, Examples, Options, new RandomStream(1, "golden"),
            cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(TrainingOutcome.Completed, result.Outcome);
        Assert.Equal(Options.Steps, result.Steps);
        Assert.Equal(Vector("step_losses").Average(), result.MeanLoss, 1e-5);
        AssertClose(Vector("trained"), [.. adapter.Select(x => (double)x)], 1e-4);
    }

    private static (LlamaPass<double> Pass, Batch Batch) DoublePass()
    {
        var batch = new Batch();
        batch.Fill(Examples, [0, 1, 2], Config.Vocabulary);
        var weights = LlamaWeights<double>.In(Config, ParameterLayout.Of(Config), Vector("weights"));
        return (new LlamaPass<double>(weights, new LoraPlan(Config, Lora), PassMemory.All), batch);
    }

    private static void AssertClose(double[] expected, double[] found, double tolerance)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - found[i]) <= tolerance, $"entry {i}: expected {expected[i]:R}, found {found[i]:R}");
    }

    private static int Int(string group, string name) => s_golden.GetProperty(group).GetProperty(name).GetInt32();

    private static double Double(string group, string name) => s_golden.GetProperty(group).GetProperty(name).GetDouble();

    private static double[] Vector(string name) => [.. s_golden.GetProperty(name).EnumerateArray().Select(x => x.GetDouble())];

    private static float[] Floats(string name) => [.. Vector(name).Select(x => (float)x)];
}
