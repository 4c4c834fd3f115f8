using EcoLora.Formats.HuggingFace;
using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>The shape of a Llama-architecture decoder, in the terms of Hugging Face's <c>config.json</c> (its names in brackets).</summary>
public sealed record LlamaConfig
{
    /// <summary>D, the width of the residual stream [hidden_size], 1 to 65,536.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>F, the width of the feed-forward layer [intermediate_size], 1 to 1,048,576.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Number of decoder layers [num_hidden_layers], 1 to 1,024.</summary>
    public required int Layers { get; init; }

    /// <summary>Query heads [num_attention_heads], 1 to 1,024.</summary>
    public required int Heads { get; init; }

    /// <summary>Key and value heads [num_key_value_heads]; divides <see cref="Heads"/>.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>d, the size of one head [head_dim, else hidden_size / num_attention_heads], even, 2 to 1,024.</summary>
    public required int HeadSize { get; init; }

    /// <summary>V, number of tokens [vocab_size], 1 to 4,194,304.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>ε of the normalisation [rms_norm_eps], positive and below 1.</summary>
    public double NormEpsilon { get; init; } = 1e-5;

    /// <summary>θ of the rotary positions [rope_theta], at least 1.</summary>
    public double RopeTheta { get; init; } = 10_000;

    /// <summary>How the rotary frequencies are scaled [rope_scaling], or null.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>The longest window [max_position_embeddings], 1 to 16,777,216. The engine does not refuse longer sequences; whoever cuts the records
    /// does.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Whether queries, keys and values have biases [attention_bias; always so in qwen2].</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Whether the output of attention has a bias [attention_bias].</summary>
    public bool OutputBias { get; init; }

    /// <summary>Whether the three layers of the feed-forward part have biases [mlp_bias].</summary>
    public bool MlpBias { get; init; }

    /// <summary>Whether the output layer is the embedding [tie_word_embeddings].</summary>
    public bool TieEmbeddings { get; init; }

    /// <summary>H·d, the width of the queries.</summary>
    public int QueryWidth => Heads * HeadSize;

    /// <summary>The width of the keys and of the values.</summary>
    public int KeyValueWidth => KeyValueHeads * HeadSize;

    /// <summary>The shape that a model folder's config.json states.</summary>
    public static LlamaConfig Of(ModelConfig file) => new()
    {
        HiddenSize = file.HiddenSize,
        IntermediateSize = file.IntermediateSize,
        Layers = file.Layers,
        Heads = file.Heads,
        KeyValueHeads = file.KeyValueHeads,
        HeadSize = file.HeadSize,
        Vocabulary = file.VocabularySize,
        NormEpsilon = file.RmsNormEpsilon,
        RopeTheta = file.RopeTheta,
        RopeScaling = file.RopeScaling,
        MaxPositions = file.MaxPositions,
        QueryKeyValueBias = file.QueryKeyValueBias,
        OutputBias = file.OutputBias,
        MlpBias = file.MlpBias,
        TieEmbeddings = file.TiedEmbeddings,
    };

    /// <summary>Checks every field.</summary>
    /// <exception cref="ModelException">A field is out of its range, or fields contradict each other.</exception>
    public void Validate()
    {
        Range("hidden_size", HiddenSize, 1, 65_536);
        Range("intermediate_size", IntermediateSize, 1, 1_048_576);
        Range("num_hidden_layers", Layers, 1, 1_024);
        Range("num_attention_heads", Heads, 1, 1_024);
        Range("num_key_value_heads", KeyValueHeads, 1, Heads);
        if (Heads % KeyValueHeads != 0) throw Fail("num_key_value_heads", $"a divisor of num_attention_heads = {Heads}", KeyValueHeads);
        Range("head_dim", HeadSize, 2, 1_024);
        if (HeadSize % 2 != 0) throw Fail("head_dim", "an even number", HeadSize);
        Range("vocab_size", Vocabulary, 1, 4_194_304);
        Range("max_position_embeddings", MaxPositions, 1, 16_777_216);
        if (!(NormEpsilon is > 0 and < 1)) throw Fail("rms_norm_eps", "a number above 0 and below 1", NormEpsilon);
        if (!(RopeTheta >= 1) || double.IsInfinity(RopeTheta)) throw Fail("rope_theta", "a number of at least 1", RopeTheta);
    }

    /// <summary>Outputs and inputs of a linear layer.</summary>
    internal (int Outputs, int Inputs) ShapeOf(LinearKind kind) => kind switch
    {
        LinearKind.Query => (QueryWidth, HiddenSize),
        LinearKind.Key or LinearKind.Value => (KeyValueWidth, HiddenSize),
        LinearKind.Output => (HiddenSize, QueryWidth),
        LinearKind.Gate or LinearKind.Up => (IntermediateSize, HiddenSize),
        _ => (HiddenSize, IntermediateSize),
    };

    /// <summary>Whether a linear layer has a bias.</summary>
    internal bool HasBias(LinearKind kind) => kind switch
    {
        LinearKind.Query or LinearKind.Key or LinearKind.Value => QueryKeyValueBias,
        LinearKind.Output => OutputBias,
        _ => MlpBias,
    };

    private static void Range(string field, int found, int least, int most)
    {
        if (found < least || found > most) throw Fail(field, $"{least} to {most}", found);
    }

    private static ModelException Fail(string field, string expected, IFormattable found)
        => new($"model config: {field}: expected {expected}, found {found.ToString(null, System.Globalization.CultureInfo.InvariantCulture)}");
}
