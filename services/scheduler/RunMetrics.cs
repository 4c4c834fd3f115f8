using System.Diagnostics.Metrics;
using EcoLora.Telemetry;

namespace EcoLora.Services.Scheduler;

/// <summary>
/// What the scheduler tells of its runs. All of it comes from their journals, as the report and the ledger do, so the bytes equal the ledger's whenever a round is
/// complete, and a scheduler that is started again goes on counting where it was.
/// </summary>
internal sealed class RunMetrics
{
    private const string State = "ecolora.state", Site = "ecolora.site", Segment = "ecolora.segment", Matrix = "ecolora.matrix", Stage = "ecolora.stage", Baseline = "ecolora.baseline", Kind = "ecolora.kind";

    private static readonly string[] _states = ["enrolling", "running", "cancelled", "finished"];

    /// <summary>Most runs that are told of, so that a page stays small: those under way first, then those that ended last.</summary>
    public const int MostRuns = 100;

    private readonly Func<IEnumerable<RunFigures>> _runs;

    private RunMetrics(Func<IEnumerable<RunFigures>> runs) => _runs = () => runs().OrderBy(figures => figures.State == "finished").ThenBy(figures => figures.Idle).Take(MostRuns);

    /// <summary>Observes the runs of a scheduler.</summary>
    /// <param name="meter">The meter.</param>
    /// <param name="runs">The figures of its runs, as they are.</param>
    public static void Observe(Meter meter, Func<IEnumerable<RunFigures>> runs)
    {
        var metrics = new RunMetrics(runs);
        meter.CreateObservableCounter("ecolora.traffic", () => metrics.OfReports(Traffic), "By", "Bytes of the complete rounds by direction and stage, as the ledger has them; framed is what was sent.");
        meter.CreateObservableCounter(Instruments.SiteTraffic, () => metrics.Of(SiteTraffic), "By", "Bytes that were sent to and from each site, control messages included.");
        meter.CreateObservableCounter("ecolora.rounds", () => metrics.OfReports<long>(report => [Point<long>(report.Rounds.Count)]), "{round}", "Rounds whose change is published.");
        meter.CreateObservableCounter("ecolora.participations", () => metrics.OfReports(Participations), "{participation}", "Participations in complete rounds: accepted, refused or absent.");
        meter.CreateObservableGauge("ecolora.rounds.planned", () => metrics.Of<long>(figures => figures.Rounds is { } rounds ? [Point<long>(rounds)] : []), "{round}", "Rounds of the run.");
        meter.CreateObservableGauge("ecolora.reduction.ratio", () => metrics.OfReports(Reductions), "1", "Share of the bytes of a dense exchange that was saved, both ways, control messages included.");
        meter.CreateObservableGauge("ecolora.density.ratio", () => metrics.OfReports(Densities), "1", "Entries that the last complete round's frames carry, of those in their segments.");
        meter.CreateObservableGauge(Instruments.Coverage, () => metrics.OfReports(Coverage), "{participant}", "Participants whose update of a segment is in the last complete round.");
        meter.CreateObservableGauge("ecolora.loss", () => metrics.OfReports(Losses), "", "Loss in nats per answer token: the participants' mean in the last complete round, and the last on held-out records.");
        meter.CreateObservableGauge("ecolora.server.residual.norm", () => metrics.Of<double>(figures => figures.ServerResidualNorm is { } norm ? [Point(norm)] : []), "", "Norm of what the published chain does not have yet.");
        meter.CreateObservableGauge("ecolora.run.state", () => metrics.Of<long>(figures => _states.Select(state => Point<long>(state == figures.State ? 1 : 0, (State, state)))), "", "1 for the state that a run is in.");
        meter.CreateObservableGauge("ecolora.run.idle", () => metrics.Of<double>(figures => [Point(figures.Idle.TotalSeconds)]), "s", "Time since a run got further: since its journal grew, or this process began.");
        meter.CreateObservableGauge("ecolora.awaited", () => metrics.Of<long>(figures => [Point<long>(figures.AwaitedClients, (Kind, "participants")), Point<long>(figures.AwaitedSites, (Kind, "sites"))]), "{answer}",
            "Participants and sites that a running run waits for.");
        meter.CreateObservableGauge("ecolora.trainers", () => metrics.Of<long>(figures => [Point<long>(figures.Trainers)]), "{trainer}", "Trainers that have enrolled; with a deadline those that are there.");
    }

