using System.Text.Json.Nodes;
using EcoLora.Formats.HuggingFace;
using EcoLora.Formats.Safetensors;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.HuggingFace;

/// <summary>What published models of each family say in config.json.</summary>
public sealed class ModelFamilyTests : IDisposable
{
    private const string Llama32 = """
        {"architectures":["LlamaForCausalLM"],"attention_bias":false,"attention_dropout":0.0,"bos_token_id":128000,"eos_token_id":[128001,128008,128009],
        "head_dim":64,"hidden_act":"silu","hidden_size":2048,"initializer_range":0.02,"intermediate_size":8192,"max_position_embeddings":131072,
        "mlp_bias":false,"model_type":"llama","num_attention_heads":32,"num_hidden_layers":16,"num_key_value_heads":8,"pretraining_tp":1,
        "rms_norm_eps":1e-05,"rope_scaling":{"factor":32.0,"high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,
        "rope_type":"llama3"},"rope_theta":500000.0,"tie_word_embeddings":true,"torch_dtype":"bfloat16","use_cache":true,"vocab_size":128256}
        """;

    private const string SmolLm2 = """
        {"architectures":["LlamaForCausalLM"],"attention_bias":false,"attention_dropout":0.0,"bos_token_id":0,"eos_token_id":0,"hidden_act":"silu",
        "hidden_size":576,"initializer_range":0.041666666666666664,"intermediate_size":1536,"is_llama_config":true,"max_position_embeddings":8192,
        "model_type":"llama","num_attention_heads":9,"num_hidden_layers":30,"num_key_value_heads":3,"pretraining_tp":1,"rms_norm_eps":1e-05,
        "rope_interleaved":false,"rope_scaling":null,"rope_theta":100000,"tie_word_embeddings":true,"torch_dtype":"bfloat16","use_cache":true,
        "vocab_size":49152}
        """;

    private const string Mistral1 = """
        {"architectures":["MistralForCausalLM"],"bos_token_id":1,"eos_token_id":2,"hidden_act":"silu","hidden_size":4096,"initializer_range":0.02,
        "intermediate_size":14336,"max_position_embeddings":32768,"model_type":"mistral","num_attention_heads":32,"num_hidden_layers":32,
        "num_key_value_heads":8,"rms_norm_eps":1e-05,"rope_theta":10000.0,"sliding_window":4096,"tie_word_embeddings":false,"torch_dtype":"bfloat16",
        "use_cache":true,"vocab_size":32000}
        """;

    private const string Qwen25 = """
        {"architectures":["Qwen2ForCausalLM"],"attention_dropout":0.0,"bos_token_id":151643,"eos_token_id":151643,"hidden_act":"silu","hidden_size":896,
        "initializer_range":0.02,"intermediate_size":4864,"max_position_embeddings":32768,"max_window_layers":24,"model_type":"qwen2",
        "num_attention_heads":14,"num_hidden_layers":24,"num_key_value_heads":2,"rms_norm_eps":1e-06,"rope_theta":1000000.0,"sliding_window":32768,
        "tie_word_embeddings":true,"torch_dtype":"bfloat16","use_cache":true,"use_mrope":false,"use_sliding_window":false,"vocab_size":151936}
        """;

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, ModelFamily, int, bool, long> Published => new()
    {
        // The last column is the number of parameters that the model's page states.
        { Llama32, ModelFamily.Llama, 131_072, false, 1_235_814_400 },
        { SmolLm2, ModelFamily.Llama, 8_192, false, 134_515_008 },
        { Mistral1, ModelFamily.Mistral, 4_096, false, 7_241_732_096 },
        { Qwen25, ModelFamily.Qwen2, 32_768, true, 494_032_768 },
    };

    [Theory]
    [MemberData(nameof(Published))]
    public void A_published_config_is_read(string json, ModelFamily family, int positions, bool bias, long parameters)
    {
        ModelConfig config = Read(json);
        Assert.Equal(family, config.Family);
        Assert.Equal(positions, config.MaxPositions);
        Assert.Equal((bias, false, false), (config.QueryKeyValueBias, config.OutputBias, config.MlpBias));
        Assert.Equal(parameters, config.Tensors().Sum(tensor => tensor.Shape.Aggregate(1L, (product, size) => product * size)));
    }

