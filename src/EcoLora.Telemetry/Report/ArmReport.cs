using System.Text.Json.Serialization;

namespace EcoLora.Telemetry;

/// <summary>One round of an arm.</summary>
/// <param name="Round">Round, from 0.</param>
/// <param name="TrainLoss">L_t in nats; null when no participant was accepted.</param>
/// <param name="KA">Scheduled fraction of A entries kept, or null.</param>
/// <param name="KB">Scheduled fraction of B entries kept, or null.</param>
/// <param name="DensityA">Kept / entries of A on the uplink; null without A entries.</param>
/// <param name="DensityB">Kept / entries of B on the uplink; null without B entries.</param>
/// <param name="DownDensityA">Kept / entries of A on the downlink; null without A entries.</param>
/// <param name="DownDensityB">Kept / entries of B on the downlink; null without B entries.</param>
/// <param name="Coverage">Accepted updates per segment; 0 means that the segment kept its value.</param>
/// <param name="Bytes">Bytes by direction and stage.</param>
/// <param name="HeldOut">The version that this round produced, or null when it was not evaluated.</param>
/// <param name="Participants">The participants in slot order.</param>
/// <param name="ServerResidual">‖S‖₂, what the published chain does not have yet; null where that is not known.</param>
public sealed record RoundReport(
    int Round, double? TrainLoss, [property: JsonPropertyName("kA")] double? KA, [property: JsonPropertyName("kB")] double? KB,
    double? DensityA, double? DensityB, double? DownDensityA, double? DownDensityB,
    IReadOnlyList<int> Coverage, DirectionBytes Bytes, Evaluation? HeldOut, IReadOnlyList<Participant> Participants, double? ServerResidual = null);

