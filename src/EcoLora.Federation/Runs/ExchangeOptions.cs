using System.Text.Json.Serialization;
using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>Whose residual it is that enters an upload.</summary>
public enum ResidualHolder
{
    /// <summary>The client's own: what it did not send waits for its next round, however long that is.</summary>
    Client,

    /// <summary>
    /// The site's: what its participants did not send, summed, waits for the next of its clients that sends the segment, so it is sent while it is fresh. In a round the first participant at the
    /// site, in slot order, carries it.
    /// </summary>
    Site,
}

/// <summary>
/// What a sum over senders is divided by, entry by entry. c_j is the share of the segment's weights whose frames send entry j, in (0, 1]; with top-k most entries have few senders.
/// </summary>
public enum CoverageScale
{
    /// <summary>U_j = Σ w_i·sent_ij, Eq. 2: who does not send an entry says 0.</summary>
    Mean,

    /// <summary>U_j = Σ w_i·sent_ij / √c_j: between the two.</summary>
    RootCoverage,

    /// <summary>U_j = Σ w_i·sent_ij / c_j: the mean over those who send the entry.</summary>
    Senders,
}

/// <summary>
/// How segments travel: the paper's three mechanisms and their settings. Dense exchange is the same path with one segment, k = 1, no mixing and
/// no feedback (<see cref="Dense"/>), which is how the baselines are made.
/// </summary>
public sealed record ExchangeOptions
{
    /// <summary>N_s, 1..participants.</summary>
    public int Segments { get; init; } = 5;

    /// <summary>k_max of Eq. 4, for A and B; in (0, 1].</summary>
    public double KMax { get; init; } = 0.95;

    /// <summary>k_min of Eq. 4 for A; in (0, k_max].</summary>
    public double KMinA { get; init; } = 0.6;

    /// <summary>k_min of Eq. 4 for B; in (0, k_max].</summary>
    public double KMinB { get; init; } = 0.5;

    /// <summary>γ of Eq. 4 for A, per unit of loss; ≥ 0.</summary>
    public double GammaA { get; init; } = 4;

    /// <summary>γ of Eq. 4 for B, per unit of loss; ≥ 0.</summary>
    public double GammaB { get; init; } = 8;

    /// <summary>β of Eq. 3, per round; ≥ 0. Null switches mixing off (m = 0).</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)] // Left out, null would come back as the default.
    public double? MixingBeta { get; init; } = 1;

    /// <summary>ρ of Eq. 6, in [0, 1]; 0: what is not sent is lost. Null, the default: ρ = 1 − m, since mixing already returns the share m of the client's own unsent change.</summary>
    public double? Feedback { get; init; }

    /// <summary>Whose residual an upload carries.</summary>
    public ResidualHolder Residuals { get; init; }

    /// <summary>How kept values are written: up, and down unless <see cref="ValuesDown"/> says otherwise.</summary>
    public ValueMode Values { get; init; } = ValueMode.Fp16;

    /// <summary>How the kept values of the published change are written; null: as those of the uplink.</summary>
    public ValueMode? ValuesDown { get; init; }

    /// <summary>k of the published change, for A and B, in (0, 1]; null: as on the uplink.</summary>
    public double? KDown { get; init; }

    /// <summary>First rounds in which k = 1 both ways, ≥ 0: the early changes are the ones that clients agree on.</summary>
    public int DenseRounds { get; init; }

    /// <summary>What sums are divided by.</summary>
    public CoverageScale Sums { get; init; }

    /// <summary>
    /// m of the server's momentum, in [0, 1): V ← m·V + D, Q ← Q + V. Every receiver takes this step from the decoded change D, so it costs no bytes and comes after the lossy step.
    /// </summary>
    public double ServerMomentum { get; init; }

    /// <summary>How positions and values are coded, up and down.</summary>
    public LosslessCoding Coding { get; init; } = LosslessCoding.Entropy;

    /// <summary>
    /// Most bytes of all the run's frames, up and down, &gt; 0; control messages are not in it. The densities of Eq. 4 and of the downlink then only say how these bytes are shared between A, B,
    /// up and down (<see cref="ByteBudget"/>). Null: no limit.
    /// </summary>
    public long? Budget { get; init; }

    /// <summary>Most that ‖·‖₂ of a participant's segment may be, &gt; 0: a frame above it is refused by the aggregator. Null: no limit.</summary>
    public double? MaxNorm { get; init; }

    /// <summary>The whole vector as plain values, every round, by every participant.</summary>
    public static ExchangeOptions Dense(ValueMode values) => new()
    {
        Segments = 1,
        KMax = 1,
        KMinA = 1,
        KMinB = 1,
        GammaA = 0,
        GammaB = 0,
        MixingBeta = null,
        Feedback = 0,
        Values = values,
        Coding = LosslessCoding.Golomb, // Of all entries: no positions, values as they are.
    };

