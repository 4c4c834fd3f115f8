using EcoLora.Federation;

namespace EcoLora.Services.Scheduler;

/// <summary>
/// Holds a run to the decisions of an earlier journal: each decision must come out the same, byte for byte, and so must every stored frame and the
/// final adapter. In strict mode the decisions follow from the seed, so a replay proves that the journal tells the whole story.
/// </summary>
public sealed class DecisionReplay
{
    private readonly Queue<RoundMessage> _decisions;
    private readonly HashSet<string> _outcomes;

    /// <summary>Takes the entries of a finished run's journal.</summary>
    public DecisionReplay(IReadOnlyList<JournalEntry> entries)
    {
        // A run of services begins with an announcement, at which trainers bring the roster: here the roster is known from the start.
        _decisions = new(entries.OfType<Decided>().Select(entry => entry.Message).Where(message => message is not RunAnnounced));
        _outcomes = [.. entries.OfType<Heard>().Select(entry => entry.Report).Where(IsOutcome).Select(Text)];
    }

    /// <summary>
    /// The plan of the journal for a run whose plan is known here: the same but for what only a run of services has, the sites by name and who hosts whom.
    /// </summary>
    /// <exception cref="ReplayException">It is the plan of another run.</exception>
    public RunPlan PlanFor(RunPlan plan)
    {
        if (!_decisions.TryPeek(out RoundMessage? first) || first is not RunOpened { Plan: var opened } || opened.Places is null) return plan;
        Enrolment[] roster = [.. opened.Roster.Select(enrolment => enrolment with { Site = plan.Roster.ElementAtOrDefault(enrolment.Client)?.Site ?? enrolment.Site })];
        string comparable = Text(new RunOpened(opened.Run, opened with { Places = null, Evaluator = null, Options = null, Roster = roster })), expected = Text(new RunOpened(plan.Run, plan));
        return comparable == expected ? opened : throw new ReplayException(comparable, expected);
    }

    /// <summary>Compares the next decision.</summary>
    /// <exception cref="ReplayException">It differs from the journal's.</exception>
    internal void Check(RoundMessage decision)
    {
        if (!_decisions.TryDequeue(out RoundMessage? expected)) throw new ReplayException("no further decision", Text(decision));
        if (Text(expected) != Text(decision)) throw new ReplayException(Text(expected), Text(decision));
    }

    /// <summary>Compares a report that fixes bytes: a stored frame, a published change, the adapter.</summary>
    /// <exception cref="ReplayException">The journal has no such report.</exception>
    internal void Check(ReportMessage report)
    {
        if (IsOutcome(report) && !_outcomes.Contains(Text(report))) throw new ReplayException("a report of the journal", Text(report));
    }

    private static bool IsOutcome(ReportMessage report) => report is SegmentStored or RoundAggregated or AdapterWritten;

    private static string Text(RoundMessage message) => System.Text.Encoding.UTF8.GetString(ProtocolJson.Write(message));

    private static string Text(ReportMessage message) => System.Text.Encoding.UTF8.GetString(ProtocolJson.Write(message));
}

/// <summary>A replay that came out otherwise than its journal.</summary>
/// <param name="expected">What the journal says.</param>
/// <param name="found">What happened.</param>
public sealed class ReplayException(string expected, string found) : FormatException($"replay: expected {expected}, found {found}");
