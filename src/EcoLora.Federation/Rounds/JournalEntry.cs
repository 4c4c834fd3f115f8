using System.Text.Json.Serialization;

namespace EcoLora.Federation;

/// <summary>
/// One line of a run's journal. The journal is the decision log: what the scheduler heard and what it decided, in order, each line durable before
/// it is acted on. A run's state is the fold of its journal (<see cref="RunState"/>).
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "entry")]
[JsonDerivedType(typeof(Decided), "decided")]
[JsonDerivedType(typeof(Heard), "heard")]
[JsonDerivedType(typeof(RunHeld), "held")]
[JsonDerivedType(typeof(PresenceChanged), "presence")]
[JsonDerivedType(typeof(DeadlinePassed), "deadline-passed")]
public abstract record JournalEntry;

/// <summary>A decision, as the message that announces it.</summary>
/// <param name="Message">The message.</param>
/// <param name="Bytes">Bytes of the message as published.</param>
public sealed record Decided(RoundMessage Message, int Bytes) : JournalEntry;

/// <summary>A report that counted.</summary>
/// <param name="Report">The report.</param>
/// <param name="Bytes">Bytes of the message as received.</param>
public sealed record Heard(ReportMessage Report, int Bytes) : JournalEntry;

/// <summary>Somebody has cancelled the run or resumed it: while it is held nothing is decided and nobody is asked for anything.</summary>
/// <param name="IsHeld">True when it was cancelled, false when it was resumed.</param>
public sealed record RunHeld(bool IsHeld) : JournalEntry;

/// <summary>With a deadline: who has come or gone since the last such entry, and what saying so has cost.</summary>
/// <param name="Arrived">Trainers, by app id, that are there again.</param>
/// <param name="Left">Trainers that have not been heard of for too long, or have said that they leave.</param>
/// <param name="Heartbeats">Bytes of the <see cref="TrainerPresent"/> reports since then, by name of the site.</param>
public sealed record PresenceChanged(IReadOnlyList<string> Arrived, IReadOnlyList<string> Left, IReadOnlyDictionary<string, long> Heartbeats) : JournalEntry;

/// <summary>With a deadline: the time of the round that is open is over.</summary>
/// <param name="Round">t.</param>
public sealed record DeadlinePassed(int Round) : JournalEntry;
