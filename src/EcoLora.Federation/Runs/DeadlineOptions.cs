namespace EcoLora.Federation;

/// <summary>When a round may close without all of its participants. A run without these is strict: every round waits for everybody.</summary>
/// <param name="Seconds">Time from the opening of a round after which it closes with what has come; above 0.</param>
/// <param name="MinimumCoverage">Answers (a stored frame, or a refused update) that each segment needs before the round may close; 0 to ⌊N_t / N_s⌋.</param>
/// <param name="OverSampling">Share of N_t that is sampled besides, so that the round need not wait for its slowest; 0 or more.</param>
public sealed record DeadlineOptions(double Seconds, int MinimumCoverage = 1, double OverSampling = 0)
{
    /// <summary>Longest deadline: 30 days.</summary>
    public const double LongestSeconds = 30 * 24 * 3600;

    /// <summary>Clients to sample where N_t are to answer: N_t + ⌈N_t · over-sampling⌉.</summary>
    public int Sampled(int participants) => participants + (int)Math.Ceiling(participants * OverSampling - 1e-9);

    /// <summary>Checks every option against its range.</summary>
    /// <param name="participants">N_t.</param>
    /// <param name="segments">N_s.</param>
    /// <exception cref="ArgumentException">An option, its value and its limit.</exception>
    public void Validate(int participants, int segments)
    {
        ExchangeOptions.Require(Seconds is > 0 and <= LongestSeconds, "federation.deadline", Seconds, $"above 0, at most {LongestSeconds} seconds");
        ExchangeOptions.Require(MinimumCoverage >= 0 && MinimumCoverage <= participants / segments, "federation.minimum_coverage", MinimumCoverage,
            $"0 to {participants / segments}, which {participants} participants with {segments} segments can reach");
        ExchangeOptions.Require(OverSampling is >= 0 and <= 10, "federation.over_sampling", OverSampling, "0 to 10");
    }
}
