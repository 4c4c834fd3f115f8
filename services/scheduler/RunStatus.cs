using System.Text.Json;
using System.Text.Json.Serialization;
using EcoLora.Federation;

namespace EcoLora.Services.Scheduler;

/// <summary>Where a run is.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Entries">Entries of its journal: it grows when the run gets further.</param>
/// <param name="State">enrolling, running or finished.</param>
/// <param name="Published">Rounds whose change is published.</param>
/// <param name="Rounds">T; null while enrolling.</param>
/// <param name="Trainers">App ids of the trainers that have enrolled.</param>
/// <param name="Missing">Clients that no trainer has enrolled.</param>
/// <param name="Awaits">What a running run waits for.</param>
/// <param name="Evaluation">The last held-out results, or null.</param>
/// <param name="Adapter">Digest of Q^T once it is written.</param>
/// <param name="Refusal">The last trainer whose enrolment was refused, and why; null once the run is under way in strict mode.</param>
/// <param name="Present">With a deadline: app ids of the trainers that are there.</param>
public sealed record RunStatus(
    string Name, int Entries, string State, int Published, int? Rounds, IReadOnlyList<string> Trainers, IReadOnlyList<int> Missing, Reminder? Awaits, Evaluated? Evaluation, string? Adapter,
    string? Refusal, IReadOnlyList<string>? Present = null)
{
    /// <summary>Where a run is by its journal.</summary>
    /// <param name="history">The fold of the journal.</param>
    /// <param name="entries">Number of its entries.</param>
    /// <param name="refusal">The last refused enrolment, or null.</param>
    public static RunStatus For(RunHistory history, int entries, string? refusal)
    {
        string[] trainers = [.. (history.Roster?.Trainers ?? []).Select(trainer => RosterState.TrainerName(trainer.Site, trainer.Trainer))];
        if (history.Run is not { } run)
            return new RunStatus(history.Name, entries, "enrolling", 0, null, trainers, [.. history.Roster!.Missing], null, null, null, refusal);
        bool grows = run.Plan.Deadline is not null;
        return new RunStatus(
            history.Name,
            entries,
            run.IsFinished ? "finished" : "running",
            run.Rounds.Count(round => round.Aggregated is not null),
            run.Plan.Rounds,
            trainers,
            grows ? [.. history.Roster!.Missing] : [],
            run.IsFinished ? null : run.Awaited(),
            run.Evaluations.Count > 0 ? run.Evaluations.Values.MaxBy(evaluation => evaluation.Version) : null,
            run.Adapter?.Digest,
            grows ? refusal : null,
            grows ? [.. history.Present] : null);
    }
}

/// <summary>The status's JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RunStatus))]
[JsonSerializable(typeof(IReadOnlyList<RunStatus>))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class StatusJson : JsonSerializerContext;