    private static IEnumerable<Measurement<long>> Traffic(ArmReport report)
    {
        foreach ((string direction, StageBytes bytes) in new[] { ("up", report.Totals.Up), ("down", report.Totals.Down) })
            foreach ((string stage, long count) in new[] { ("dense_fp32", bytes.DenseFp32), ("dense_fp16", bytes.DenseFp16), ("segment", bytes.Segment), ("sparse", bytes.Sparse), ("golomb", bytes.Golomb), ("coded", bytes.Coded), ("framed", bytes.Framed) })
                yield return Point(count, (Instruments.Direction, direction), (Stage, stage));
        yield return Point(report.Totals.ControlUp.Framed, (Instruments.Direction, "control-up"), (Stage, "framed"));
        yield return Point(report.Totals.ControlDown.Framed, (Instruments.Direction, "control-down"), (Stage, "framed"));
    }

    private static IEnumerable<Measurement<long>> SiteTraffic(RunFigures figures) => figures.Sites.SelectMany(site => new[]
    {
        Point(site.Up, (Site, site.Name), (Instruments.Direction, "up")), Point(site.Down, (Site, site.Name), (Instruments.Direction, "down")),
    });

    private static IEnumerable<Measurement<long>> Participations(ArmReport report)
    {
        long all = report.Rounds.Sum(round => (long)round.Participants.Count);
        return [Point(all - report.RefusedUpdates - report.AbsentUpdates, (State, "accepted")), Point<long>(report.RefusedUpdates, (State, "refused")), Point<long>(report.AbsentUpdates, (State, "absent"))];
    }

    private static IEnumerable<Measurement<double>> Reductions(ArmReport report)
    {
        // The report says how many times fewer bytes; a share is what dashboards show.
        if (report.Computed.TotalFp32 is { } fp32) yield return Point(1 - 1 / fp32, (Baseline, "dense_fp32"));
        if (report.Computed.TotalFp16 is { } fp16) yield return Point(1 - 1 / fp16, (Baseline, "dense_fp16"));
    }

    private static IEnumerable<Measurement<double>> Densities(ArmReport report)
    {
        if (report.Rounds is not [.., var last]) yield break;
        foreach ((string direction, string matrix, double? density) in new[] { ("up", "A", last.DensityA), ("up", "B", last.DensityB), ("down", "A", last.DownDensityA), ("down", "B", last.DownDensityB) })
            if (density is { } share) yield return Point(share, (Instruments.Direction, direction), (Matrix, matrix));
    }

    private static IEnumerable<Measurement<long>> Coverage(ArmReport report) =>
        report.Rounds is [.., var last] ? last.Coverage.Select((count, segment) => Point<long>(count, (Segment, segment))) : [];

    private static IEnumerable<Measurement<double>> Losses(ArmReport report)
    {
        if (report.Rounds.LastOrDefault(round => round.TrainLoss is not null)?.TrainLoss is { } training) yield return Point(training, (Kind, "training"));
        if (report.Final is { Loss: { } heldOut }) yield return Point(heldOut, (Kind, "held_out"));
    }

    private IEnumerable<Measurement<T>> OfReports<T>(Func<ArmReport, IEnumerable<Measurement<T>>> measure)
        where T : struct => Of(figures => figures.Report is { } report ? measure(report) : []);

    private IEnumerable<Measurement<T>> Of<T>(Func<RunFigures, IEnumerable<Measurement<T>>> measure)
        where T : struct
    {
        foreach (RunFigures figures in _runs())
            foreach (Measurement<T> measured in measure(figures)) yield return new Measurement<T>(measured.Value, [new(Instruments.Run, figures.Name), .. measured.Tags]);
    }

    private static Measurement<T> Point<T>(T value, params (string Key, object Value)[] tags)
        where T : struct => new(value, tags.Select(tag => new KeyValuePair<string, object?>(tag.Key, tag.Value)));
}
