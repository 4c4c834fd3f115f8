using System.Text.Json.Serialization;

namespace EcoLora.Federation;

/// <summary>
/// One line of a run's journal. The journal is the decision log: what the scheduler heard and what it decided, in order, each line durable before
/// it is acted on. A run's state is the fold of its journal (<see cref="RunState"/>).
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "entry")]
[JsonDerivedType(typeof(Decided), "decided")]
[JsonDerivedType(typeof(Heard), "heard")]
public abstract record JournalEntry;

/// <summary>A decision, as the message that announces it.</summary>
/// <param name="Message">The message.</param>
/// <param name="Bytes">Bytes of the message as published.</param>
public sealed record Decided(RoundMessage Message, int Bytes) : JournalEntry;

/// <summary>A report that counted.</summary>
/// <param name="Report">The report.</param>
/// <param name="Bytes">Bytes of the message as received.</param>
public sealed record Heard(ReportMessage Report, int Bytes) : JournalEntry;
