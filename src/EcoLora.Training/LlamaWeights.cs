using System.Numerics;
using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>The weights of one decoder layer. Matrices are [outputs, inputs], row-major.</summary>
/// <param name="AttentionNorm">Gains [D] before attention.</param>
/// <param name="FeedForwardNorm">Gains [D] before the feed-forward layer.</param>
/// <param name="Linear">The seven linear layers in the order of <see cref="LinearKind"/>.</param>
/// <param name="Bias">Their biases [outputs]; empty for a layer that has none.</param>
internal sealed record LayerWeights<T>(ReadOnlyMemory<T> AttentionNorm, ReadOnlyMemory<T> FeedForwardNorm, WeightMemory<T>[] Linear, ReadOnlyMemory<T>[] Bias)
    where T : unmanaged, IBinaryFloatingPointIeee754<T>;

/// <summary>Views of all weights of a model. Matrices stay in the format that they are stored in; vectors are in the element type of the pass.</summary>
internal sealed class LlamaWeights<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <param name="config">The shape.</param>
    /// <param name="layout">Its layout.</param>
    /// <param name="tensors">In the order of the layout.</param>
    public LlamaWeights(LlamaConfig config, ParameterLayout layout, IReadOnlyList<WeightMemory<T>> tensors)
    {
        Config = config;
        Embedding = tensors[ParameterLayout.Embedding];
        Layers = new LayerWeights<T>[config.Layers];
        LinearKind[] kinds = Enum.GetValues<LinearKind>();
        for (int layer = 0; layer < config.Layers; layer++)
        {
            int at = layer;
            Layers[layer] = new(
                tensors[layout.AttentionNormOf(layer)].Widened(), tensors[layout.FeedForwardNormOf(layer)].Widened(),
                [.. kinds.Select(kind => tensors[layout.WeightOf(at, kind)])],
                [.. kinds.Select(kind => layout.BiasOf(at, kind) is { } bias ? tensors[bias].Widened() : ReadOnlyMemory<T>.Empty)]);
        }
        FinalNorm = tensors[layout.FinalNorm].Widened();
        Head = tensors[layout.Head];
    }

    public LlamaConfig Config { get; }

    /// <summary>[V, D].</summary>
    public WeightMemory<T> Embedding { get; }

    public LayerWeights<T>[] Layers { get; }

    /// <summary>Gains [D].</summary>
    public ReadOnlyMemory<T> FinalNorm { get; }

    /// <summary>[V, D]; the embedding itself when tied.</summary>
    public WeightMemory<T> Head { get; }

    /// <summary>The weights that lie in one vector of the layout.</summary>
    public static LlamaWeights<T> In(LlamaConfig config, ParameterLayout layout, ReadOnlyMemory<T> parameters) => new(config, layout,
        [.. layout.Tensors.Select(tensor => new WeightMemory<T>(parameters.Slice((int)tensor.Offset, tensor.Length)))]);
}
