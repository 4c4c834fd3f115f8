using System.Globalization;
using System.Text.Json;
using EcoLora.Formats.Json;
using EcoLora.Formats.Safetensors;
using EcoLora.Numerics;

namespace EcoLora.Formats.HuggingFace;

/// <summary>config.json of the families of <see cref="ModelFamily"/> as transformers writes it, old and new spelling of the rotary parameters.</summary>
internal static class ModelConfigFile
{
    public const string Name = "config.json";
    private const int LargestSize = 1 << 24;

    /// <summary>Reads and checks; what would change the computation and is not supported is refused, what does not is ignored.</summary>
    public static ModelConfig Read(JsonField root)
    {
        ModelFamily family = ReadFamily(root);
        if (root["hidden_act"].Exists) Require(root["hidden_act"], "silu");
        RequireFullAttention(root, family);
        RequireFalse(root["rope_interleaved"]);
        if (root["quantization_config"].Exists) throw root["quantization_config"].Refuse("none (weights in F32, F16 or BF16)");
        (double theta, RopeScaling? scaling) = ReadRotary(root);

        int hidden = root["hidden_size"].Int32(1, LargestSize), heads = root["num_attention_heads"].Int32(1, LargestSize);
        int keyValueHeads = root["num_key_value_heads"].Int32Or(heads, 1, heads);
        if (heads % keyValueHeads != 0) throw root["num_key_value_heads"].Refuse($"a divisor of num_attention_heads = {heads}");
        if (!root["head_dim"].Exists && hidden % heads != 0) throw root["hidden_size"].Refuse($"a multiple of num_attention_heads = {heads}, or head_dim");
        int headSize = root["head_dim"].Int32Or(Math.Max(1, hidden / heads), 1, LargestSize);
        if (headSize % 2 != 0) throw root["head_dim"].Refuse($"an even width of a head, computed {headSize}");
        var config = new ModelConfig
        {
            Family = family,
            QueryKeyValueBias = family switch
            {
                ModelFamily.Llama => root["attention_bias"].BooleanOr(false),
                ModelFamily.Qwen2 => true,
                _ => false,
            },
            OutputBias = family == ModelFamily.Llama && root["attention_bias"].BooleanOr(false),
            MlpBias = family == ModelFamily.Llama && root["mlp_bias"].BooleanOr(false),
            VocabularySize = root["vocab_size"].Int32(1, LargestSize),
            HiddenSize = hidden,
            IntermediateSize = root["intermediate_size"].Int32(1, LargestSize),
            Layers = root["num_hidden_layers"].Int32(1, 10_000),
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadSize = headSize,
            MaxPositions = Math.Min(root["max_position_embeddings"].Int32(1, int.MaxValue), LongestWindow(root, family)),
            RmsNormEpsilon = root["rms_norm_eps"].DoubleOr(1e-6, 0, 1),
            RopeTheta = theta,
            RopeScaling = scaling,
            TiedEmbeddings = root["tie_word_embeddings"].BooleanOr(false),
            BosId = ReadId(root["bos_token_id"]),
            EosIds = ReadIds(root["eos_token_id"]),
            PadId = ReadId(root["pad_token_id"]),
        };
        CheckSize(root["vocab_size"], config.VocabularySize, hidden);
        CheckSize(root["intermediate_size"], config.IntermediateSize, hidden);
        CheckSize(root["num_attention_heads"], (long)heads * headSize, hidden);
        return config;
    }

