using EcoLora.Federation;

namespace EcoLora.Services.Scheduler;

/// <summary>
/// Holds a run to the decisions of an earlier journal: every decision, every accepted frame and the final adapter must come out the same, byte for byte. In
/// strict mode the decisions follow from the seed and are compared; where time and presence decided, they are taken from the journal, each as soon as everything
/// is here that was there when it was taken.
/// </summary>
public sealed class DecisionReplay
{
    private readonly IReadOnlyList<JournalEntry> _entries;
    private readonly int[] _decisions;
    private readonly HashSet<string> _outcomes;
    private readonly HashSet<(int Round, int Client)> _accepted = [], _trained = [];
    private int _heard;

    /// <summary>Takes the entries of a finished run's journal.</summary>
    public DecisionReplay(IReadOnlyList<JournalEntry> entries)
    {
        _entries = entries;
        Opened = entries.OfType<Decided>().Select(decided => decided.Message).OfType<RunOpened>().LastOrDefault()?.Plan;
        // A run of services begins with an announcement, at which trainers bring the roster, and its plan may grow: here the whole plan is known from the start.
        bool isOpen = false;
        _decisions = [.. Enumerable.Range(0, entries.Count).Where(i => entries[i] switch
        {
            Decided { Message: RunAnnounced } => false,
            Decided { Message: RunOpened } => !isOpen && (isOpen = true),
            Decided => true,
            _ => false,
        })];
        foreach (RoundClosed closed in entries.OfType<Decided>().Select(decided => decided.Message).OfType<RoundClosed>())
            _accepted.UnionWith(closed.Accepted.Select(accepted => (closed.Round, accepted.Client)));
        IEnumerable<ReportMessage> reports = entries.OfType<Heard>().Select(heard => heard.Report);
        _trained.UnionWith(reports.OfType<ClientReport>().Where(report => report.Refused is null).Select(report => (report.Round, report.Client)));
        _outcomes = [.. reports.Where(IsOutcome).Select(Text)];
    }

    /// <summary>True when the decisions are taken from the journal rather than compared with it.</summary>
    public bool IsFollowed => Opened?.Deadline is not null;

    private RunPlan? Opened { get; }

    /// <summary>True unless the journal knows of no training of a participant in a round: whoever never came back leaves no trace.</summary>
    public bool HasTrained(int round, int client) => !IsFollowed || _trained.Contains((round, client));

    /// <summary>
    /// The plan of the journal for a run whose plan is known here: the same but for what only a run of services has, the sites by name and who hosts whom.
    /// </summary>
    /// <exception cref="ReplayException">It is the plan of another run.</exception>
    public RunPlan PlanFor(RunPlan plan)
    {
        if (Opened?.Places is null) return plan;
        Enrolment[] roster = [.. Opened.Roster.Select(enrolment => enrolment with { Site = plan.FindEnrolment(enrolment.Client)?.Site ?? enrolment.Site })];
        // With a deadline clients may never have enrolled.
        RunPlan known = Opened.Deadline is null ? plan : plan with { Roster = [.. plan.Roster.Where(enrolment => Opened.FindEnrolment(enrolment.Client) is not null)] };
        string comparable = Text(new RunOpened(Opened.Run, Opened with { Places = null, Evaluator = null, Options = null, Overhead = 0, Roster = roster })), expected = Text(new RunOpened(plan.Run, known));
        return comparable == expected ? Opened : throw new ReplayException(comparable, expected);
    }

    /// <summary>The decision of that number, counted from 0, if everything that had been heard before it has been heard here; else null.</summary>
    internal RoundMessage? Next(RunHistory history, int number)
    {
        if (history.IsFinished) return null;
        if (number >= _decisions.Length) throw new ReplayException("the journal of a finished run", $"{number} decisions, and the run goes on");
        if (MessageOf(number) is RunOpened) return history.Next();
        while (_heard < _decisions[number] && (_entries[_heard] is not Heard heard || !IsAwaited(heard.Report) || history.Run!.HasHeard(heard.Report))) _heard++;
        if (_heard < _decisions[number]) return null;
        RoundMessage next = MessageOf(number);
        // Whoever trained for the round, if only after its close, begins before it here.
        bool isWaiting = next is RoundClosed closed && history.Run!.Rounds[closed.Round].Unreported.Any(client => HasTrained(closed.Round, client));
        return isWaiting ? null : next;
    }

    /// <summary>Compares a decision with the journal's of that number, counted from 0.</summary>
    /// <exception cref="ReplayException">It differs.</exception>
    internal void Check(RoundMessage decision, int number)
    {
        if (number >= _decisions.Length) throw new ReplayException("no further decision", Text(decision));
        RoundMessage expected = MessageOf(number) is RunOpened opened ? opened with { Plan = Opened! } : MessageOf(number);
        if (Text(expected) != Text(decision)) throw new ReplayException(Text(expected), Text(decision));
    }

    /// <summary>Compares a report that fixes bytes: a stored frame, a published change, the adapter. A frame that was not accepted may be missing in the journal.</summary>
    /// <exception cref="ReplayException">The journal has no such report.</exception>
    internal void Check(ReportMessage report)
    {
        if (report is SegmentReceived stored && IsFollowed && !_accepted.Contains((stored.Round, stored.Client))) return;
        if (IsOutcome(report) && !_outcomes.Contains(Text(report))) throw new ReplayException("a report of the journal", Text(report));
    }

    private RoundMessage MessageOf(int number) => ((Decided)_entries[_decisions[number]]).Message;

    /// <summary>What a decision may have depended on, or what must be done before a client takes part again: late frames and heartbeats come to nothing.</summary>
    private bool IsAwaited(ReportMessage report) => report switch
    {
        ClientReport r => r.Refused is null,
        SegmentReceived r => _accepted.Contains((r.Round, r.Client)),
        RoundAggregated or SiteUpdated or AdapterWritten => true,
        Evaluated r => r.Version == Opened!.Rounds, // Those on the way may come too late for their version.
        _ => false,
    };

    private static bool IsOutcome(ReportMessage report) => report is SegmentReceived or RoundAggregated or AdapterWritten;

    private static string Text(RoundMessage message) => System.Text.Encoding.UTF8.GetString(ProtocolJson.Write(message));

    private static string Text(ReportMessage message) => System.Text.Encoding.UTF8.GetString(ProtocolJson.Write(message));
}

/// <summary>A replay that came out otherwise than its journal.</summary>
/// <param name="expected">What the journal says.</param>
/// <param name="found">What happened.</param>
public sealed class ReplayException(string expected, string found) : FormatException($"replay: expected {expected}, found {found}");
