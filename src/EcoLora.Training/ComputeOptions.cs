namespace EcoLora.Training;

/// <summary>How a machine computes; no bit of a result depends on it.</summary>
/// <param name="Threads">Most threads that one job works on, at least 1. A step of few or short examples uses fewer: see
/// <see cref="TrainingOptions.BatchSize"/>; a thread takes about 256 tokens at a time.</param>
/// <param name="RecomputesLayers">
/// Keeps only each layer's input for the backward pass and runs its forward pass again there: about a third more work for activations of 4·D bytes per token
/// and layer instead of about 4·(2·D + 2·H·d + 2·KH·d + 2·F).
/// </param>
public sealed record ComputeOptions(int Threads = 1, bool RecomputesLayers = false)
{
    /// <summary>Shares a machine's threads among jobs that run at once.</summary>
    /// <param name="threads">The machine's, at least 1.</param>
    /// <param name="jobs">Most jobs that there can be.</param>
    /// <param name="recomputesLayers">See there.</param>
    public static ComputeOptions Shared(int threads, int jobs, bool recomputesLayers) => new(threads / Math.Clamp(jobs, 1, threads), recomputesLayers);

    /// <summary>Checks the options.</summary>
    /// <exception cref="ArgumentException">An option is out of its range; the message names it, its value and the limit.</exception>
    public void Validate() => Limit.Range(nameof(Threads), Threads, 1, 1_024);
}