    /// <summary>Writes what <see cref="Read"/> reads, in a fixed order.</summary>
    public static void Write(Stream stream, ModelConfig config, TensorType type)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
        json.WriteStartObject();
        json.WriteStartArray("architectures");
        json.WriteStringValue(ArchitectureOf(config.Family));
        json.WriteEndArray();
        if (config.Family == ModelFamily.Llama) json.WriteBoolean("attention_bias", config.OutputBias);
        json.WriteNumber("attention_dropout", 0.0);
        WriteIds(json, config);
        json.WriteNumber("head_dim", config.HeadSize);
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteNumber("initializer_range", 0.02);
        json.WriteNumber("intermediate_size", config.IntermediateSize);
        json.WriteNumber("max_position_embeddings", config.MaxPositions);
        if (config.Family == ModelFamily.Llama) json.WriteBoolean("mlp_bias", config.MlpBias);
        json.WriteString("model_type", NameOf(config.Family));
        json.WriteNumber("num_attention_heads", config.Heads);
        json.WriteNumber("num_hidden_layers", config.Layers);
        json.WriteNumber("num_key_value_heads", config.KeyValueHeads);
        json.WriteNumber("rms_norm_eps", config.RmsNormEpsilon);
        WriteScaling(json, config.RopeScaling);
        json.WriteNumber("rope_theta", config.RopeTheta);
        if (config.Family == ModelFamily.Mistral) json.WriteNull("sliding_window");
        json.WriteBoolean("tie_word_embeddings", config.TiedEmbeddings);
        json.WriteString("torch_dtype", type switch { TensorType.F16 => "float16", TensorType.BF16 => "bfloat16", _ => "float32" });
        json.WriteBoolean("use_cache", true);
        if (config.Family == ModelFamily.Qwen2) json.WriteBoolean("use_sliding_window", false);
        json.WriteNumber("vocab_size", config.VocabularySize);
        json.WriteEndObject();
    }

    private static string NameOf(ModelFamily family) => family switch
    {
        ModelFamily.Mistral => "mistral",
        ModelFamily.Qwen2 => "qwen2",
        _ => "llama",
    };

    private static string ArchitectureOf(ModelFamily family) => family + "ForCausalLM";

    private static ModelFamily ReadFamily(JsonField root)
    {
        JsonField type = root["model_type"];
        foreach (ModelFamily family in Enum.GetValues<ModelFamily>())
        {
            if (!type.IsString || type.String() != NameOf(family)) continue;
            if (root["architectures"].Exists)
                foreach (JsonField architecture in root["architectures"].Items())
                    Require(architecture, ArchitectureOf(family));
            return family;
        }
        throw type.Refuse("llama, mistral or qwen2");
    }

    /// <summary>Newer files say it layer by layer; a window of Mistral's is dealt with by <see cref="LongestWindow"/>.</summary>
    private static void RequireFullAttention(JsonField root, ModelFamily family)
    {
        if (root["attention_dropout"].DoubleOr(0, 0, 1) > 0) throw root["attention_dropout"].Refuse("0");
        if (family == ModelFamily.Qwen2) RequireFalse(root["use_sliding_window"]);
        if (!root["layer_types"].Exists) return;
        foreach (JsonField layer in root["layer_types"].Items()) Require(layer, "full_attention");
    }

    /// <summary>A sequence that is no longer than Mistral's sliding window is attended in full.</summary>
    private static int LongestWindow(JsonField root, ModelFamily family) =>
        family == ModelFamily.Mistral ? root["sliding_window"].Int32Or(int.MaxValue, 1, int.MaxValue) : int.MaxValue;

    /// <summary>The three ids as config.json and generation_config.json both have them; an absent one is left out.</summary>
    public static void WriteIds(Utf8JsonWriter json, ModelConfig config)
    {
        if (config.BosId is int bos) json.WriteNumber("bos_token_id", bos);
        if (config.EosIds.Count == 1) json.WriteNumber("eos_token_id", config.EosIds[0]);
        else if (config.EosIds.Count > 1)
        {
            json.WriteStartArray("eos_token_id");
            foreach (int id in config.EosIds) json.WriteNumberValue(id);
            json.WriteEndArray();
        }
        if (config.PadId is int pad) json.WriteNumber("pad_token_id", pad);
    }

    /// <summary>Old files have the scaling in <c>rope_scaling</c> beside <c>rope_theta</c>, new ones both in <c>rope_parameters</c>.</summary>
    private static (double Theta, RopeScaling? Scaling) ReadRotary(JsonField root)
    {
        double theta = root["rope_theta"].DoubleOr(10_000, 1, 1e12);
        RopeScaling? scaling = null;
        foreach (string name in (ReadOnlySpan<string>)["rope_scaling", "rope_parameters"])
        {
            JsonField rotary = root[name];
            if (!rotary.Exists) continue;
            scaling = ReadScaling(rotary, root) ?? scaling;
            theta = rotary["rope_theta"].DoubleOr(theta, 1, 1e12);
            RequireWhole(rotary["partial_rotary_factor"]);
        }
        RequireWhole(root["partial_rotary_factor"]);
        return (theta, scaling);
    }

    private static RopeScaling? ReadScaling(JsonField rotary, JsonField root)
    {
        JsonField type = rotary["rope_type"].Exists ? rotary["rope_type"] : rotary["type"];
        switch (type.IsString ? type.String() : "")
        {
            case "default":
                return null;
            case "linear":
                return new RopeScaling.Linear(rotary["factor"].Double(1, 1e6));
            case "llama3":
                double low = rotary["low_freq_factor"].Double(1e-6, 1e6), high = rotary["high_freq_factor"].Double(1e-6, 1e6);
                if (high <= low) throw rotary["high_freq_factor"].Refuse($"a number above low_freq_factor = {low.ToString(CultureInfo.InvariantCulture)}");
                int positions = rotary["original_max_position_embeddings"].Exists ? rotary["original_max_position_embeddings"].Int32(1, int.MaxValue) : root["max_position_embeddings"].Int32(1, int.MaxValue);
                return new RopeScaling.Llama3(rotary["factor"].Double(1, 1e6), low, high, positions);
            default:
                throw type.Refuse("default, linear or llama3");
        }
    }

    private static void WriteScaling(Utf8JsonWriter json, RopeScaling? scaling)
    {
        if (scaling is null)
        {
            json.WriteNull("rope_scaling");
            return;
        }
        json.WriteStartObject("rope_scaling");
        switch (scaling)
        {
            case RopeScaling.Linear linear:
                json.WriteNumber("factor", linear.Factor);
                json.WriteString("rope_type", "linear");
                break;
            case RopeScaling.Llama3 llama:
                json.WriteNumber("factor", llama.Factor);
                json.WriteNumber("high_freq_factor", llama.High);
                json.WriteNumber("low_freq_factor", llama.Low);
                json.WriteNumber("original_max_position_embeddings", llama.OriginalPositions);
                json.WriteString("rope_type", "llama3");
                break;
        }
        json.WriteEndObject();
    }

    private static void RequireWhole(JsonField factor) => factor.DoubleOr(1, 1, 1);

    private static void Require(JsonField field, string supported)
    {
        if (!field.IsString || field.String() != supported) throw field.Refuse(supported);
    }

    private static void RequireFalse(JsonField field)
    {
        if (field.BooleanOr(false)) throw field.Refuse("false");
    }

    private static void CheckSize(JsonField field, long rows, int columns)
    {
        if (rows * columns > int.MaxValue) throw field.Refuse($"a tensor of at most {int.MaxValue} entries, {rows} × {columns} is more");
    }

    /// <summary>Some files say -1 for none.</summary>
    private static int? ReadId(JsonField field)
    {
        if (!field.Exists) return null;
        int id = field.Int32(-1, LargestSize);
        return id < 0 ? null : id;
    }

    private static IReadOnlyList<int> ReadIds(JsonField field)
    {
        if (field.IsArray) return [.. field.Items().Select(item => item.Int32(0, LargestSize))];
        return ReadId(field) is int id ? [id] : [];
    }
}
