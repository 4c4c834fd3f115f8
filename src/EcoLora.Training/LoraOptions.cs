using EcoLora.Codec;

namespace EcoLora.Training;

/// <summary>The linear layers of a decoder layer that can carry LoRA; any set of them.</summary>
[Flags]
public enum LoraTargets
{
    /// <summary>No layer.</summary>
    None = 0,

    /// <summary>The queries, <c>self_attn.q_proj</c>.</summary>
    QProj = 1,

    /// <summary>The keys, <c>self_attn.k_proj</c>.</summary>
    KProj = 2,

    /// <summary>The values, <c>self_attn.v_proj</c>.</summary>
    VProj = 4,

    /// <summary>The output of attention, <c>self_attn.o_proj</c>.</summary>
    OProj = 8,

    /// <summary>The gate of the feed-forward layer, <c>mlp.gate_proj</c>.</summary>
    GateProj = 16,

    /// <summary>The way up of the feed-forward layer, <c>mlp.up_proj</c>.</summary>
    UpProj = 32,

    /// <summary>The way down of the feed-forward layer, <c>mlp.down_proj</c>.</summary>
    DownProj = 64,

    /// <summary>All seven.</summary>
    All = 127,
}

/// <summary>
/// Low-rank adaptation (Hu et al., 2021): y = W·x + s·B·A·dropout(x) with A [r, n], B [m, r] and s = α/r, or α/√r with <see cref="RsLora"/> (Kalajdzievski,
/// 2023).
/// </summary>
/// <param name="Rank">r, 1 to 1,024.</param>
/// <param name="Alpha">α, positive.</param>
/// <param name="Targets">The layers that carry a pair; the paper's are the queries and the values.</param>
/// <param name="Dropout">Probability that an entry of LoRA's input is dropped in training, 0 to below 1.</param>
/// <param name="RsLora">Whether s = α/√r.</param>
/// <param name="FreezeA">Whether only B trains (FFA-LoRA, Sun et al., 2024); A keeps its start value and its gradient is not computed.</param>
public sealed record LoraOptions(
    int Rank = 8, double Alpha = 16, LoraTargets Targets = LoraTargets.QProj | LoraTargets.VProj, double Dropout = 0, bool RsLora = false, bool FreezeA = false)
{
    private static readonly string[] s_names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    /// <summary>s, what B·A·x is multiplied with.</summary>
    public double Scale => RsLora ? Alpha / Math.Sqrt(Rank) : Alpha / Rank;

    /// <summary>Hugging Face's names of the targets, in the order of the LoRA vector.</summary>
    public IReadOnlyList<string> TargetNames => [.. s_names.Where((_, kind) => Carries((LinearKind)kind))];

    /// <summary>Reads target names such as <c>q_proj</c>.</summary>
    /// <exception cref="ArgumentException">A name is unknown.</exception>
    public static LoraTargets ParseTargets(IEnumerable<string> names)
    {
        var targets = LoraTargets.None;
        foreach (string name in names)
        {
            int kind = Array.IndexOf(s_names, name);
            if (kind < 0) throw new ArgumentException($"Targets: expected names among {string.Join(", ", s_names)}, found '{name}'", nameof(names));
            targets |= (LoraTargets)(1 << kind);
        }
        return targets;
    }

    /// <summary>The same adapter in another rank, with the same s: α = s·r, or s·√r with <see cref="RsLora"/>.</summary>
    public LoraOptions OfRank(int rank) => rank == Rank ? this : this with { Rank = rank, Alpha = Scale * (RsLora ? Math.Sqrt(rank) : rank) };

    /// <summary>Checks every option.</summary>
    /// <exception cref="ArgumentException">An option is out of its range; the message names it, its value and the limit.</exception>
    public void Validate()
    {
        Limit.Range(nameof(Rank), Rank, 1, 1_024);
        Limit.Positive(nameof(Alpha), Alpha);
        if (Targets == LoraTargets.None || (Targets & ~LoraTargets.All) != 0)
            throw new ArgumentException($"{nameof(Targets)} is {(int)Targets}; expected at least one of {string.Join(", ", s_names)}");
        Limit.Fraction(nameof(Dropout), Dropout);
    }

    /// <summary>The order of the LoRA parameters for a model: layer, then q, k, v, o, gate, up, down, A before B.</summary>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="ModelException">The config is invalid.</exception>
    public LoraLayout LayoutFor(LlamaConfig config)
    {
        Validate();
        config.Validate();
        var modules = new List<LoraModule>();
        for (int layer = 0; layer < config.Layers; layer++)
        {
            for (var kind = LinearKind.Query; kind <= LinearKind.Down; kind++)
            {
                if (!Carries(kind)) continue;
                (int outputs, int inputs) = config.ShapeOf(kind);
                modules.Add(new LoraModule($"model.layers.{layer}.{ParameterLayout.NameOf(kind)}", outputs, inputs, Rank));
            }
        }
        return LoraLayout.Of(modules);
    }

    internal bool Carries(LinearKind kind) => (Targets & (LoraTargets)(1 << (int)kind)) != 0;
}
