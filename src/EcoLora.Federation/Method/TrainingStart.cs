namespace EcoLora.Federation;

/// <summary>What a participant begins a round with.</summary>
/// <param name="Adapter">Its whole adapter, A and B, which is trained in place.</param>
/// <param name="BaseChange">ΔW^t that is merged into the base before training, all modules in order; empty where the base stays as it is.</param>
/// <param name="MixingWeight">m with which the start was mixed.</param>
public sealed record TrainingStart(float[] Adapter, ReadOnlyMemory<float> BaseChange, double MixingWeight)
{
    /// <summary>P̂_i = (1 − m)·Q^t + m·P_i^τ (Eq. 3); or, where rounds are merged into the base, the base with ΔW^t and a fresh adapter of the client's rank.</summary>
    /// <param name="plan">The run.</param>
    /// <param name="round">t.</param>
    /// <param name="client">Number of the client.</param>
    /// <param name="published">Q^t, or ΔW^t.</param>
    /// <param name="lastRound">τ, or null.</param>
    /// <param name="local">P_i^τ; not read when m = 0.</param>
    public static TrainingStart Of(RunPlan plan, int round, int client, ReadOnlyMemory<float> published, int? lastRound, ReadOnlySpan<float> local)
    {
        FederatedMethod method = plan.FederatedMethod;
        if (method.MergesIntoBase) return new TrainingStart(plan.FreshAdapter(round, client), published, 0);
        double weight = Mixing.Weight(plan.Exchange.MixingBeta, round, lastRound);
        float[] start = new float[published.Length];
        Mixing.Mix(weight, published.Span, local, start);
        return new TrainingStart(method.WholeAdapter(plan.AdapterLayout(), plan.Seed, start), default, weight);
    }
}
