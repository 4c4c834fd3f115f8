using EcoLora.Federation;
using EcoLora.Telemetry;
using Participant = EcoLora.Telemetry.Participant;

namespace EcoLora.Hosting;

/// <summary>An arm of a run: the method with its exchange, or a baseline.</summary>
/// <param name="Label">What people read, such as <c>fedit + ecolora</c>.</param>
/// <param name="Exchange">What it sends.</param>
/// <param name="Plan">Its plan.</param>
public sealed record Arm(string Label, Exchange Exchange, RunPlan Plan)
{
    /// <summary>The arm of a plan whose exchange goes by a preset's name.</summary>
    public static Arm Of(ExchangePreset preset, RunPlan plan) => new(preset.LabelOf(plan.Method), ExchangeOf(preset), plan);

    private static Exchange ExchangeOf(ExchangePreset preset) =>
        preset.IsOurs ? Exchange.EcoLora
        : preset == ExchangePreset.DenseFp16 ? Exchange.DenseFp16
        : preset == ExchangePreset.DenseFp32 ? Exchange.DenseFp32
        : Exchange.Other;
}

/// <summary>What a run's journal tells the report: ledger rows and round facts.</summary>
public static class ArmFactsOf
{
    /// <summary>Name of a client in reports.</summary>
    public static string ClientName(int client) => $"client-{client:d3}";

    /// <summary>Name of a site in reports: its own where it has one.</summary>
    public static string SiteName(RunPlan plan, int site) => plan.Places?[site].Name ?? $"site-{site:d3}";

    /// <summary>The facts of the rounds that are complete.</summary>
    public static ArmFacts Journal(Arm arm, RunState state)
    {
        RunPlan plan = arm.Plan;
        int parameters = plan.ExchangedLayout().Length;
        var dense = new DenseEntries(plan);
        RoundRecord[] complete = [.. state.Rounds.Where(round => round.Aggregated is not null)];
        return new ArmFacts(
            arm.Label, plan.Method, arm.Exchange, parameters, plan.Exchange.Segments,
            EvaluationOf(state, 0),
            [.. complete.Select(round => FactsOf(arm, round, state))],
            [.. complete.SelectMany(round => Rows(plan, round, dense))],
            state.Adapter?.Digest);
    }

    private static RoundFacts FactsOf(Arm arm, RoundRecord round, RunState state)
    {
        RunPlan plan = arm.Plan;
        bool sparse = plan.Exchange.KMax < 1 || plan.Exchange.Budget is not null;
        return new RoundFacts(
            round.Round,
            [.. round.Opened.Participants.Select(p => ParticipantOf(plan, round, p))],
            round.Loss,
            sparse && plan.FederatedMethod.Trains(Codec.LoraRole.A) ? round.Opened.KeepA : null,
            sparse ? round.Opened.KeepB : null,
            EvaluationOf(state, round.Round + 1),
            plan.FederatedMethod.MergesIntoBase ? null : round.Aggregated!.ServerResidualNorm);
    }

    private static Participant ParticipantOf(RunPlan plan, RoundRecord round, Federation.Participant participant)
    {
        ClientReport? report = round.Clients.GetValueOrDefault(participant.Client);
        string? refusal = round.RefusalOf(participant.Client);
        ParticipantStatus status = refusal is not null ? ParticipantStatus.Refused
            : round.IsAccepted(participant.Client) ? ParticipantStatus.Accepted
            : ParticipantStatus.Absent;
        Enrolment enrolment = plan.EnrolmentOf(participant.Client);
        return new Participant(
            ClientName(participant.Client), SiteName(plan, enrolment.Site), participant.Slot, plan.Exchange.Segments == 1 ? null : participant.Segment,
            enrolment.Samples, status == ParticipantStatus.Accepted ? report?.Loss : null, status, refusal);
    }

    private static Evaluation? EvaluationOf(RunState state, int version)
    {
        if (!state.Evaluations.TryGetValue(version, out Evaluated? evaluated)) return null;
        HeldOutScore score = evaluated.Score;
        return new Evaluation(score.Records, score.Loss, Share(score.Correct, score.Records),
            [.. score.Categories.Select(c => new Telemetry.CategoryScore(c.Category, c.Records, c.Loss, Share(c.Correct, c.Records), Share(c.Preferred, c.Records), c.RewardMargin))],
            Share(score.Preferred, score.Records), score.RewardMargin);
    }

    private static double? Share(int? correct, int records) => correct is { } count && records > 0 ? (double)count / records : null;

    private static IEnumerable<LedgerRow> Rows(RunPlan plan, RoundRecord round, DenseEntries dense)
    {
        foreach (SegmentReceived received in round.Segments.Values.Concat(round.LateSegments.Values))
            yield return Row(round.Round, ClientName(received.Client), Direction.Up, received.Segment, dense.Up(received.Client), received.Sizes with { Framed = received.Sizes.Framed + plan.Overhead });
        foreach (SiteUpdated site in round.Sites.Values)
        {
            Codec.FrameSizes change = round.Aggregated!.Sizes with { Framed = site.Bytes + plan.Overhead };
            yield return Row(round.Round, SiteName(plan, site.Site), Direction.Down, LedgerRow.NoSegment, dense.Down(round), change);
        }
        foreach ((int site, ControlBytes bytes) in round.Control)
        {
            yield return LedgerRow.Control(round.Round, SiteName(plan, site), Direction.ControlDown, bytes.Down);
            yield return LedgerRow.Control(round.Round, SiteName(plan, site), Direction.ControlUp, bytes.Up);
        }
    }

    private static LedgerRow Row(int round, string client, Direction direction, int segment, long entries, Codec.FrameSizes sizes) => new(
        round, client, direction, segment, 4 * entries, 2 * entries, sizes.Segment, sizes.Sparse, sizes.Golomb, sizes.Coded, sizes.Framed,
        sizes.KeptA, sizes.EntriesA, sizes.KeptB, sizes.EntriesB);
}
