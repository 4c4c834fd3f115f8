using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>
/// A federated LoRA method as a value: which tensors train and travel, against what a change is measured, what a round resets, how changes are
/// aggregated, and what is exported. The round itself knows no method.
/// </summary>
public sealed class FederatedMethod
{
    private readonly LoraRole[] _exchanged;
    private readonly Func<IEnumerable<AcceptedFrame>, int, CoverageScale, double[]> _aggregation;

    private FederatedMethod(string name, Func<IEnumerable<AcceptedFrame>, int, CoverageScale, double[]> aggregation, params LoraRole[] exchanged) =>
        (Name, _aggregation, _exchanged) = (name, aggregation, exchanged);

    /// <summary>FedIT (Zhang et al. 2024): A and B train, travel and are averaged separately, with weights n_i/Σn.</summary>
    public static FederatedMethod FedIt { get; } = new("fedit", Aggregation.WeightedMean, LoraRole.A, LoraRole.B);

    /// <summary>
    /// FFA-LoRA (Sun et al. 2024): A_0 comes from the run's seed and is frozen; only B trains and travels, so the mean of products is the product of
    /// the mean: Σ p_i(B_i·A_0) = (Σ p_i·B_i)·A_0.
    /// </summary>
    public static FederatedMethod FfaLora { get; } = new("ffa-lora", Aggregation.WeightedMean, LoraRole.B);

    /// <summary>All methods, by name.</summary>
    public static IReadOnlyList<FederatedMethod> All { get; } = [FedIt, FfaLora];

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
    public LoraLayout ExchangedLayout(LoraLayout adapter) => _exchanged.Length == 2 ? adapter : adapter.Only(_exchanged[0]);

    /// <summary>
    /// Q^0 of the exchanged vector, from the seed. It is also the reference's start: a change is measured against the published Q^t, and no round
    /// resets or merges anything in either method.
    /// </summary>
    public float[] InitialReference(LoraLayout adapter, ulong seed) => Exchanged(adapter, LoraInitialization.Create(adapter, seed));

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

    /// <summary>U of the round, whole, from the accepted frames.</summary>
    public double[] Aggregate(IEnumerable<AcceptedFrame> accepted, int length, CoverageScale scale = CoverageScale.Mean) => _aggregation(accepted, length, scale);

    private IEnumerable<(LoraTensor Whole, LoraTensor Exchanged)> Pairs(LoraLayout adapter, LoraLayout exchanged) =>
        adapter.Tensors.Where(tensor => Trains(tensor.Role)).Zip(exchanged.Tensors);
}