    /// <summary>The share k of all entries with the largest magnitudes, every round, by every participant, without mixing and feedback.</summary>
    public static ExchangeOptions Fixed(double k, ValueMode values) => Dense(values) with { KMax = k, KMinA = k, KMinB = k, Coding = LosslessCoding.Entropy };

    /// <summary>k^t of Eq. 4 for A and B.</summary>
    /// <param name="round">t.</param>
    /// <param name="firstLoss">L_0, or null.</param>
    /// <param name="previousLoss">L_{t−1}, or null.</param>
    public (double A, double B) Keep(int round, double? firstLoss, double? previousLoss) => round < DenseRounds
        ? (1, 1)
        : (AdaptiveDensity.Fraction(KMinA, KMax, GammaA, firstLoss, previousLoss), AdaptiveDensity.Fraction(KMinB, KMax, GammaB, firstLoss, previousLoss));

    /// <summary>k of the change that a round publishes.</summary>
    /// <param name="round">t.</param>
    /// <param name="uplink">k^t.</param>
    public (double A, double B) KeepDown(int round, (double A, double B) uplink) => round < DenseRounds || KDown is not { } share ? uplink : (share, share);

    /// <summary>How a participant's segment is compressed.</summary>
    public Compression Up(double keepA, double keepB) => new(keepA, keepB, Values, Coding);

    /// <summary>How the published change is compressed.</summary>
    public Compression Down(double keepA, double keepB) => new(keepA, keepB, ValuesDown ?? Values, Coding);

    /// <summary>Checks every option against its range.</summary>
    /// <param name="participants">N_t, which N_s must not exceed.</param>
    /// <exception cref="ArgumentException">An option, its value and its limit.</exception>
    public void Validate(int participants)
    {
        Require(Segments >= 1 && Segments <= participants, "exchange.segments", Segments,
            $"1 to {participants} (federation.participants), so that every segment has a sender");
        Require(Segments <= ushort.MaxValue, "exchange.segments", Segments, $"at most {ushort.MaxValue}, which is what a frame can name");
        Require(KMax is > 0 and <= 1, "exchange.k_max", KMax, "in (0, 1]");
        Require(KMinA > 0 && KMinA <= KMax, "exchange.k_min_a", KMinA, $"in (0, {KMax}] (k_max)");
        Require(KMinB > 0 && KMinB <= KMax, "exchange.k_min_b", KMinB, $"in (0, {KMax}] (k_max)");
        Require(GammaA is >= 0 and < double.PositiveInfinity, "exchange.gamma_a", GammaA, "0 or more");
        Require(GammaB is >= 0 and < double.PositiveInfinity, "exchange.gamma_b", GammaB, "0 or more");
        Require(Feedback is null or (>= 0 and <= 1), "exchange.feedback", Feedback, "in [0, 1], or one_minus_mixing");
        Require(Enum.IsDefined(Residuals), "exchange.residuals", Residuals, $"one of {string.Join(", ", Enum.GetNames<ResidualHolder>())}");
        Require(Enum.IsDefined(Values), "exchange.values", Values, $"one of {string.Join(", ", Enum.GetNames<ValueMode>())}");
        Require(ValuesDown is not { } down || Enum.IsDefined(down), "exchange.values_down", ValuesDown, $"one of {string.Join(", ", Enum.GetNames<ValueMode>())}");
        Require(KDown is null or (> 0 and <= 1), "exchange.k_down", KDown, "in (0, 1], or same");
        Require(DenseRounds >= 0, "exchange.dense_rounds", DenseRounds, "0 or more");
        Require(Enum.IsDefined(Sums), "exchange.sums", Sums, $"one of {string.Join(", ", Enum.GetNames<CoverageScale>())}");
        Require(ServerMomentum is >= 0 and < 1, "exchange.server_momentum", ServerMomentum, "in [0, 1)");
        Require(Enum.IsDefined(Coding), "exchange.coding", Coding, $"one of {string.Join(", ", Enum.GetNames<LosslessCoding>())}");
        Require(Budget is null or > 0, "exchange.budget", Budget, "more than 0, or off");
        Require(MaxNorm is null or (> 0 and < double.PositiveInfinity), "exchange.max_norm", MaxNorm, "more than 0, or off");
        Require(MixingBeta is null or (>= 0 and < double.PositiveInfinity), "exchange.mixing_beta", MixingBeta, "0 or more, or off");
    }

    internal static void Require(bool holds, string option, object? value, string limit)
    {
        if (!holds) throw new ArgumentException(FormattableString.Invariant($"{option}: expected {limit}, found {value}"));
    }
}
