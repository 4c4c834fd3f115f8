using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Telemetry;

namespace EcoLora.Services.Scheduler;

/// <summary>Bytes of the complete rounds that crossed a site's link.</summary>
/// <param name="Name">The site.</param>
/// <param name="Up">From it, control messages included.</param>
/// <param name="Down">To it.</param>
internal sealed record SiteBytes(string Name, long Up, long Down);

/// <summary>A run in numbers, as its journal has it.</summary>
/// <param name="Name">The run's name.</param>
/// <param name="State">enrolling, running, cancelled or finished.</param>
/// <param name="Idle">Time since the journal grew.</param>
/// <param name="Rounds">T; null while enrolling.</param>
/// <param name="Trainers">Trainers that have enrolled; with a deadline those that are there.</param>
/// <param name="AwaitedClients">Participants that a running run waits for.</param>
/// <param name="AwaitedSites">Sites that it waits for.</param>
/// <param name="Report">Its complete rounds; null while enrolling.</param>
/// <param name="Sites">Bytes by site, in the order of their numbers.</param>
/// <param name="ServerResidualNorm">‖S‖₂ after the last complete round; null before the first.</param>
internal sealed record RunFigures(
    string Name, string State, TimeSpan Idle, int? Rounds, int Trainers, int AwaitedClients, int AwaitedSites, ArmReport? Report, IReadOnlyList<SiteBytes> Sites, double? ServerResidualNorm)
{
    /// <summary>The figures of a run, but for the time.</summary>
    public static RunFigures Of(RunHistory history)
    {
        string state = RunStatus.StateOf(history);
        int enrolled = history.Roster?.Trainers.Count ?? 0;
        if (history.Run is not { } run) return new RunFigures(history.Name, state, TimeSpan.Zero, null, enrolled, 0, 0, null, [], null);
        Reminder? awaited = state == "running" ? run.Awaited() : null;
        RoundRecord[] complete = [.. run.Rounds.Where(round => round.Aggregated is not null)];
        return new RunFigures(
            history.Name, state, TimeSpan.Zero, run.Plan.Rounds, run.Plan.Deadline is null ? enrolled : history.Present.Count, awaited?.Clients.Count ?? 0, awaited?.Sites.Count ?? 0,
            JournalReport.ArmReportOf(run), [.. Enumerable.Range(0, run.Plan.Sites).Select(site => BytesOf(run.Plan, site, complete))], complete.LastOrDefault()?.Aggregated!.ServerResidualNorm);
    }

    private static SiteBytes BytesOf(RunPlan plan, int site, RoundRecord[] rounds)
    {
        long up = 0, down = 0;
        foreach (RoundRecord round in rounds)
        {
            foreach (SegmentReceived received in round.Segments.Values.Concat(round.LateSegments.Values))
                if (plan.EnrolmentOf(received.Client).Site == site) up += received.Sizes.Framed + plan.Overhead;
            if (round.Sites.TryGetValue(site, out SiteUpdated? updated)) down += updated.Bytes + plan.Overhead;
            if (!round.Control.TryGetValue(site, out ControlBytes control)) continue;
            (up, down) = (up + control.Up, down + control.Down);
        }
        return new SiteBytes(ArmFactsOf.SiteName(plan, site), up, down);
    }
}
