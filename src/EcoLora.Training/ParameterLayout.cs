namespace EcoLora.Training;

/// <summary>A linear layer of a decoder layer, in the order of a LoRA vector.</summary>
internal enum LinearKind
{
    Query,
    Key,
    Value,
    Output,
    Gate,
    Up,
    Down,
}

/// <summary>One tensor of a model's base weights, row-major, under its Hugging Face name.</summary>
/// <param name="Name">Such as <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
/// <param name="Rows">Outputs of a linear layer, the vocabulary of an embedding, 1 for a vector.</param>
/// <param name="Columns">Entries per row.</param>
/// <param name="Offset">Index of its first entry when all tensors lie in one vector.</param>
public sealed record ParameterTensor(string Name, int Rows, int Columns, long Offset)
{
    /// <summary>Number of entries, at most 2,147,483,591.</summary>
    public int Length => Rows * Columns;

    /// <summary>Whether the file holds it with one dimension (the gains of a normalisation, a bias) instead of two.</summary>
    public bool IsVector => Name.EndsWith("norm.weight", StringComparison.Ordinal) || Name.EndsWith(".bias", StringComparison.Ordinal);

    /// <summary>The dimensions as a file states them.</summary>
    public IReadOnlyList<int> Shape => IsVector ? [Columns] : [Rows, Columns];

    /// <summary>Its part of a vector that holds all tensors.</summary>
    internal Span<T> In<T>(Span<T> vector) => vector.Slice((int)Offset, Length);
}

/// <summary>
/// The base weights' order in one vector: embedding, then per layer norm, q, k, v, o, norm, gate, up, down, each with its bias behind it where it has one,
/// then the last norm and, unless tied, the head.
/// </summary>
public sealed class ParameterLayout
{
    /// <summary>Linear layers of a decoder layer.</summary>
    internal const int LinearsPerLayer = 7;

    private const int None = -1;

    private readonly List<ParameterTensor> _tensors = [];
    private readonly int[] _weights, _biases, _attentionNorms, _feedForwardNorms;

    private ParameterLayout(LlamaConfig config)
    {
        (_weights, _biases) = (new int[config.Layers * LinearsPerLayer], new int[config.Layers * LinearsPerLayer]);
        (_attentionNorms, _feedForwardNorms) = (new int[config.Layers], new int[config.Layers]);
        int d = config.HiddenSize;
        Add("model.embed_tokens.weight", config.Vocabulary, d);
        for (int layer = 0; layer < config.Layers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            _attentionNorms[layer] = Add(prefix + "input_layernorm.weight", 1, d);
            for (var kind = LinearKind.Query; kind <= LinearKind.Down; kind++)
            {
                if (kind == LinearKind.Gate) _feedForwardNorms[layer] = Add(prefix + "post_attention_layernorm.weight", 1, d);
                (int outputs, int inputs) = config.ShapeOf(kind);
                string module = prefix + NameOf(kind);
                _weights[layer * LinearsPerLayer + (int)kind] = Add(module + ".weight", outputs, inputs);
                _biases[layer * LinearsPerLayer + (int)kind] = config.HasBias(kind) ? Add(module + ".bias", 1, outputs) : None;
            }
        }
        FinalNorm = Add("model.norm.weight", 1, d);
        Head = config.TieEmbeddings ? Embedding : Add("lm_head.weight", config.Vocabulary, d);
    }

    /// <summary>The tensors in their order.</summary>
    public IReadOnlyList<ParameterTensor> Tensors => _tensors;

    /// <summary>Number of parameters.</summary>
    public long Length => _tensors[^1].Offset + _tensors[^1].Length;

    /// <summary>Index in <see cref="Tensors"/> of the embedding.</summary>
    internal static int Embedding => 0;

    /// <summary>Index of the last norm's gains.</summary>
    internal int FinalNorm { get; }

    /// <summary>Index of the output layer; that of the embedding when tied.</summary>
    internal int Head { get; }

    /// <summary>The layout of a model.</summary>
    /// <exception cref="ModelException">The config is invalid, or a tensor has more than 2,147,483,591 entries.</exception>
    public static ParameterLayout Of(LlamaConfig config)
    {
        config.Validate();
        return new ParameterLayout(config);
    }

    /// <summary>A linear layer's name inside its decoder layer, such as <c>self_attn.q_proj</c>.</summary>
    internal static string NameOf(LinearKind kind) => kind switch
    {
        LinearKind.Query => "self_attn.q_proj",
        LinearKind.Key => "self_attn.k_proj",
        LinearKind.Value => "self_attn.v_proj",
        LinearKind.Output => "self_attn.o_proj",
        LinearKind.Gate => "mlp.gate_proj",
        LinearKind.Up => "mlp.up_proj",
        _ => "mlp.down_proj",
    };

    /// <summary>Index of a linear layer's weight.</summary>
    internal int WeightOf(int layer, LinearKind kind) => _weights[layer * LinearsPerLayer + (int)kind];

    /// <summary>Index of a linear layer's bias, or null.</summary>
    internal int? BiasOf(int layer, LinearKind kind) => _biases[layer * LinearsPerLayer + (int)kind] is >= 0 and var index ? index : null;

    /// <summary>Index of the gains before attention.</summary>
    internal int AttentionNormOf(int layer) => _attentionNorms[layer];

    /// <summary>Index of the gains before the feed-forward part.</summary>
    internal int FeedForwardNormOf(int layer) => _feedForwardNorms[layer];

    /// <summary>The number of parameters, where one vector is to hold them all.</summary>
    /// <exception cref="ModelException">There are more than an array holds.</exception>
    internal int VectorLength() => Length <= Array.MaxLength ? (int)Length
        : throw new ModelException($"model config: parameters: expected at most {Array.MaxLength} to train them all, found {Length}");

    private int Add(string name, int rows, int columns)
    {
        if ((long)rows * columns > Array.MaxLength)
            throw new ModelException($"model config: {name}: expected at most {Array.MaxLength} entries, found {rows} × {columns}");
        _tensors.Add(new ParameterTensor(name, rows, columns, _tensors.Count == 0 ? 0 : Length));
        return _tensors.Count - 1;
    }
}
