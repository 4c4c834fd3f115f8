using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>
/// A federated LoRA method as a value: which tensors train and travel, against what a change is measured, what a round resets, how changes are
/// aggregated, and what is exported. The round itself knows no method.
/// </summary>
public sealed class FederatedMethod
{
    private readonly LoraRole[] _exchanged;

    private FederatedMethod(string name, params LoraRole[] exchanged) => (Name, _exchanged) = (name, exchanged);

    /// <summary>FedIT (Zhang et al. 2024): A and B train, travel and are averaged separately, with weights n_i/Σn.</summary>
    public static FederatedMethod FedIt { get; } = new("fedit", LoraRole.A, LoraRole.B);

    /// <summary>
    /// FFA-LoRA (Sun et al. 2024): A_0 comes from the run's seed and is frozen; only B trains and travels, so the mean of products is the product of
    /// the mean: Σ p_i(B_i·A_0) = (Σ p_i·B_i)·A_0.
    /// </summary>
    public static FederatedMethod FfaLora { get; } = new("ffa-lora", LoraRole.B);

    /// <summary>
    /// FLoRA (Wang et al. 2024): every round begins with fresh adapters, whose ranks may differ; they are stacked, not averaged, so that nothing of Σ p_k·B_k·A_k is lost,
    /// and the stack is merged into the base (<see cref="StackedChange"/>).
    /// </summary>
    public static FederatedMethod Flora { get; } = new("flora", LoraRole.A, LoraRole.B) { MergesIntoBase = true };

    /// <summary>All methods, by name.</summary>
    public static IReadOnlyList<FederatedMethod> All { get; } = [FedIt, FfaLora, Flora];

    /// <summary>
    /// Whether a round's adapters are merged into the base: what is published is then ΔW of every module, a change is measured against a fresh adapter, and segments are whole
    /// modules. Else an adapter is published, and the base stays as it is.
    /// </summary>
    public bool MergesIntoBase { get; private init; }

    /// <summary>Name in run files.</summary>
    public string Name { get; }

    /// <summary>The method of that name.</summary>
    /// <exception cref="ArgumentException">There is none: the name, and the known ones.</exception>
    public static FederatedMethod Named(string name) =>
        All.FirstOrDefault(method => method.Name == name)
        ?? throw new ArgumentException($"federation.method: expected one of {string.Join(", ", All.Select(method => method.Name))}, found '{name}'");

    /// <summary>True for a tensor that trains and travels.</summary>
    public bool Trains(LoraRole role) => _exchanged.Contains(role);

    /// <summary>The layout of what travels.</summary>
    public LoraLayout ExchangedLayout(LoraLayout adapter) => MergesIntoBase ? adapter.CutAtModules() : _exchanged.Length == 2 ? adapter : adapter.Only(_exchanged[0]);

    /// <summary>
    /// The exchange that remains of a run file's: a stack is neither mixed, nor coded again, nor has it a residual, since the adapters of two rounds have nothing in common.
    /// </summary>
    public ExchangeOptions Effective(ExchangeOptions exchange) => MergesIntoBase
        ? exchange with { MixingBeta = null, Feedback = 0, Residuals = ResidualHolder.Client, ValuesDown = null, KDown = null, Sums = CoverageScale.Mean }
        : exchange;

    /// <summary>
    /// Q^0 from the seed: the exchanged vector, against whose published successors a change is measured; or, where rounds are merged into the base, ΔW = 0 of every
    /// module, [outputs, inputs] row-major, in their order.
    /// </summary>
    public float[] InitialReference(LoraLayout adapter, ulong seed) => MergesIntoBase
        ? new float[adapter.Tensors.Chunk(2).Sum(pair => pair[1].Rows * pair[0].Columns)]
        : Exchanged(adapter, LoraInitialization.Create(adapter, seed));

    /// <summary>Takes what travels out of a whole adapter.</summary>
    public float[] Exchanged(LoraLayout adapter, ReadOnlySpan<float> whole)
    {
        LoraLayout layout = ExchangedLayout(adapter);
        float[] vector = new float[layout.Length];
        foreach ((LoraTensor from, LoraTensor to) in Pairs(adapter, layout)) from.In(whole).CopyTo(to.In(vector.AsSpan()));
        return vector;
    }

    /// <summary>
    /// The whole adapter, for training, evaluation and export: the exchanged tensors, and the seed's values for those that are frozen.
    /// </summary>
    public float[] WholeAdapter(LoraLayout adapter, ulong seed, ReadOnlySpan<float> exchanged)
    {
        float[] whole = LoraInitialization.Create(adapter, seed);
        foreach ((LoraTensor to, LoraTensor from) in Pairs(adapter, ExchangedLayout(adapter))) from.In(exchanged).CopyTo(to.In(whole.AsSpan()));
        return whole;
    }

    private IEnumerable<(LoraTensor Whole, LoraTensor Exchanged)> Pairs(LoraLayout adapter, LoraLayout exchanged) =>
        adapter.Tensors.Where(tensor => Trains(tensor.Role)).Zip(exchanged.Tensors);
}
