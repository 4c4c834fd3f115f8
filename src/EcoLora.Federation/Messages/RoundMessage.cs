using System.Text.Json;
using System.Text.Json.Serialization;

namespace EcoLora.Federation;

/// <summary>The topics of design.md.</summary>
public static class Topics
{
    /// <summary>Scheduler → trainers, codecs, aggregator: <see cref="RoundMessage"/>s.</summary>
    public const string Rounds = "rounds";

    /// <summary>Codec → aggregator: frames of segments.</summary>
    public const string Segments = "segments";

    /// <summary>Aggregator → codecs: frames of global changes.</summary>
    public const string Global = "global";

    /// <summary>Trainers, codecs, aggregator → scheduler: <see cref="ReportMessage"/>s.</summary>
    public const string Reports = "reports";

    /// <summary>All of them; the bus has one more of dead letters for each.</summary>
    public static IReadOnlyList<string> All { get; } = [Rounds, Segments, Global, Reports];
}

/// <summary>What the scheduler says. Handling one twice repeats the answer and changes nothing.</summary>
/// <param name="Run">The run's name.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(RunAnnounced), "run-announced")]
[JsonDerivedType(typeof(RunOpened), "run-opened")]
[JsonDerivedType(typeof(RoundOpened), "round-opened")]
[JsonDerivedType(typeof(RoundClosed), "round-closed")]
[JsonDerivedType(typeof(RunEnding), "run-ending")]
[JsonDerivedType(typeof(RunFinished), "run-finished")]
[JsonDerivedType(typeof(Reminder), "reminder")]
public abstract record RoundMessage(string Run);

/// <summary>A run is to begin: trainers that can take part enrol.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Options">The run file's options in their canonical form; they name the model and the data by aliases, never by paths.</param>
public sealed record RunAnnounced(string Run, JsonElement Options) : RoundMessage(Run);

/// <summary>A run begins: everybody prepares Q^0 from the plan. With a deadline it is said again when the roster has grown.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Plan">The plan; said again, nothing of it differs but that roster and places have more.</param>
public sealed record RunOpened(string Run, RunPlan Plan) : RoundMessage(Run);

/// <summary>A sampled client in a round.</summary>
/// <param name="Client">Number of the client.</param>
/// <param name="Slot">Its rank in the sampled set.</param>
/// <param name="Segment">The segment that it uploads.</param>
[JsonConverter(typeof(ParticipantConverter))]
public sealed record Participant(int Client, int Slot, int Segment);

/// <summary>
/// A round begins. With a deadline it is said again with more participants, behind those of before, when segments are without an answer at the deadline.
/// </summary>
/// <param name="Run">The run's name.</param>
/// <param name="Round">t; the published version that it starts from is t too.</param>
/// <param name="Participants">Who trains, in slot order.</param>
/// <param name="KeepA">k^t for A (Eq. 4).</param>
/// <param name="KeepB">k^t for B.</param>
/// <param name="Evaluate">Whether Q^t is to be evaluated on held-out data.</param>
/// <param name="FrameBytes">Most bytes of a participant's frame; null where the run has no budget.</param>
public sealed record RoundOpened(string Run, int Round, IReadOnlyList<Participant> Participants, double KeepA, double KeepB, bool Evaluate, int? FrameBytes = null)
    : RoundMessage(Run)
{
    /// <summary>True when this tells more than what is known: a later round, or the same one with more participants. Messages come in any order, and more than once.</summary>
    /// <param name="known">The opening that is known, or null.</param>
    public bool IsNewsAfter(RoundOpened? known) =>
        known is null || Round > known.Round || (Round == known.Round && Participants.Count > known.Participants.Count);
}

/// <summary>A frame that the aggregator has stored and the scheduler has accepted.</summary>
/// <param name="Client">Number of the client.</param>
/// <param name="Slot">Its slot.</param>
/// <param name="Segment">The segment.</param>
/// <param name="Digest">Digest of the frame's bytes.</param>
[JsonConverter(typeof(AcceptedSegmentConverter))]
public sealed record AcceptedSegment(int Client, int Slot, int Segment, string Digest);

/// <summary>A round ends: the accepted frames are summed; their senders commit their residuals, the others take their change back.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Round">t.</param>
/// <param name="Accepted">The accepted frames in slot order.</param>
/// <param name="KeepA">k for A of the published change.</param>
/// <param name="KeepB">k for B of the published change.</param>
/// <param name="FrameBytes">Most bytes of the published change; null where the run has no budget.</param>
public sealed record RoundClosed(string Run, int Round, IReadOnlyList<AcceptedSegment> Accepted, double KeepA, double KeepB, int? FrameBytes = null) : RoundMessage(Run);

/// <summary>All rounds are done: Q^T is evaluated and written as an adapter.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Version">T.</param>
public sealed record RunEnding(string Run, int Version) : RoundMessage(Run);

/// <summary>The run is over; nothing more will come.</summary>
/// <param name="Run">The run's name.</param>
public sealed record RunFinished(string Run) : RoundMessage(Run);

/// <summary>
/// What the scheduler waits for, said when nothing has come for a while: who has answered says it again, who has not goes on. No decision, so it is not in the
/// journal; what it asks about was decided before.
/// </summary>
/// <param name="Run">The run's name.</param>
/// <param name="Round">The last round, t.</param>
/// <param name="Clients">Participants of the round whose report or frame is missing.</param>
/// <param name="Sites">Sites that have not said that they hold version t + 1.</param>
/// <param name="Change">Whether the round's change has not been published.</param>
/// <param name="Evaluation">The version whose evaluation is missing, or null.</param>
public sealed record Reminder(string Run, int Round, IReadOnlyList<int> Clients, IReadOnlyList<int> Sites, bool Change, int? Evaluation = null) : RoundMessage(Run);
