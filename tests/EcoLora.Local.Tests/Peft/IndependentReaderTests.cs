using EcoLora.Formats.HuggingFace;
using EcoLora.Formats.Peft;
using EcoLora.Formats.Safetensors;
using EcoLora.Numerics;
using EcoLora.TestKit;
using EcoLora.Training;

namespace EcoLora.Local.Tests;

/// <summary>Adapters written here have the same logits in an independent reader, merged or not.</summary>
public sealed class IndependentReaderTests : IDisposable
{
    private const double Tolerance = 1e-4;
    private static readonly string[] All = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
    private static readonly int[] Tokens = [1, 72, 105, 7, 7, 200, 31, 5, 99, 180, 254, 16, 64, 3, 128, 77];

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, bool, bool, string, ModelFamily, bool, TensorType> Cases => new()
    {
        { "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj", false, true, "none", ModelFamily.Llama, false, TensorType.F32 },
        { "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj", true, false, "llama3", ModelFamily.Llama, true, TensorType.BF16 },
        { "k_proj o_proj up_proj", true, true, "linear", ModelFamily.Qwen2, true, TensorType.F16 },
        { "q_proj v_proj", false, false, "none", ModelFamily.Mistral, false, TensorType.F32 },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public void Logits_of_a_random_model_are_the_same(
        string targets, bool rslora, bool tied, string scaling, ModelFamily family, bool biases, TensorType type)
    {
        ModelConfig config = RandomModel.Config(tied, ScalingOf(scaling), family, biases);
        RandomModel.Write(_folder["base"], config, type);
        double[][] ours = Compare(_folder["base"], RandomModel.Adapter(config, targets.Split(' '), rslora, 0.3));
        double[][] otherwise = Compare(_folder["base"], RandomModel.Adapter(config, targets.Split(' '), !rslora, 0.3));
        Assert.InRange(Distance(ours, otherwise), 0.1, 100);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Logits_of_a_published_model_are_the_same(bool rslora)
    {
        string model = SharedData.Path("model/stories260K-hf");
        Compare(model, RandomModel.Adapter(ModelFolder.ReadConfig(model), All, rslora, 0.1));
    }

    [Fact]
    public void A_merged_model_has_the_logits_of_the_base_with_the_adapter()
    {
        ModelConfig config = RandomModel.Config(tied: false, ScalingOf("llama3"));
        RandomModel.Write(_folder["base"], config, TensorType.BF16);
        RandomModel.Adapter(config, All, rslora: true, 0.3).Write(_folder["adapter"]);
        double[][] expected = IndependentReader.Logits(_folder["base"], _folder["adapter"], Tokens);
        Assert.InRange(Distance(expected, Merged(TensorType.F32)), 0, 1e-5);
        // Twice the largest of 32 random models of this shape whose weights numpy had rounded (F16 0.032, BF16 0.28); without the adapter it is about 7.
        Assert.InRange(Distance(expected, Merged(TensorType.F16)), 1e-5, 0.064);
        Assert.InRange(Distance(expected, Merged(TensorType.BF16)), 1e-4, 0.56);
        Assert.Equal(Merged(TensorType.BF16), Merged(null));

        double[][] Merged(TensorType? type)
        {
            using (var merge = AdapterMerge.Open(_folder["base"], _folder["adapter"], type)) merge.Write(_folder["merged"], cancellation: Cancel);
            double[][] logits = Engine(_folder["merged"], null);
            Assert.InRange(Distance(IndependentReader.Logits(_folder["merged"], null, Tokens), logits), 0, Tolerance);
            return logits;
        }
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static RopeScaling? ScalingOf(string name) => name switch
    {
        "linear" => new RopeScaling.Linear(2.5),
        "llama3" => new RopeScaling.Llama3(8, 1, 4, 32), // with θ = 100: one frequency stays, one is blended, two are slowed
        _ => null,
    };

    /// <summary>Writes the adapter and compares the logits of both readers, and with those of the base alone.</summary>
    private double[][] Compare(string model, PeftAdapter adapter)
    {
        adapter.Write(_folder["adapter"]);
        double[][] ours = Engine(model, _folder["adapter"]);
        Assert.InRange(Distance(IndependentReader.Logits(model, _folder["adapter"], Tokens), ours), 0, Tolerance);
        Assert.InRange(Distance(IndependentReader.Logits(model, null, Tokens), ours), 0.1, 100);
        return ours;
    }

    private static double[][] Engine(string modelFolder, string? adapterFolder)
    {
        using ModelFolder folder = ModelFolder.Open(modelFolder);
        LlamaModel model = LlamaModel.Load(folder);
        if (adapterFolder is not null)
        {
            (LoraOptions options, float[] vector) = AdapterVector.Of(PeftAdapter.Read(adapterFolder), model.Config, adapterFolder);
            model = model.WithAdapter(options, vector);
        }
        var pass = new CachedPass(model);
        pass.Start(Tokens.Length, 1);
        return [.. Tokens.Select(token =>
        {
            pass.Append(0, [token]);
            pass.Step();
            return pass.Logits.ToArray().Select(logit => (double)logit).ToArray();
        })];
    }

    /// <summary>The largest difference of two logits.</summary>
    private static double Distance(double[][] first, double[][] second)
    {
        Assert.Equal(first.Select(row => row.Length), second.Select(row => row.Length));
        return first.Zip(second).Max(rows => rows.First.Zip(rows.Second).Max(pair => Math.Abs(pair.First - pair.Second)));
    }
}
