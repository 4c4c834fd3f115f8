namespace EcoLora.Federation;

/// <summary>The fold of a whole journal: enrolment, where trainers bring the roster, then the run.</summary>
public sealed class RunHistory
{
    private readonly RunAnnounced? _announcement;
    private readonly List<(string Site, int Bytes)> _enrolments = [];
    private readonly SortedSet<string> _present = new(StringComparer.Ordinal);
    private bool _isAnnounced;
    private int _announcedBytes;

    /// <summary>A run whose plan is known from the start.</summary>
    /// <exception cref="ArgumentException">The plan is not valid.</exception>
    public RunHistory(RunPlan plan) => (Name, Run) = (plan.Run, new RunState(plan));

    /// <summary>A run whose roster is to come.</summary>
    /// <param name="announcement">What makes trainers enrol.</param>
    /// <param name="roster">What they have brought so far: nothing.</param>
    public RunHistory(RunAnnounced announcement, RosterState roster) => (Name, _announcement, Roster) = (announcement.Run, announcement, roster);

    /// <summary>The run's name.</summary>
    public string Name { get; }

    /// <summary>Enrolment; null for a run whose plan was known from the start.</summary>
    public RosterState? Roster { get; }

    /// <summary>The run once it is open; null before.</summary>
    public RunState? Run { get; private set; }

    /// <summary>Trainers, by app id, that are there; none where the roster was known from the start, so that nobody comes or goes.</summary>
    public IReadOnlySet<string> Present => _present;

    /// <summary>True when the run was cancelled and not resumed.</summary>
    public bool IsHeld { get; private set; }

    /// <summary>True when the run is over.</summary>
    public bool IsFinished => Run?.IsFinished ?? false;

    /// <summary>True when the report tells something new; others are not journalled and change nothing.</summary>
    public bool IsNews(ReportMessage report) => report is TrainerEnrolled enrolled
        ? _isAnnounced && (Run is null || Run is { Plan.Deadline: not null, IsFinished: false }) && Roster!.IsNews(enrolled)
        : Run?.IsNews(report) ?? false;

    /// <summary>Takes one journal entry in.</summary>
    public void Apply(JournalEntry entry)
    {
        switch (entry)
        {
            case Decided { Message: RunAnnounced } announced:
                (_isAnnounced, _announcedBytes) = (true, announced.Bytes);
                break;
            case RunHeld held:
                IsHeld = held.IsHeld;
                break;
            case Heard { Report: TrainerEnrolled enrolled } heard:
                Roster!.Apply(enrolled);
                _enrolments.Add((enrolled.Site, heard.Bytes));
                _present.Add(RosterState.TrainerName(enrolled.Site, enrolled.Trainer));
                break;
            case Decided { Message: RunOpened opened }:
                int known = Run?.Plan.Sites ?? 0;
                Run ??= new RunState(opened.Plan);
                Run.Apply(entry);
                for (int site = known; site < opened.Plan.Sites; site++) Run.AddControl(site, ((long)_announcedBytes + opened.Plan.Overhead) * opened.Plan.SubscribersAt(site), 0);
                foreach ((string site, int bytes) in _enrolments) Run.AddControl(opened.Plan.SiteOf(site)!.Value, 0, bytes + opened.Plan.Overhead);
                _enrolments.Clear();
                break;
            default:
                if (entry is PresenceChanged presence)
                {
                    _present.UnionWith(presence.Arrived);
                    _present.ExceptWith(presence.Left);
                }
                Run!.Apply(entry);
                break;
        }
    }

    /// <summary>The next decision, or null while the run waits for reports, or is held.</summary>
    public RoundMessage? Next()
    {
        if (IsHeld) return null;
        if (Run is { Plan.Deadline: not null, IsFinished: false } && Roster?.Plan(Run.Plan) is { } grown) return new RunOpened(Name, grown);
        if (Run is not null) return Run.Next(PresentClients());
        if (!_isAnnounced) return _announcement;
        return Roster!.Plan() is { } plan ? new RunOpened(Name, plan) : null;
    }

    /// <summary>What is said again when nothing has come for a while, or after a crash: recent decisions, and what is awaited.</summary>
    public IEnumerable<RoundMessage> Again()
    {
        if (IsFinished || IsHeld) return [];
        if (Run is null) return _isAnnounced ? [_announcement!] : [];
        RoundMessage[] decided = [.. Run.RecentDecisions()];
        // A run that nobody has been told of has nothing to be reminded of.
        return decided.Length == 0 ? [] : [.. decided, Run.Awaited(), .. ToThoseBehind()];
    }

    /// <summary>With a deadline nobody waits for those who are behind: what they need to go on is said to them with every round.</summary>
    public IEnumerable<RoundMessage> ToThoseBehind()
    {
        if (Run?.Plan.Deadline is null) return [];
        IEnumerable<RoundMessage> toStragglers = Run.SaidToStragglers(PresentClients());
        return Roster?.Missing.Any() == true ? [_announcement!, .. toStragglers] : toStragglers;
    }

    private IReadOnlyList<int>? PresentClients() => Run?.Plan.Deadline is null ? null : Roster?.ClientsOf(_present);
}
