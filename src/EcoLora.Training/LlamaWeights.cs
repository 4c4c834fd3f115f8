namespace EcoLora.Training;

/// <summary>The weights of one decoder layer. Matrices are [outputs, inputs], row-major.</summary>
/// <param name="AttentionNorm">Gains [D] before attention.</param>
/// <param name="FeedForwardNorm">Gains [D] before the feed-forward layer.</param>
/// <param name="Linear">The seven linear layers in the order of <see cref="LinearKind"/>.</param>
internal sealed record LayerWeights<T>(ReadOnlyMemory<T> AttentionNorm, ReadOnlyMemory<T> FeedForwardNorm, ReadOnlyMemory<T>[] Linear);

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

/// <summary>Views of all weights of a model, in the element type that the pass computes in.</summary>
internal sealed class LlamaWeights<T>
{
    public const int LinearsPerLayer = 7;

    /// <param name="config">The shape.</param>
    /// <param name="tensors">In the order of <see cref="ParameterLayout"/>.</param>
    public LlamaWeights(LlamaConfig config, IReadOnlyList<ReadOnlyMemory<T>> tensors)
    {
        Config = config;
        Embedding = tensors[0];
        Layers = new LayerWeights<T>[config.Layers];
        for (int layer = 0; layer < config.Layers; layer++)
        {
            int at = ParameterLayout.FirstOfLayer(layer);
            ReadOnlyMemory<T>[] linear = [.. tensors.Skip(at + 1).Take(4), .. tensors.Skip(at + 6).Take(3)];
            Layers[layer] = new(tensors[at], tensors[at + 5], linear);
        }
        FinalNorm = tensors[ParameterLayout.FirstOfLayer(config.Layers)];
        Head = config.TieEmbeddings ? Embedding : tensors[^1];
    }

    public LlamaConfig Config { get; }

    /// <summary>[V, D].</summary>
    public ReadOnlyMemory<T> Embedding { get; }

    public LayerWeights<T>[] Layers { get; }

    /// <summary>Gains [D].</summary>
    public ReadOnlyMemory<T> FinalNorm { get; }

    /// <summary>[V, D]; the embedding itself when tied.</summary>
    public ReadOnlyMemory<T> Head { get; }

    /// <summary>The weights that lie in one vector of the layout.</summary>
    public static LlamaWeights<T> In(LlamaConfig config, ParameterLayout layout, ReadOnlyMemory<T> parameters)
        => new(config, [.. layout.Tensors.Select(tensor => parameters.Slice(tensor.Offset, tensor.Length))]);

    /// <summary>Index of a linear layer's tensor in <see cref="ParameterLayout.Tensors"/>.</summary>
    public static int TensorOf(int layer, LinearKind kind) => ParameterLayout.FirstOfLayer(layer) + (kind < LinearKind.Gate ? 1 : 2) + (int)kind;

    /// <summary>Outputs and inputs of a linear layer.</summary>
    public static (int Outputs, int Inputs) ShapeOf(LlamaConfig config, LinearKind kind) => kind switch
    {
        LinearKind.Query => (config.QueryWidth, config.HiddenSize),
        LinearKind.Key or LinearKind.Value => (config.KeyValueWidth, config.HiddenSize),
        LinearKind.Output => (config.HiddenSize, config.QueryWidth),
        LinearKind.Gate or LinearKind.Up => (config.IntermediateSize, config.HiddenSize),
        _ => (config.HiddenSize, config.IntermediateSize),
    };
}
