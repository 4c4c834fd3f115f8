using System.IO.Compression;
using System.Text.Json;
using EcoLora.Formats.HuggingFace;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Training.Torch.Tests;

/// <summary>The shared model of 260,000 parameters on Dolly's records: fifty steps on libtorch beside fifty on the managed kernels.</summary>
public sealed class RealModelTests
{
    private const int Window = 96;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Fifty_steps_on_Dolly_follow_the_managed_kernels(bool recomputes)
    {
        using ModelFolder folder = ModelFolder.Open(SharedData.Path("model/stories260K-hf"));
        List<Example> examples = Records(folder, SharedData.Path("instruction/databricks-dolly-15k.jsonl.gz"), 120);
        LlamaModel model = LlamaModel.Load(folder);
        var lora = new LoraOptions(Rank: 16, Alpha: 32, LoraTargets.All);
        var options = new TrainingOptions { Steps = 50, BatchSize = 8, LearningRate = 2e-3 };
        List<double> managed = Losses(ManagedBackend.Instance), torch = Losses(new TorchBackend(new TorchOptions(TorchDevice.Cpu)));
        Assert.True(managed.TakeLast(10).Average() < managed.Take(10).Average() - 0.2, "nothing was learnt, so nothing is compared");
        for (int i = 0; i < managed.Count; i++)
            Assert.True(Math.Abs(managed[i] - torch[i]) <= 1e-4 * managed[i], $"step {i + 1}: expected {managed[i]:R}, found {torch[i]:R}");

        List<double> Losses(IModelBackend backend)
        {
            var losses = new List<double>();
            float[] adapter = EcoLoraStart(lora, model.Config);
            var trainer = new LocalTrainer(model, lora, new ComputeOptions(1, recomputes), backend);
            Assert.Equal(TrainingOutcome.Completed,
                trainer.Train(adapter, examples, options, new RandomStream(3, "job"), step => losses.Add(step.Loss), TestContext.Current.CancellationToken).Outcome);
            return losses;
        }
    }

    /// <summary>A drawn, B zero, as adapters begin.</summary>
    private static float[] EcoLoraStart(LoraOptions lora, LlamaConfig config)
    {
        Codec.LoraLayout layout = lora.LayoutFor(config);
        float[] adapter = new float[layout.Length];
        var stream = new RandomStream(1, "start");
        foreach (Codec.LoraTensor tensor in layout.Tensors.Where(tensor => tensor.Role == Codec.LoraRole.A))
            foreach (ref float value in tensor.In(adapter.AsSpan())) value = (float)(stream.NextGaussian() / Math.Sqrt(tensor.Columns));
        return adapter;
    }

    private static List<Example> Records(ModelFolder folder, string file, int count)
    {
        using var lines = new StreamReader(new GZipStream(File.OpenRead(file), CompressionMode.Decompress));
        var examples = new List<Example>();
        while (examples.Count < count && lines.ReadLine() is { } line)
        {
            JsonElement record = JsonElement.Parse(line);
            int[] prompt = [folder.BosId!.Value, .. folder.Tokenizer.Encode(record.GetProperty("instruction").GetString()! + "\n")];
            int[] tokens = [.. prompt, .. folder.Tokenizer.Encode(record.GetProperty("response").GetString()!), folder.EosId!.Value];
            if (prompt.Length < Window / 2) examples.Add(new Example(tokens.Length > Window ? tokens[..Window] : tokens, prompt.Length, "", ""));
        }
        return examples;
    }
}
