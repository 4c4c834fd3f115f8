using System.Numerics;

namespace EcoLora.Training;

/// <summary>
/// A model's passes over batches: what a backend computes. The order of the batches, the groups, the optimiser and the preference loss are the same for all backends.
/// One call at a time.
/// </summary>
/// <typeparam name="T">float for training; double in gradient checks.</typeparam>
internal interface IModelPass<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>The sum of −ln p over the scored rows, in row order; see <see cref="Losses"/> for each. Dropout is off.</summary>
    /// <param name="batch">At least one scored row.</param>
    /// <param name="adapter">The LoRA vector, or empty without LoRA.</param>
    /// <param name="cancellation">Honoured between layers.</param>
    double Loss(Batch batch, ReadOnlySpan<T> adapter, CancellationToken cancellation = default);

    /// <summary>The loss of each scored row of the last batch.</summary>
    ReadOnlySpan<T> Losses(Batch batch);

    /// <summary>As <see cref="Loss"/>, and adds the gradient of the losses' sum, divided by <paramref name="divisor"/>, to the LoRA vector's.</summary>
    /// <param name="batch">At least one scored row.</param>
    /// <param name="divisor">The scored rows of the whole step: the gradient is its mean's.</param>
    /// <param name="adapter">The LoRA vector.</param>
    /// <param name="adapterGradient">Its gradient.</param>
    /// <param name="dropout">The step's dropout masks; null turns dropout off.</param>
    /// <param name="cancellation">Honoured between layers.</param>
    double LossAndGradient(Batch batch, int divisor, ReadOnlySpan<T> adapter, Span<T> adapterGradient, DropoutMasks? dropout, CancellationToken cancellation = default);

    /// <summary>
    /// The loss that an objective makes of the rows' losses ℓ, and adds its gradient Σ sᵢ·∇ℓᵢ to the LoRA vector's: the layers run forward once, the head
    /// twice, since the scales sᵢ follow from all rows of a sequence.
    /// </summary>
    /// <param name="batch">At least one scored row.</param>
    /// <param name="objective">The loss, and the scales.</param>
    /// <param name="adapter">The LoRA vector.</param>
    /// <param name="adapterGradient">Its gradient.</param>
    /// <param name="dropout">The step's dropout masks; null turns dropout off.</param>
    /// <param name="cancellation">Honoured between layers.</param>
    double LossAndGradient(
        Batch batch, RowObjective<T> objective, ReadOnlySpan<T> adapter, Span<T> adapterGradient, DropoutMasks? dropout, CancellationToken cancellation = default);
}

/// <summary>The forward pass of generation: the new tokens of several sequences go through the layers together, and attention reads each sequence's cached keys and values.</summary>
internal interface ICachedPass : IDisposable
{
    /// <summary>Number of sequences that have new tokens.</summary>
    int Pending { get; }

    /// <summary>The logits of the last row of each sequence that <see cref="Step"/> returned [sequences, V].</summary>
    ReadOnlySpan<float> Logits { get; }

    /// <summary>Begins new sequences, numbered from 0, of at most <paramref name="capacity"/> tokens each.</summary>
    void Start(int capacity, int slots);

    /// <summary>Adds new tokens to a sequence.</summary>
    void Append(int slot, ReadOnlySpan<int> tokens);

    /// <summary>Runs the new tokens and returns the sequences that had some, in the order of <see cref="Logits"/>' rows; valid until the next step.</summary>
    IReadOnlyList<int> Step();
}
