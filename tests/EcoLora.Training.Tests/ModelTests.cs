using EcoLora.Codec;
using EcoLora.Formats.Safetensors;
using EcoLora.Numerics;

namespace EcoLora.Training.Tests;

public class ModelTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void A_saved_model_loads_as_it_was()
    {
        LlamaModel model = LlamaModel.Random(TinyModel.Config(tied: false), new RandomStream(1, "weights"));
        Dictionary<string, SafetensorsTensor> saved = model.Tensors().ToDictionary(t => t.Name);
        LlamaModel loaded = LlamaModel.Load(model.Config, tensor =>
        {
            Assert.Equal(tensor.Shape, saved[tensor.Name].Shape);
            Assert.Equal(tensor.Name.EndsWith("norm.weight", StringComparison.Ordinal) ? 1 : 2, tensor.Shape.Count);
            return new WeightMemory<float>(saved[tensor.Name].Data);
        });
        Assert.Equal(model.CopyParameters(), loaded.CopyParameters());
        Assert.Contains("lm_head.weight", saved.Keys);
    }

    [Fact]
    public void A_random_model_has_the_stated_deviations()
    {
        LlamaModel model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));
        Deviation("model.embed_tokens.weight", 0.02);
        Deviation("model.layers.0.mlp.gate_proj.weight", 0.02);
        Deviation("model.layers.1.mlp.down_proj.weight", 0.02 / Math.Sqrt(4));
        Deviation("model.layers.1.self_attn.o_proj.weight", 0.02 / Math.Sqrt(4));
        Assert.All(model.Tensors().Single(t => t.Name == "model.norm.weight").Data.ToArray(), gain => Assert.Equal(1f, gain));

        void Deviation(string name, double expected)
        {
            float[] values = model.Tensors().Single(t => t.Name == name).Data.ToArray();
            Assert.InRange(Math.Sqrt(values.Average(x => x * x)), expected * 0.9, expected * 1.1);
        }
    }

    [Fact]
    public void Weights_that_are_not_finite_are_refused_by_name()
    {
        foreach (float bad in (float[])[float.NaN, float.NegativeInfinity])
        {
            foreach (WeightFormat format in Enum.GetValues<WeightFormat>())
            {
                ModelException error = Assert.Throws<ModelException>(() => LlamaModel.Load(TinyModel.Config(), Source(format, bad)));
                Assert.Equal("tensor 'model.layers.1.mlp.up_proj.weight': expected finite weights, found NaN or infinity", error.Message);
            }
        }

        static WeightSource Source(WeightFormat format, float last) => tensor =>
        {
            float[] values = new float[tensor.Length];
            if (tensor.Name == "model.layers.1.mlp.up_proj.weight") values[^1] = last;
            return Stored(values, format);
        };
    }

    [Theory]
    [InlineData(WeightFormat.Half)]
    [InlineData(WeightFormat.Brain)]
    public void Training_on_16_bit_weights_has_the_bits_of_training_on_them_widened(WeightFormat format)
    {
        LlamaConfig config = TinyModel.Small with { QueryKeyValueBias = true };
        LlamaModel random = LlamaModel.Random(config, new RandomStream(1, "weights"));
        LlamaModel narrow = LlamaModel.Load(config, tensor => Stored(random.Tensor(random.Layout.Tensors.ToList().IndexOf(tensor)).Widened().ToArray(), format));
        LlamaModel wide = LlamaModel.Of(config, narrow.CopyParameters());
        var lora = new LoraOptions(Rank: 4, Alpha: 8, LoraTargets.All);
        List<Example> examples = TinyModel.Counting(12, config.Vocabulary, "narrow");
        float[] expected = Start(), found = Start();
        new LocalTrainer(wide, lora).Train(expected, examples, new TrainingOptions(), new RandomStream(1, "job"), cancellation: Cancel);
        new LocalTrainer(narrow, lora).Train(found, examples, new TrainingOptions(), new RandomStream(1, "job"), cancellation: Cancel);
        Assert.Equal(expected, found);
        Assert.NotEqual(random.CopyParameters(), narrow.CopyParameters());
        Assert.Equal(wide.WithAdapter(lora, found).CopyParameters(), narrow.WithAdapter(lora, found).CopyParameters());
        Assert.Equal(Generator.Generate(wide, [1, 2, 3], 20, [], cancellation: Cancel), Generator.Generate(narrow, [1, 2, 3], 20, [], cancellation: Cancel));

        float[] Start() => [.. TinyModel.Doubles(lora.LayoutFor(config).Length, 0.1, "adapter").Select(value => (float)value)];
    }

    private static WeightMemory<float> Stored(float[] values, WeightFormat format) => format switch
    {
        WeightFormat.Half => new(values.Select(FloatConversion.NarrowHalf).ToArray(), format),
        WeightFormat.Brain => new(values.Select(FloatConversion.NarrowBrain).ToArray(), format),
        _ => new(values),
    };

    public static TheoryData<LlamaConfig, string> BadConfigs => new()
    {
        { TinyModel.Config() with { HiddenSize = 0 }, "hidden_size: expected 1 to 65536, found 0" },
        { TinyModel.Config() with { KeyValueHeads = 3 }, "num_key_value_heads: expected a divisor of num_attention_heads = 4, found 3" },
        { TinyModel.Config() with { HeadSize = 5 }, "head_dim: expected an even number, found 5" },
        { TinyModel.Config() with { Layers = 5_000 }, "num_hidden_layers: expected 1 to 1024, found 5000" },
        { TinyModel.Config() with { NormEpsilon = double.NaN }, "rms_norm_eps: expected a number above 0 and below 1, found NaN" },
        { TinyModel.Config() with { RopeTheta = 0 }, "rope_theta: expected a number of at least 1, found 0" },
        {
            TinyModel.Config() with { HiddenSize = 65_536, Vocabulary = 4_000_000 },
            "model.embed_tokens.weight: expected at most 2147483591 entries, found 4000000 × 65536"
        },
    };

    [Theory]
    [MemberData(nameof(BadConfigs))]
    public void A_bad_config_is_refused_with_field_limit_and_value(LlamaConfig config, string message)
        => Assert.Equal("model config: " + message, Assert.Throws<ModelException>(() => ParameterLayout.Of(config)).Message);

    [Fact]
    public void The_lora_vector_is_ordered_by_layer_module_and_role()
    {
        LoraLayout layout = new LoraOptions(2, 4, LoraTargets.DownProj | LoraTargets.KProj).LayoutFor(TinyModel.Config());
        Assert.Equal(
            [
                "model.layers.0.self_attn.k_proj A 2x12", "model.layers.0.self_attn.k_proj B 12x2",
                "model.layers.0.mlp.down_proj A 2x18", "model.layers.0.mlp.down_proj B 12x2",
                "model.layers.1.self_attn.k_proj A 2x12", "model.layers.1.self_attn.k_proj B 12x2",
                "model.layers.1.mlp.down_proj A 2x18", "model.layers.1.mlp.down_proj B 12x2",
            ],
            layout.Tensors.Select(t => $"{t.Module} {t.Role} {t.Rows}x{t.Columns}"));
    }

    [Fact]
    public void A_change_of_the_targets_is_what_an_adapter_with_that_product_is()
    {
        var lora = new LoraOptions(3, 6, LoraTargets.QProj | LoraTargets.DownProj);
        LlamaConfig config = TinyModel.Config();
        LlamaModel model = LlamaModel.Random(config, new RandomStream(1, "weights"));
        LoraLayout layout = lora.LayoutFor(config);
        var random = new RandomStream(2, "adapter");
        float[] adapter = [.. Enumerable.Range(0, layout.Length).Select(_ => (float)random.NextGaussian())];
        var change = new List<float>();
        foreach (LoraTensor[] pair in layout.Tensors.Chunk(2))
            for (int row = 0; row < pair[1].Rows; row++)
                for (int column = 0; column < pair[0].Columns; column++)
                    change.Add((float)(2 * Enumerable.Range(0, 3).Sum(r => (double)adapter[pair[1].Offset + row * 3 + r] * adapter[pair[0].Offset + r * pair[0].Columns + column])));
        float[] expected = model.WithAdapter(lora, adapter).CopyParameters(), found = model.WithChange(lora, [.. change]).CopyParameters();
        Assert.All(expected.Zip(found), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        Assert.NotEqual(model.CopyParameters(), found);
        Assert.Throws<ArgumentException>(() => model.WithChange(lora, new float[change.Count - 1]));
        Assert.Throws<ArgumentException>(() => model.WithChange(lora, new float[change.Count + 1]));
    }

    [Theory]
    [InlineData(false, 24)] // s·r = 2·12
    [InlineData(true, 6.928203230275509)] // s·√r = (4/√4)·√12
    public void Another_rank_keeps_the_scale(bool rslora, double alpha)
    {
        LoraOptions lora = new(4, rslora ? 4 : 8, RsLora: rslora), other = lora.OfRank(12);
        Assert.Equal((12, 2.0), (other.Rank, lora.Scale));
        Assert.Equal(alpha, other.Alpha, 1e-12);
        Assert.Equal(lora.Scale, other.Scale, 1e-15);
        Assert.Same(lora, lora.OfRank(4));
    }

    [Fact]
    public void A_new_adapter_leaves_the_model_as_it_is()
    {
        var lora = new LoraOptions(4, 8, LoraTargets.All);
        LlamaModel model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));
        float[] adapter = LoraInitialization.Create(lora.LayoutFor(TinyModel.Small), seed: 2);
        foreach (LoraTensor tensor in lora.LayoutFor(TinyModel.Small).Tensors)
        {
            float[] values = tensor.In(adapter.AsSpan()).ToArray();
            if (tensor.Role == LoraRole.B) Assert.All(values, x => Assert.Equal(0f, x));
            else Assert.InRange(values.Max(Math.Abs) * Math.Sqrt(tensor.Columns), 0.8, 1.0001);
        }
        Assert.Equal(model.CopyParameters(), model.WithAdapter(lora, adapter).CopyParameters());
    }

    [Fact]
    public void Targets_have_names()
    {
        Assert.Equal(LoraTargets.QProj | LoraTargets.VProj, LoraOptions.ParseTargets(["v_proj", "q_proj"]));
        Assert.Equal(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], new LoraOptions(Targets: LoraTargets.All).TargetNames);
        Assert.Contains("found 'w_proj'", Assert.Throws<ArgumentException>(() => LoraOptions.ParseTargets(["w_proj"])).Message, StringComparison.Ordinal);
        Assert.Equal(2, new LoraOptions(Rank: 8, Alpha: 16).Scale);
        Assert.Equal(4, new LoraOptions(Rank: 16, Alpha: 16, RsLora: true).Scale);
    }

    [Fact]
    public void Training_all_weights_lowers_the_loss_and_leaves_the_start()
    {
        LlamaModel model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));
        float[] before = model.CopyParameters();
        int[] corpus = [.. TinyModel.Counting(60, TinyModel.Small.Vocabulary, "corpus").SelectMany(e => e.Tokens)];
        IReadOnlyList<Example> windows = BaseTrainer.Windows(corpus, 24);
        var options = new TrainingOptions { Epochs = 12, LearningRate = 5e-3, WeightDecay = 0.01, Schedule = LearningRateSchedule.Cosine, WarmupSteps = 5 };
        (LlamaModel trained, TrainingResult result) = BaseTrainer.Train(model, windows, options, new RandomStream(3, "pretraining"), cancellation: Cancel);
        (LlamaModel again, TrainingResult same) = BaseTrainer.Train(model, windows, options, new RandomStream(3, "pretraining"), cancellation: Cancel);
        Assert.Equal(trained.CopyParameters(), again.CopyParameters());
        Assert.Equal(result, same);
        Assert.Equal(before, model.CopyParameters());
        double start = Evaluator.Evaluate(model, windows, cancellation: Cancel).Overall.MeanLoss,
            end = Evaluator.Evaluate(trained, windows, cancellation: Cancel).Overall.MeanLoss;
        Assert.True(end < start - 1.5, $"from {start} to {end}");
        for (int i = 0; i < model.Layout.Tensors.Count; i++) Assert.NotEqual(model.Tensor(i).Widened(), trained.Tensor(i).Widened());
    }

    [Fact]
    public void Windows_cover_every_prediction_once()
    {
        IReadOnlyList<Example> windows = BaseTrainer.Windows([1, 2, 3, 4, 5, 6, 7, 8], 3);
        Assert.Equal([[1, 2, 3, 4], [4, 5, 6, 7], [7, 8]], windows.Select(w => w.Tokens));
        Assert.Equal(7, windows.Sum(w => w.AnswerTokens));
        Assert.Empty(BaseTrainer.Windows([1], 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => BaseTrainer.Windows([1, 2], 0));
    }
}