    [Theory]
    [InlineData(Llama32, "attention_bias", "true", "q_proj.bias,k_proj.bias,v_proj.bias,o_proj.bias")]
    [InlineData(Llama32, "mlp_bias", "true", "gate_proj.bias,up_proj.bias,down_proj.bias")]
    [InlineData(Qwen25, "attention_bias", "false", "q_proj.bias,k_proj.bias,v_proj.bias")]
    [InlineData(Mistral1, "mlp_bias", "true", "")]
    public void Biases_are_those_of_the_family(string json, string field, string value, string biases)
    {
        JsonObject config = JsonNode.Parse(json)!.AsObject();
        config[field] = JsonNode.Parse(value);
        string[] expected = biases.Split(',', StringSplitOptions.RemoveEmptyEntries);
        string[] found = [.. Read(config.ToJsonString()).Tensors().Select(tensor => tensor.Name).Where(name => name.EndsWith(".bias", StringComparison.Ordinal))];
        Assert.Equal(expected, found.Where(name => name.Contains(".0.", StringComparison.Ordinal)).Select(name => string.Join('.', name.Split('.')[^2..])));
    }

    [Theory]
    [InlineData(Qwen25, "use_sliding_window", "true", "field 'use_sliding_window': expected false, found true")]
    [InlineData(Qwen25, "architectures", "[\"LlamaForCausalLM\"]", "field 'architectures[0]': expected Qwen2ForCausalLM, found \"LlamaForCausalLM\"")]
    [InlineData(Mistral1, "sliding_window", "0", "field 'sliding_window': expected an integer from 1")]
    public void What_a_family_does_not_support_is_refused(string json, string field, string value, string expected)
    {
        JsonObject config = JsonNode.Parse(json)!.AsObject();
        config[field] = JsonNode.Parse(value);
        Assert.Contains(expected, Assert.Throws<ModelFolderException>(() => Read(config.ToJsonString())).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("qwen2", "Qwen2ForCausalLM", "{}")]
    [InlineData("mistral", "MistralForCausalLM", "{\"sliding_window\":null}")]
    [InlineData("llama", "LlamaForCausalLM", "{\"attention_bias\":true,\"mlp_bias\":true}")]
    public void A_folder_of_a_family_is_written_and_read_again(string type, string architecture, string more)
    {
        JsonObject json = JsonNode.Parse("""{"hidden_act":"silu","hidden_size":8,"intermediate_size":12,"max_position_embeddings":64,"num_attention_heads":2,"num_hidden_layers":2,"num_key_value_heads":1,"tie_word_embeddings":true,"vocab_size":512}""")!.AsObject();
        json["model_type"] = type;
        json["architectures"] = new JsonArray(architecture);
        foreach ((string name, JsonNode? value) in JsonNode.Parse(more)!.AsObject()) json[name] = value?.DeepClone();
        ModelConfig config = Read(json.ToJsonString());
        var stream = new RandomStream(3, "weights");
        SafetensorsTensor[] tensors =
        [
            .. config.Tensors().Select(tensor => new SafetensorsTensor(tensor.Name, tensor.Shape,
                Enumerable.Range(0, tensor.Shape.Aggregate(1, (a, b) => a * b)).Select(_ => (float)stream.NextGaussian()).ToArray())),
        ];
        ModelFolder.Save(_folder["saved"], config, Tokenizers.SmallTokenizer.Make(), tensors, TensorType.BF16);
        using ModelFolder saved = ModelFolder.Open(_folder["saved"]);
        Assert.Equal(config, saved.Config);
        Assert.Contains(architecture, File.ReadAllText(_folder["saved/config.json"]), StringComparison.Ordinal);
        Assert.Equal(WeightFormat.Brain, saved.Map(tensors[1].Name, [.. tensors[1].Shape]).Format);
    }

    [Fact]
    public void Mapped_weights_outlive_the_folder()
    {
        WeightMemory<float> weights = Mapped(out float[] expected);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.Equal(expected, weights.Widened().ToArray());

        WeightMemory<float> Mapped(out float[] values)
        {
            values = [1, -2, 0.5f, 3];
            string path = _folder["weights.safetensors"];
            SafetensorsWriter.Write(path, [new SafetensorsTensor("w", [2, 2], values)], TensorType.F16);
            using SafetensorsFile file = SafetensorsFile.Open(path);
            return file.Map("w");
        }
    }

    public void Dispose() => _folder.Dispose();

    private ModelConfig Read(string json)
    {
        File.WriteAllText(_folder["config.json"], json);
        return ModelFolder.ReadConfig(_folder.Path);
    }
}
