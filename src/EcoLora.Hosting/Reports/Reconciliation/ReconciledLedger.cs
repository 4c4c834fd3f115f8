using EcoLora.Telemetry;

namespace EcoLora.Hosting;

/// <summary>What came of comparing a run's ledger with what lies on its broker.</summary>
/// <param name="Run">The run.</param>
/// <param name="IsOfJournal">Whether the ledger is the one that the journal makes, in every column.</param>
/// <param name="Differences">Rows whose framed bytes are others with what lies on the broker.</param>
/// <param name="Topics">What the ledger counts, topic by topic.</param>
/// <param name="Aside">What it does not count.</param>
/// <param name="Heartbeats">Bytes of heartbeats that the ledger counts, in a run with a deadline; it counts them as they were heard, each time.</param>
public sealed record ReconciledLedger(
    string Run, bool IsOfJournal, IReadOnlyList<LedgerDifference> Differences, IReadOnlyList<ReconciledTopic> Topics, IReadOnlyList<SetAsideMessages> Aside, long Heartbeats)
{
    /// <summary>Whether every byte of the ledger, heartbeats left out, lies on the broker.</summary>
    public bool Agrees => IsOfJournal && Differences.Count == 0;
}

/// <summary>A row of the ledger that differs.</summary>
/// <param name="Round">Its round.</param>
/// <param name="Client">Its client or site.</param>
/// <param name="Direction">Its direction.</param>
/// <param name="Segment">Its segment.</param>
/// <param name="Ledger">Framed bytes by the ledger; 0 where it has no such row.</param>
/// <param name="Broker">Framed bytes by the broker's messages.</param>
public sealed record LedgerDifference(int Round, string Client, Direction Direction, int Segment, long Ledger, long Broker);

/// <summary>A topic's messages that the ledger counts.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Found">Those that lie there.</param>
/// <param name="Missing">Those that do not.</param>
public sealed record ReconciledTopic(string Topic, MessageTally Found, MissingMessages Missing);

/// <summary>Messages that the ledger counts and the broker does not have, or not as a whole.</summary>
/// <param name="Messages">How many.</param>
/// <param name="Bytes">Their bytes by the ledger.</param>
public readonly record struct MissingMessages(int Messages, long Bytes);

/// <summary>Messages that the ledger does not count.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Kind">What they are: said again, of a kind that no decision depends on, or of others.</param>
/// <param name="Tally">How many, and their bytes.</param>
public sealed record SetAsideMessages(string Topic, string Kind, MessageTally Tally);
