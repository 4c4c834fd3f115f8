namespace EcoLora.Training;

/// <summary>One tensor of a model's base weights, row-major, under its Hugging Face name.</summary>
/// <param name="Name">Such as <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
/// <param name="Rows">Outputs of a linear layer, the vocabulary of an embedding, 1 for the gains of a normalisation.</param>
/// <param name="Columns">Entries per row.</param>
/// <param name="Offset">Index of its first entry when all tensors lie in one vector.</param>
public sealed record ParameterTensor(string Name, int Rows, int Columns, int Offset)
{
    /// <summary>Number of entries.</summary>
    public int Length => Rows * Columns;

    /// <summary>Whether the file holds it with one dimension (the gains of a normalisation) instead of two.</summary>
    public bool IsVector => IsVectorName(Name);

    /// <summary>The dimensions as a file states them.</summary>
    public IReadOnlyList<int> Shape => IsVector ? [Columns] : [Rows, Columns];

    internal static bool IsVectorName(string name) => name.EndsWith("norm.weight", StringComparison.Ordinal);
}

/// <summary>
/// The base weights' order in one vector: embedding, then per layer norm, q, k, v, o, norm, gate, up, down, then the last norm and, unless tied, the head.
/// </summary>
public sealed class ParameterLayout
{
    /// <summary>Tensors of one layer.</summary>
    internal const int PerLayer = 9;

    private ParameterLayout(List<ParameterTensor> tensors) => Tensors = tensors;

    /// <summary>The tensors in their order.</summary>
    public IReadOnlyList<ParameterTensor> Tensors { get; }

    /// <summary>Number of parameters.</summary>
    public int Length => Tensors[^1].Offset + Tensors[^1].Length;

    /// <summary>The layout of a model.</summary>
    /// <exception cref="ModelException">The config is invalid, or the model has more than 2,147,483,591 parameters.</exception>
    public static ParameterLayout Of(LlamaConfig config)
    {
        config.Validate();
        var tensors = new List<ParameterTensor>();
        long offset = 0;
        int d = config.HiddenSize, f = config.IntermediateSize, q = config.QueryWidth, kv = config.KeyValueWidth;
        Add("model.embed_tokens", config.Vocabulary, d);
        for (int layer = 0; layer < config.Layers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            Add(prefix + "input_layernorm", 1, d);
            Add(prefix + "self_attn.q_proj", q, d);
            Add(prefix + "self_attn.k_proj", kv, d);
            Add(prefix + "self_attn.v_proj", kv, d);
            Add(prefix + "self_attn.o_proj", d, q);
            Add(prefix + "post_attention_layernorm", 1, d);
            Add(prefix + "mlp.gate_proj", f, d);
            Add(prefix + "mlp.up_proj", f, d);
            Add(prefix + "mlp.down_proj", d, f);
        }
        Add("model.norm", 1, d);
        if (!config.TieEmbeddings) Add("lm_head", config.Vocabulary, d);
        return new ParameterLayout(tensors);

        void Add(string module, int rows, int columns)
        {
            long length = (long)rows * columns;
            if (offset + length > Array.MaxLength)
                throw new ModelException($"model config: parameters: expected at most {Array.MaxLength}, found more up to {module}");
            tensors.Add(new ParameterTensor(module + ".weight", rows, columns, (int)offset));
            offset += length;
        }
    }

    /// <summary>Index in <see cref="Tensors"/> of a layer's attention norm; the layer's other tensors follow it.</summary>
    internal static int FirstOfLayer(int layer) => 1 + PerLayer * layer;
}
