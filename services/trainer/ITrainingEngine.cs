using EcoLora.Federation;

namespace EcoLora.Services.Trainer;

/// <summary>
/// What a trainer asks of whatever trains models. Both calls are long and depend on nothing but their arguments, the model and the data. Implementations: the engine of models, on either backend; a made-up one in tests.
/// </summary>
public interface ITrainingEngine
{
    /// <summary>Trains a client's adapter on its data.</summary>
    /// <param name="plan">The run.</param>
    /// <param name="client">Number of the client.</param>
    /// <param name="round">t: names the random streams, and places the learning-rate schedule.</param>
    /// <param name="adapter">The whole adapter of the client's rank, A and B; trained in place.</param>
    /// <param name="baseChange">ΔW of the layers that carry LoRA, merged into the base before training; the same memory for all jobs of a version. Empty: the base as it is.</param>
    /// <param name="cancellation">Stops inside a step.</param>
    /// <returns>Mean loss, or why there is no update (a loss or gradient that is not finite).</returns>
    TrainingOutcome Train(RunPlan plan, int client, int round, float[] adapter, ReadOnlyMemory<float> baseChange, CancellationToken cancellation);

    /// <summary>Scores an adapter, or where a method merges into the base (no adapter) a change of it, on the held-out records.</summary>
    HeldOutScore Evaluate(RunPlan plan, ReadOnlySpan<float> adapter, ReadOnlyMemory<float> baseChange, CancellationToken cancellation);
}

/// <summary>The outcome of local training: a loss, or a refusal.</summary>
/// <param name="Loss">Mean loss over the job's answer tokens, or pairs; not read when refused.</param>
/// <param name="Refused">Why there is no update, or null.</param>
public sealed record TrainingOutcome(double Loss, string? Refused = null);
