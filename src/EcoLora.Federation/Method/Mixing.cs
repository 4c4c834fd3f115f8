namespace EcoLora.Federation;

/// <summary>Eq. 3: a client starts from the published adapter mixed with its own last one.</summary>
public static class Mixing
{
    /// <summary>m = e^{−β(t−τ)}; 0 when mixing is off or the client takes part for the first time.</summary>
    /// <param name="beta">β, or null for off.</param>
    /// <param name="round">t.</param>
    /// <param name="lastRound">τ &lt; t, the client's last round, or null.</param>
    public static double Weight(double? beta, int round, int? lastRound) =>
        beta is { } rate && lastRound is { } last ? Math.Exp(-rate * (round - last)) : 0;

    /// <summary>P̂_i = (1 − m)·Q^t + m·P_i^τ, entry by entry in double precision, rounded once.</summary>
    /// <param name="weight">m.</param>
    /// <param name="published">Q^t.</param>
    /// <param name="local">P_i^τ; not read when m = 0.</param>
    /// <param name="start">Receives P̂_i.</param>
    public static void Mix(double weight, ReadOnlySpan<float> published, ReadOnlySpan<float> local, Span<float> start)
    {
        if (weight == 0)
        {
            published.CopyTo(start);
            return;
        }
        for (int i = 0; i < start.Length; i++) start[i] = (float)((1 - weight) * published[i] + weight * local[i]);
    }

    /// <summary>ρ, the share of the residual that enters the next upload (method.md, step 6).</summary>
    /// <param name="feedback">ρ, or null for 1 − m.</param>
    /// <param name="weight">m of this round.</param>
    public static double FeedbackShare(double? feedback, double weight) => feedback ?? 1 - weight;
}
