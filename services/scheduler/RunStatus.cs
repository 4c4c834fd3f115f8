using System.Text.Json;
using System.Text.Json.Serialization;
using EcoLora.Federation;
using EcoLora.Hosting;

namespace EcoLora.Services.Scheduler;

/// <summary>Where a run is.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Entries">Entries of its journal: it grows when the run gets further.</param>
/// <param name="State">enrolling, running, cancelled or finished.</param>
/// <param name="Published">Rounds whose change is published.</param>
/// <param name="Rounds">T; null while enrolling.</param>
/// <param name="Trainers">App ids of the trainers that have enrolled.</param>
/// <param name="Missing">Clients that no trainer has enrolled.</param>
/// <param name="Awaits">What a running run waits for.</param>
/// <param name="Evaluation">The last held-out results, or null.</param>
/// <param name="Adapter">Digest of Q^T once it is written.</param>
/// <param name="Refusal">The last trainer whose enrolment was refused, and why; null once the run is under way in strict mode.</param>
/// <param name="Present">With a deadline: app ids of the trainers that are there.</param>
/// <param name="Declined">While a trainer may still enrol: who takes no part, and why, as far as this scheduler has heard.</param>
/// <param name="Traffic">What the run has cost and come to so far; null while enrolling.</param>
public sealed record RunStatus(
    string Name, int Entries, string State, int Published, int? Rounds, IReadOnlyList<string> Trainers, IReadOnlyList<int> Missing, Reminder? Awaits, Evaluated? Evaluation, string? Adapter,
    string? Refusal, IReadOnlyList<string> Declined, IReadOnlyList<string>? Present = null, RunTraffic? Traffic = null)
{
    /// <summary>enrolling, running, cancelled or finished.</summary>
    public static string StateOf(RunHistory history) => history.IsFinished ? "finished" : history.IsHeld ? "cancelled" : history.Run is null ? "enrolling" : "running";

    /// <summary>Where a run is by its journal.</summary>
    /// <param name="history">The fold of the journal.</param>
    /// <param name="entries">Number of its entries.</param>
    /// <param name="refusal">The last refused enrolment, or null.</param>
    /// <param name="declined">Trainers that take no part.</param>
    public static RunStatus For(RunHistory history, int entries, string? refusal, IReadOnlyList<string> declined)
    {
        string[] trainers = [.. (history.Roster?.Trainers ?? []).Select(trainer => RosterState.TrainerName(trainer.Site, trainer.Trainer))];
        if (history.Run is not { } run)
            return new RunStatus(history.Name, entries, StateOf(history), 0, null, trainers, [.. history.Roster!.Missing], null, null, null, refusal, declined);
        bool grows = run.Plan.Deadline is not null;
        return new RunStatus(
            history.Name,
            entries,
            StateOf(history),
            run.Rounds.Count(round => round.Aggregated is not null),
            run.Plan.Rounds,
            trainers,
            grows ? [.. history.Roster!.Missing] : [],
            run.IsFinished || history.IsHeld ? null : run.Awaited(),
            run.Evaluations.Count > 0 ? run.Evaluations.Values.MaxBy(evaluation => evaluation.Version) : null,
            run.Adapter?.Digest,
            grows ? refusal : null,
            grows ? declined : [],
            grows ? [.. history.Present] : null,
            RunTraffic.Of(run));
    }
}

/// <summary>What a run has cost and come to so far.</summary>
/// <param name="Loss">L_t of the last closed round; null before the first.</param>
/// <param name="UpBytes">Bytes from the sites, control messages included.</param>
/// <param name="DownBytes">Bytes to the sites, control messages included.</param>
/// <param name="DenseFp16Bytes">What dense FP16 exchange would have taken for the same deliveries, without headers and control messages.</param>
/// <param name="Coverage">How many participants delivered each segment of the last published round; null before the first.</param>
/// <param name="Sites">Sites by name, and the version that each holds.</param>
public sealed record RunTraffic(double? Loss, long UpBytes, long DownBytes, long DenseFp16Bytes, IReadOnlyList<int>? Coverage, IReadOnlyDictionary<string, int> Sites)
{
    internal static RunTraffic Of(RunState run)
    {
        RunPlan plan = run.Plan;
        var entries = new DenseEntries(plan);
        long up = 0, down = 0, dense = 0;
        var versions = new SortedDictionary<string, int>(StringComparer.Ordinal);
        for (int site = 0; site < plan.Sites; site++) versions[ArmFactsOf.SiteName(plan, site)] = 0;
        foreach (RoundRecord round in run.Rounds)
        {
            up += round.Segments.Values.Concat(round.LateSegments.Values).Sum(stored => stored.Sizes.Framed + plan.Overhead) + round.Control.Values.Sum(control => control.Up);
            down += round.Sites.Values.Sum(site => site.Bytes + plan.Overhead) + round.Control.Values.Sum(control => control.Down);
            dense += 2 * round.Segments.Keys.Concat(round.LateSegments.Keys).Sum(entries.Up);
            if (round.Sites.Count > 0) dense += 2 * round.Sites.Count * entries.Down(round);
            foreach (int site in round.Sites.Keys) versions[ArmFactsOf.SiteName(plan, site)] = round.Round + 1;
        }
        double? loss = run.Rounds.LastOrDefault(round => round.Closed is not null)?.Loss;
        return new RunTraffic(loss, up, down, dense, run.Rounds.LastOrDefault(round => round.Aggregated is not null)?.Aggregated!.Coverage, versions);
    }
}

/// <summary>The status's JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RunStatus))]
[JsonSerializable(typeof(IReadOnlyList<RunStatus>))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class StatusJson : JsonSerializerContext;
