using EcoLora.Numerics;

namespace EcoLora.Formats.HuggingFace;

/// <summary>A family of models that compute alike: Llama's decoder, apart from where they have biases.</summary>
public enum ModelFamily
{
    /// <summary><c>llama</c>: Llama 2 and 3.x, TinyLlama, SmolLM.</summary>
    Llama,

    /// <summary><c>mistral</c>, with full attention: a sequence may be as long as the sliding window, if it has one.</summary>
    Mistral,

    /// <summary><c>qwen2</c>: Qwen 2 and 2.5, with biases of queries, keys and values.</summary>
    Qwen2,
}

/// <summary>The sizes and constants of a model of Llama's architecture, as config.json has them.</summary>
public sealed record ModelConfig
{
    /// <summary>The family (<c>model_type</c>).</summary>
    public ModelFamily Family { get; init; }

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

    /// <summary>Longest sequence that the model was made for (<c>max_position_embeddings</c>, or <c>sliding_window</c> where that is shorter).</summary>
    public required int MaxPositions { get; init; }

    /// <summary>ε of RMSNorm (<c>rms_norm_eps</c>).</summary>
    public double RmsNormEpsilon { get; init; } = 1e-6;

    /// <summary>Base of the rotary frequencies (<c>rope_theta</c>).</summary>
    public double RopeTheta { get; init; } = 10_000;

    /// <summary>How the rotary frequencies are scaled (<c>rope_scaling</c>), or null.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>Queries, keys and values have biases (Qwen2; <c>attention_bias</c> of Llama).</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>The output of attention has a bias (<c>attention_bias</c> of Llama).</summary>
    public bool OutputBias { get; init; }

    /// <summary>The three layers of the feed-forward part have biases (<c>mlp_bias</c>).</summary>
    public bool MlpBias { get; init; }

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
            foreach ((string, int[]) each in Linear("self_attn.q_proj", queries, HiddenSize, QueryKeyValueBias)) yield return each;
            foreach ((string, int[]) each in Linear("self_attn.k_proj", keys, HiddenSize, QueryKeyValueBias)) yield return each;
            foreach ((string, int[]) each in Linear("self_attn.v_proj", keys, HiddenSize, QueryKeyValueBias)) yield return each;
            foreach ((string, int[]) each in Linear("self_attn.o_proj", HiddenSize, queries, OutputBias)) yield return each;
            yield return (layer + "post_attention_layernorm.weight", [HiddenSize]);
            foreach ((string, int[]) each in Linear("mlp.gate_proj", IntermediateSize, HiddenSize, MlpBias)) yield return each;
            foreach ((string, int[]) each in Linear("mlp.up_proj", IntermediateSize, HiddenSize, MlpBias)) yield return each;
            foreach ((string, int[]) each in Linear("mlp.down_proj", HiddenSize, IntermediateSize, MlpBias)) yield return each;

            IEnumerable<(string, int[])> Linear(string module, int outputs, int inputs, bool bias)
            {
                yield return ($"{layer}{module}.weight", [outputs, inputs]);
                if (bias) yield return ($"{layer}{module}.bias", [outputs]);
            }
        }
        yield return ("model.norm.weight", [HiddenSize]);
        if (!TiedEmbeddings) yield return ("lm_head.weight", [VocabularySize, HiddenSize]);
    }
}
