using EcoLora.Numerics;

namespace EcoLora.Formats.HuggingFace;

/// <summary>The sizes and constants of a Llama model, as config.json has them.</summary>
public sealed record ModelConfig
{
    /// <summary>Rows of the embedding (<c>vocab_size</c>).</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream (<c>hidden_size</c>).</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the SwiGLU layer (<c>intermediate_size</c>).</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Number of decoder layers (<c>num_hidden_layers</c>).</summary>
    public required int Layers { get; init; }

    /// <summary>Number of query heads (<c>num_attention_heads</c>).</summary>
    public required int Heads { get; init; }

    /// <summary>Number of key and value heads (<c>num_key_value_heads</c>); divides <see cref="Heads"/>.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Width of one head (<c>head_dim</c>, else hidden_size / num_attention_heads); even.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Longest sequence that the model was made for (<c>max_position_embeddings</c>).</summary>
    public required int MaxPositions { get; init; }

    /// <summary>ε of RMSNorm (<c>rms_norm_eps</c>).</summary>
    public double RmsNormEpsilon { get; init; } = 1e-6;

    /// <summary>Base of the rotary frequencies (<c>rope_theta</c>).</summary>
    public double RopeTheta { get; init; } = 10_000;

    /// <summary>How the rotary frequencies are scaled (<c>rope_scaling</c>), or null.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>The output layer is the embedding (<c>tie_word_embeddings</c>); otherwise it is <c>lm_head.weight</c>.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary><c>bos_token_id</c>, or null.</summary>
    public int? BosId { get; init; }

    /// <summary><c>eos_token_id</c>, one number or a list there; empty when absent.</summary>
    public IReadOnlyList<int> EosIds { get; init; } = [];

    /// <summary><c>pad_token_id</c>, or null.</summary>
    public int? PadId { get; init; }

    /// <summary>
    /// The tensors of a model of this config with their shapes [rows, columns] or [length], in the order of the computation. Linear layers are
    /// [outputs, inputs].
    /// </summary>
    public IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        int queries = Heads * HeadSize, keys = KeyValueHeads * HeadSize;
        yield return ("model.embed_tokens.weight", [VocabularySize, HiddenSize]);
        for (int i = 0; i < Layers; i++)
        {
            string layer = $"model.layers.{i}.";
            yield return (layer + "input_layernorm.weight", [HiddenSize]);
            yield return (layer + "self_attn.q_proj.weight", [queries, HiddenSize]);
            yield return (layer + "self_attn.k_proj.weight", [keys, HiddenSize]);
            yield return (layer + "self_attn.v_proj.weight", [keys, HiddenSize]);
            yield return (layer + "self_attn.o_proj.weight", [HiddenSize, queries]);
            yield return (layer + "post_attention_layernorm.weight", [HiddenSize]);
            yield return (layer + "mlp.gate_proj.weight", [IntermediateSize, HiddenSize]);
            yield return (layer + "mlp.up_proj.weight", [IntermediateSize, HiddenSize]);
            yield return (layer + "mlp.down_proj.weight", [HiddenSize, IntermediateSize]);
        }
        yield return ("model.norm.weight", [HiddenSize]);
        if (!TiedEmbeddings) yield return ("lm_head.weight", [VocabularySize, HiddenSize]);
    }
}