/// <summary>An arm of a run: the method, or one of its baselines.</summary>
/// <param name="Name">Unique in the run.</param>
/// <param name="Method">Such as <c>fedit</c>.</param>
/// <param name="Exchange">What is sent.</param>
/// <param name="Parameters">|P| that the method exchanges.</param>
/// <param name="Segments">N_s.</param>
/// <param name="AdapterDigest">SHA-256 of the exported adapter in hex, or null.</param>
/// <param name="RefusedUpdates">Participants over all rounds whose update was refused.</param>
/// <param name="AbsentUpdates">Participants over all rounds whose update did not arrive.</param>
/// <param name="Before">The adapter before the first round, or null when not evaluated.</param>
/// <param name="Final">The last evaluated version, or <paramref name="Before"/>.</param>
/// <param name="Totals">Bytes by direction and stage over the run.</param>
/// <param name="Computed">Against the dense columns of this arm's own ledger.</param>
/// <param name="Measured">Against the bytes on the wire of the real dense arms of the same method; members are null where such an arm did not run.</param>
/// <param name="Recovered">(L_before − L_arm) / (L_before − L_dense) against the dense FP16 arm of the same method; null when that arm is missing or
/// did not improve.</param>
/// <param name="Rounds">The rounds in their order.</param>
public sealed record ArmReport(
    string Name, string Method, Exchange Exchange, long Parameters, int Segments, string? AdapterDigest, int RefusedUpdates, int AbsentUpdates,
    Evaluation? Before, Evaluation? Final, DirectionBytes Totals, Reduction Computed, Reduction Measured, double? Recovered,
    IReadOnlyList<RoundReport> Rounds)
{
    /// <summary>Sums an arm's ledger into its report. <see cref="Measured"/> and <see cref="Recovered"/> need the other arms;
    /// <see cref="RunReport.Of"/> fills them.</summary>
    /// <exception cref="ArgumentException">Rounds out of order, a segment outside 0..N_s − 1, or a ledger row of a round that is not there.</exception>
    public static ArmReport Of(ArmFacts facts)
    {
        LedgerTotals totals = LedgerTotals.Of(facts.Ledger);
        for (int i = 1; i < facts.Rounds.Count; i++)
            if (facts.Rounds[i].Round <= facts.Rounds[i - 1].Round)
                throw new ArgumentException(
                    $"arm '{facts.Name}': expected rounds in order, found {facts.Rounds[i].Round} after {facts.Rounds[i - 1].Round}", nameof(facts));
        foreach ((int round, _) in totals.Rounds)
            if (facts.Rounds.All(known => known.Round != round))
                throw new ArgumentException($"arm '{facts.Name}': the ledger has a row of round {round}, which the report does not", nameof(facts));

        ILookup<(int, Direction, string), LedgerRow> rows = facts.Ledger.ToLookup(row => (row.Round, row.Direction, row.Client));
        RoundReport[] rounds = [.. facts.Rounds.Select(round => Round(facts, round, totals.Round(round.Round), rows))];
        return new ArmReport(
            facts.Name, facts.Method, facts.Exchange, facts.Parameters, facts.Segments, facts.AdapterDigest,
            Count(rounds, ParticipantStatus.Refused), Count(rounds, ParticipantStatus.Absent),
            facts.Before, facts.Rounds.LastOrDefault(round => round.HeldOut is not null)?.HeldOut ?? facts.Before,
            totals.All, totals.All.Reduction, new Reduction(null, null, null, null, null, null), null, rounds);
    }

    /// <summary>This arm with <see cref="Measured"/> and <see cref="Recovered"/> against the dense arms of the same method in a run.</summary>
    internal ArmReport Against(IReadOnlyList<ArmReport> arms)
    {
        DirectionBytes? fp32 = Dense(Exchange.DenseFp32)?.Totals;
        ArmReport? dense = Dense(Exchange.DenseFp16);
        DirectionBytes? fp16 = dense?.Totals;
        return this with
        {
            Measured = new Reduction(
                Ratio(fp32?.UpBytes, Totals.UpBytes), Ratio(fp16?.UpBytes, Totals.UpBytes), Ratio(fp32?.DownBytes, Totals.DownBytes),
                Ratio(fp16?.DownBytes, Totals.DownBytes), Ratio(fp32?.TotalBytes, Totals.TotalBytes), Ratio(fp16?.TotalBytes, Totals.TotalBytes)),
            Recovered = Before?.Loss is { } before && Final?.Loss is { } loss && dense?.Final?.Loss is { } reference && before - reference > 0
                ? (before - loss) / (before - reference)
                : null,
        };

        ArmReport? Dense(Exchange exchange) => arms.FirstOrDefault(arm => arm.Exchange == exchange && arm.Method == Method);
        static double? Ratio(long? reference, long bytes) => reference is { } known ? DirectionBytes.Ratio(known, bytes) : null;
    }

    private static RoundReport Round(ArmFacts facts, RoundFacts round, DirectionBytes bytes, ILookup<(int, Direction, string), LedgerRow> rows)
    {
        int[] coverage = new int[facts.Segments];
        foreach (Participant participant in round.Participants)
        {
            if (participant.Segment is { } sent && (sent < 0 || sent >= facts.Segments))
                throw new ArgumentException(
                    $"arm '{facts.Name}', round {round.Round}: expected a segment from 0 to {facts.Segments - 1}, found {sent}", nameof(facts));
            if (participant.Status != ParticipantStatus.Accepted) continue;
            for (int s = 0; s < coverage.Length; s++)
                if (participant.Segment is null || participant.Segment == s)
                    coverage[s]++;
        }
        Participant[] participants =
        [
            .. round.Participants.Select(participant => participant with
            {
                UpBytes = rows[(round.Round, Direction.Up, participant.Client)].Sum(row => row.Framed),
                DownBytes = rows[(round.Round, Direction.Down, participant.Site)].Sum(row => row.Framed),
            }),
        ];
        return new RoundReport(
            round.Round, round.TrainLoss, round.KA, round.KB, bytes.Up.DensityA, bytes.Up.DensityB, bytes.Down.DensityA, bytes.Down.DensityB,
            coverage, bytes, round.HeldOut, participants, round.ServerResidual);
    }

    private static int Count(IEnumerable<RoundReport> rounds, ParticipantStatus status) =>
        rounds.Sum(round => round.Participants.Count(participant => participant.Status == status));
}
