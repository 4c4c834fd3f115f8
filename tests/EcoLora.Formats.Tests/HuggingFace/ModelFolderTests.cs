using System.Text.Json.Nodes;
using EcoLora.Formats.HuggingFace;
using EcoLora.Formats.Safetensors;
using EcoLora.Formats.Tokenizers;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.HuggingFace;

public sealed class ModelFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_config_is_read()
    {
        using ModelFolder model = ModelFolder.Open(SharedData.Path("model/stories260K-hf"));
        ModelConfig config = model.Config;
        Assert.Equal((512, 64, 172, 5, 8, 4, 8, 512), (config.VocabularySize, config.HiddenSize, config.IntermediateSize, config.Layers, config.Heads,
            config.KeyValueHeads, config.HeadSize, config.MaxPositions));
        Assert.Equal((1e-5, 10_000.0, true, 1), (config.RmsNormEpsilon, config.RopeTheta, config.TiedEmbeddings, config.BosId));
        Assert.Equal([2], config.EosIds);
        Assert.Equal((1, 2), (model.BosId, model.EosId));
        Assert.Equal([1], model.Tokenizer.Prefix);
        Assert.Equal(47, config.Tensors().Count());
    }

    [Fact]
    public void Shards_hold_the_same_numbers_as_one_file()
    {
        using ModelFolder whole = ModelFolder.Open(SharedData.Path("model/stories260K-hf"));
        using ModelFolder shards = ModelFolder.Open(SharedData.Path("model/stories260K-hf-sharded"));
        foreach ((string name, int[] shape) in whole.Config.Tensors())
        {
            float[] expected = Read(whole, name, shape);
            Assert.Contains(expected, value => value != 0);
            Assert.Equal(expected, Read(shards, name, shape));
        }
    }

    [Theory]
    [InlineData(TensorType.F32)]
    [InlineData(TensorType.F16)]
    [InlineData(TensorType.BF16)]
    public void A_saved_folder_opens_with_the_same_content(TensorType type)
    {
        using ModelFolder model = ModelFolder.Open(SharedData.Path("model/stories260K-hf"));
        ModelConfig config = model.Config with { TiedEmbeddings = false, EosIds = [2, 5], PadId = 0, RopeTheta = 123456.5 };
        SafetensorsTensor[] tensors = [.. config.Tensors()
            .Select(t => new SafetensorsTensor(t.Name, t.Shape, Read(model, t.Name == "lm_head.weight" ? "model.embed_tokens.weight" : t.Name, t.Shape)))];
        ModelFolder.Save(_folder["saved"], config, model.Tokenizer, tensors, type);
        ModelFolder.Save(_folder["saved"], config, model.Tokenizer, tensors, type);
        Assert.Equal([_folder["saved"]], Directory.GetFileSystemEntries(_folder.Path));
        Assert.Equal(["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
            Directory.GetFiles(_folder["saved"]).Select(Path.GetFileName).Order());
        using ModelFolder saved = ModelFolder.Open(_folder["saved"]);
        Assert.Equal(config with { EosIds = [] }, saved.Config with { EosIds = [] });
        Assert.Equal(config.EosIds, saved.Config.EosIds);
        Assert.Equal(model.Tokenizer.Encode("Once upon a time"), saved.Tokenizer.Encode("Once upon a time"));
        double tolerance = type switch { TensorType.F32 => 0, TensorType.F16 => Math.Pow(2, -11), _ => Math.Pow(2, -8) };
        foreach (SafetensorsTensor tensor in tensors)
        {
            float[] read = Read(saved, tensor.Name, [.. tensor.Shape]);
            for (int i = 0; i < read.Length; i++)
            {
                float written = tensor.Data.Span[i];
                Assert.InRange(Math.Abs(read[i] - written), 0, (tolerance * Math.Abs(written)) + (tolerance * 1e-4));
            }
        }
    }

    public static TheoryData<string, string, string> Configs => new()
    {
        { "model_type", "\"gemma2\"", "config.json: field 'model_type': expected llama, mistral or qwen2, found \"gemma2\"" },
        { "model_type", "", "config.json: field 'model_type': expected llama, mistral or qwen2, found no such field" },
        { "architectures", "[\"LlamaForSequenceClassification\"]", "field 'architectures[0]': expected LlamaForCausalLM" },
        { "rope_scaling", """{"rope_type":"llama3","factor":8}""", "field 'rope_scaling.low_freq_factor': expected a number from" },
        { "rope_scaling", """{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4}""", "field 'rope_scaling.high_freq_factor': expected a number above low_freq_factor = 4, found 4" },
        { "rope_scaling", """{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":0}""", "field 'rope_scaling.original_max_position_embeddings': expected an integer from 1" },
        { "rope_scaling", """{"type":"linear","factor":0.5}""", "field 'rope_scaling.factor': expected a number from 1" },
        { "rope_scaling", """{"type":"dynamic","factor":2}""", "field 'rope_scaling.type': expected default, linear or llama3, found \"dynamic\"" },
        { "rope_scaling", """{"factor":2}""", "field 'rope_scaling.type': expected default, linear or llama3, found no such field" },
        { "rope_parameters", """{"rope_type":"yarn","rope_theta":1e6}""", "field 'rope_parameters.rope_type': expected default, linear or llama3" },
        { "partial_rotary_factor", "0.5", "field 'partial_rotary_factor': expected a number from 1 to 1, found 0.5" },
        { "attention_bias", "true", "model.safetensors: expected tensor 'model.layers.0.self_attn.q_proj.bias', found none of that name" },
        { "mlp_bias", "true", "model.safetensors: expected tensor 'model.layers.0.mlp.gate_proj.bias', found none of that name" },
        { "attention_dropout", "0.1", "field 'attention_dropout': expected 0, found 0.1" },
        { "rope_interleaved", "true", "field 'rope_interleaved': expected false, found true" },
        { "layer_types", """["full_attention","sliding_attention"]""", "field 'layer_types[1]': expected full_attention, found \"sliding_attention\"" },
        { "mlp_bias", "1", "field 'mlp_bias': expected true or false, found 1" },
        { "hidden_act", "\"gelu\"", "field 'hidden_act': expected silu, found \"gelu\"" },
        { "quantization_config", "{}", "field 'quantization_config': expected none" },
        { "hidden_size", "\"64\"", "field 'hidden_size': expected an integer from 1 to 16777216, found \"64\"" },
        { "hidden_size", "0", "field 'hidden_size': expected an integer from 1" },
        { "hidden_size", "65", "field 'hidden_size': expected a multiple of num_attention_heads = 8, or head_dim, found 65" },
        { "num_key_value_heads", "3", "field 'num_key_value_heads': expected a divisor of num_attention_heads = 8, found 3" },
        { "head_dim", "7", "field 'head_dim': expected an even width of a head" },
        { "vocab_size", "16777217", "field 'vocab_size': expected an integer from 1 to 16777216, found 16777217" },
        { "hidden_size", "16777216", "field 'vocab_size': expected a tensor of at most 2147483647 entries, 512 × 16777216 is more, found 512" },
        { "vocab_size", "511", "field 'vocab_size': expected at least 512, as tokenizer.json has ids up to 511, found 511" },
        { "vocab_size", "513", "model.safetensors: tensor 'model.embed_tokens.weight': expected 513 × 64, found 512 × 64" },
        { "num_hidden_layers", "6", "model.safetensors: expected tensor 'model.layers.5.input_layernorm.weight', found none of that name" },
        { "tie_word_embeddings", "false", "model.safetensors: expected tensor 'lm_head.weight', found none of that name" },
        { "rms_norm_eps", "-1", "field 'rms_norm_eps': expected a number from 0 to 1, found -1" },
        { "eos_token_id", "[1,-2]", "field 'eos_token_id[1]'" },
    };

    [Theory]
    [MemberData(nameof(Configs))]
    public void What_is_not_supported_is_refused_with_field_and_value(string field, string value, string expected)
    {
        string folder = Copy();
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!.AsObject();
        config.Remove(field);
        if (value.Length > 0) config[field] = JsonNode.Parse(value);
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
        FormatException refusal = Assert.ThrowsAny<FormatException>(() => ModelFolder.Open(folder));
        Assert.Contains(expected, refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refusal.Message);
    }

    [Theory]
    [InlineData("rope_parameters", """{"rope_type":"default","rope_theta":500000.0}""", 500_000)]
    [InlineData("rope_theta", "1000000", 1_000_000)]
    [InlineData("rope_scaling", """{"rope_type":"default"}""", 10_000)]
    public void Both_spellings_of_the_rotary_base_are_read(string field, string value, double theta)
    {
        string folder = Copy();
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!.AsObject();
        config[field] = JsonNode.Parse(value);
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
        Assert.Equal(theta, ModelFolder.ReadConfig(folder).RopeTheta);
    }

    public static TheoryData<string, string, RopeScaling> Scalings => new()
    {
        { "rope_scaling", """{"type":"linear","factor":2}""", new RopeScaling.Linear(2) },
        // Llama-3.2-1B's.
        {
            "rope_scaling", """{"factor":32.0,"high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_type":"llama3"}""",
            new RopeScaling.Llama3(32, 1, 4, 8192)
        },
        {
            "rope_parameters", """{"factor":8.0,"high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_theta":500000.0,"rope_type":"llama3"}""",
            new RopeScaling.Llama3(8, 1, 4, 8192)
        },
    };

    [Theory]
    [MemberData(nameof(Scalings))]
    public void Rope_scaling_is_read_and_written(string field, string value, RopeScaling scaling)
    {
        string folder = Copy();
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!.AsObject();
        config[field] = JsonNode.Parse(value);
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
        using ModelFolder model = ModelFolder.Open(folder);
        Assert.Equal(scaling, model.Config.RopeScaling);
        SafetensorsTensor[] tensors = [.. model.Config.Tensors().Select(t => new SafetensorsTensor(t.Name, t.Shape, Read(model, t.Name, t.Shape)))];
        ModelFolder.Save(_folder["saved"], model.Config, model.Tokenizer, tensors, TensorType.F32);
        Assert.Equal(scaling, ModelFolder.ReadConfig(_folder["saved"]).RopeScaling);
    }

    [Fact]
    public void Missing_and_cut_off_files_are_named()
    {
        Assert.Contains("expected a model folder, found none", Assert.Throws<ModelFolderException>(() => ModelFolder.Open(_folder["absent"])).Message,
            StringComparison.Ordinal);
        string folder = Copy();
        string weights = Path.Combine(folder, "model.safetensors");
        File.WriteAllBytes(weights, File.ReadAllBytes(weights)[..^1]);
        Assert.Contains("model.safetensors: tensor 'model.norm.weight'", Assert.Throws<SafetensorsException>(() => ModelFolder.Open(folder)).Message,
            StringComparison.Ordinal);
        File.Delete(weights);
        Assert.Contains("expected model.safetensors or model.safetensors.index.json, found neither",
            Assert.Throws<SafetensorsException>(() => ModelFolder.Open(folder)).Message, StringComparison.Ordinal);
        foreach (string name in (string[])["tokenizer.json", "tokenizer.model"]) File.Delete(Path.Combine(folder, name));
        Assert.Contains("expected tokenizer.json or tokenizer.model, found neither", Assert.Throws<TokenizerException>(() => ModelFolder.Open(folder)).Message,
            StringComparison.Ordinal);
        File.Delete(Path.Combine(folder, "config.json"));
        Assert.Contains("config.json: expected a file, found none", Assert.Throws<ModelFolderException>(() => ModelFolder.Open(folder)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"../secret.safetensors\"", "expected the name of a file in the same folder")]
    [InlineData("\"/etc/passwd\"", "expected the name of a file in the same folder")]
    [InlineData("\"..\"", "expected the name of a file in the same folder")]
    [InlineData("\"\"", "expected the name of a file in the same folder")]
    [InlineData("7", "expected a string, found 7")]
    [InlineData("\"absent.safetensors\"", "expected a file, found none")]
    [InlineData("\"model-00002-of-00002.safetensors\"",
        "expected tensor 'model.embed_tokens.weight' as model.safetensors.index.json says, found none of that name")]
    public void An_index_must_name_shards_of_its_folder(string shard, string expected)
    {
        string folder = Copy("model/stories260K-hf-sharded");
        string path = Path.Combine(folder, "model.safetensors.index.json");
        JsonNode index = JsonNode.Parse(File.ReadAllText(path))!;
        index["weight_map"]!["model.embed_tokens.weight"] = JsonNode.Parse(shard);
        File.WriteAllText(path, index.ToJsonString());
        Assert.Contains(expected, Assert.Throws<SafetensorsException>(() => ModelFolder.Open(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Reading_checks_the_shape()
    {
        using ModelFolder model = ModelFolder.Open(SharedData.Path("model/stories260K-hf"));
        Assert.Throws<ModelFolderException>(() => model.Map("model.embed_tokens.weight", 64, 512));
        Assert.Throws<ModelFolderException>(() => model.Map("model.embed_tokens.weight", 512 * 64));
        Assert.Throws<SafetensorsException>(() => model.Map("absent", 1));
    }

    [Fact]
    public void Wrong_tensors_are_not_saved()
    {
        using ModelFolder model = ModelFolder.Open(SharedData.Path("model/stories260K-hf"));
        Assert.Throws<ArgumentException>(() => ModelFolder.Save(_folder["saved"], model.Config, model.Tokenizer, []));
        Assert.False(Directory.Exists(_folder["saved"]));
    }

    [Fact]
    public void Mutated_configs_are_read_or_refused()
    {
        byte[] good = File.ReadAllBytes(SharedData.Path("model/stories260K-hf/config.json"));
        var random = new RandomStream(17, "mutations");
        int refused = 0;
        for (int n = 0; n < 3_000; n++)
        {
            File.WriteAllBytes(_folder["config.json"], Mutation.Of(good, random));
            try
            {
                ModelFolder.ReadConfig(_folder.Path);
            }
            catch (ModelFolderException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, 1_000, 2_990);
    }

    private static float[] Read(ModelFolder model, string name, int[] shape) => model.Map(name, shape).Widened().ToArray();

    private string Copy(string source = "model/stories260K-hf")
    {
        string target = _folder["copy"];
        Directory.CreateDirectory(target);
        foreach (string file in Directory.GetFiles(SharedData.Path(source)))
            File.WriteAllBytes(Path.Combine(target, Path.GetFileName(file)), File.ReadAllBytes(file));
        return target;
    }
}
