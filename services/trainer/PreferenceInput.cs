using System.Collections.Concurrent;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Training;

namespace EcoLora.Services.Trainer;

/// <summary>What an engine prefers by: task <c>dpo</c>.</summary>
/// <param name="Beta">β.</param>
/// <param name="Clients">Each client's pairs, by number.</param>
/// <param name="HeldOut">Pairs that no client trains on.</param>
public sealed record PreferenceInput(double Beta, IReadOnlyList<IReadOnlyList<PreferencePair>> Clients, IReadOnlyList<PreferencePair> HeldOut);

/// <summary>
/// The losses of a run's pairs against π_ref: the original base with Q^0, the run's first adapter, whatever a method later merges into the base. A client's
/// references are measured before its first job, without gradient, and kept: 8 bytes a pair.
/// </summary>
/// <param name="engine">The original base, the adapter's shape, and where it computes.</param>
/// <param name="input">The pairs.</param>
internal sealed class PreferenceReference(EngineInput engine, PreferenceInput input)
{
    private const int HeldOut = -1;

    private readonly ConcurrentDictionary<int, PreferenceLoss> _losses = new();

    /// <summary>The loss of a client's pairs.</summary>
    public PreferenceLoss OfClient(RunPlan plan, int client, CancellationToken cancellation) => Of(plan, client, input.Clients[client], cancellation);

    /// <summary>The loss of the held-out pairs.</summary>
    public PreferenceLoss OfHeldOut(RunPlan plan, CancellationToken cancellation) => Of(plan, HeldOut, input.HeldOut, cancellation);

    private PreferenceLoss Of(RunPlan plan, int key, IReadOnlyList<PreferencePair> pairs, CancellationToken cancellation) => _losses.GetOrAdd(key, _ =>
    {
        IDecoder reference = engine.Backend.Tuned(engine.Model, engine.Lora, LoraInitialization.Create(plan.AdapterLayout(), plan.Seed));
        return new PreferenceLoss(input.Beta, PreferencePair.LogRatios(reference, pairs, engine.Passes, cancellation: cancellation));
    });
}
