namespace EcoLora.Federation;

/// <summary>
/// The scheduler's whole state of a run: a fold over the journal, without clock, tensors or I/O. <see cref="Next"/> is the protocol's decision, a pure
/// function of the state: where time and presence count, they are journal entries too.
/// </summary>
public sealed partial class RunState
{
    private readonly List<RoundRecord> _rounds = [];
    private readonly SortedDictionary<int, Evaluated> _evaluations = [];
    private readonly SortedDictionary<int, ControlBytes> _opening = [];
    private bool _opened;
    private RunEnding? _ending;

    /// <summary>A run before its first journal entry.</summary>
    /// <exception cref="ArgumentException">The plan is not valid.</exception>
    public RunState(RunPlan plan)
    {
        plan.Validate();
        Plan = plan;
    }

    /// <summary>The plan.</summary>
    public RunPlan Plan { get; private set; }

    /// <summary>The rounds so far.</summary>
    public IReadOnlyList<RoundRecord> Rounds => _rounds;

    /// <summary>Evaluations by version.</summary>
    public IReadOnlyDictionary<int, Evaluated> Evaluations => _evaluations;

    /// <summary>The written adapter, when it is.</summary>
    public AdapterWritten? Adapter { get; private set; }

    /// <summary>True when the run is over.</summary>
    public bool IsFinished { get; private set; }

    /// <summary>
    /// True when the report tells something new about this run. Others (said twice, of another run, of a round or client that was not asked) are not
    /// journalled and change nothing.
    /// </summary>
    public bool IsNews(ReportMessage report) => report.Run == Plan.Run && !IsFinished && !HasHeard(report) && report switch
    {
        ClientReport r => HearsAbout(r.Round) is { } round && round.Opened.Participants.Any(p => p.Client == r.Client) && !round.Missed.Contains(r.Client)
            && Plan.EnrolmentOf(r.Client) == new Enrolment(r.Client, r.Site, r.Samples) && r.Loss.HasValue != (r.Refused is not null) && double.IsFinite(r.Loss ?? 0),
        ClientMissed r => Plan.Deadline is not null && RoundOf(r.Round) is { Closed: not null } round && round.Unreported.Contains(r.Client)
            && Plan.EnrolmentOf(r.Client).Site == r.Site,
        SegmentReceived r => HearsAbout(r.Round) is { } round && round.Opened.Participants.Any(p => p.Client == r.Client && p.Segment == r.Segment),
        RoundAggregated r => RoundOf(r.Round) is { Closed: not null },
        SiteUpdated r => RoundOf(r.Version - 1) is { Closed: not null } && IsSite(r.Site),
        Evaluated r => (RoundOf(r.Version)?.Opened.Evaluate ?? r.Version == _ending?.Version) && IsSite(r.Site) && double.IsFinite(r.Score.Loss),
        AdapterWritten r => r.Version == _ending?.Version,
        _ => false,
    };

    /// <summary>True when a report about the same has been taken in.</summary>
    public bool HasHeard(ReportMessage report) => report switch
    {
        ClientReport r => RoundOf(r.Round)?.Clients.ContainsKey(r.Client) == true,
        ClientMissed r => RoundOf(r.Round)?.Missed.Contains(r.Client) == true,
        SegmentReceived r => RoundOf(r.Round) is { } round && (round.Segments.ContainsKey(r.Client) || round.LateSegments.ContainsKey(r.Client)),
        RoundAggregated r => RoundOf(r.Round)?.Aggregated is not null,
        SiteUpdated r => RoundOf(r.Version - 1)?.Sites.ContainsKey(r.Site) == true,
        Evaluated r => _evaluations.ContainsKey(r.Version),
        AdapterWritten => Adapter is not null,
        _ => false,
    };

    /// <summary>Takes one journal entry in.</summary>
    public void Apply(JournalEntry entry)
    {
        switch (entry)
        {
            case Decided decided:
                Apply(decided.Message);
                for (int site = 0; site < Plan.Sites; site++) AddControl(site, down: ((long)decided.Bytes + Plan.Overhead) * Plan.SubscribersAt(site), up: 0);
                break;
            case Heard heard:
                Apply(heard.Report);
                if (SiteOf(heard.Report) is { } sender) AddControl(sender, down: 0, up: heard.Bytes + Plan.Overhead);
                break;
            case PresenceChanged presence:
                foreach ((string site, long bytes) in presence.Heartbeats)
                    if (Plan.SiteOf(site) is { } place) AddControl(place, down: 0, up: bytes);
                break;
            case DeadlinePassed passed:
                _rounds[passed.Round].IsOverdue = true;
                break;
        }
    }

    /// <summary>The next decision, or null while the run waits.</summary>
    /// <param name="present">Clients whose trainers are there, in ascending order; null for all. With a deadline rounds are sampled from them.</param>
    public RoundMessage? Next(IReadOnlyCollection<int>? present = null)
    {
        if (IsFinished) return null;
        if (!_opened) return new RunOpened(Plan.Run, Plan);
        if (_ending is not null) return Adapter is not null && HasEvaluation(_ending.Version) ? new RunFinished(Plan.Run) : null;
        if (Plan.Deadline is not null) return NextByDeadline(present ?? [.. Plan.Roster.Select(enrolment => enrolment.Client)]);
        if (_rounds.Count == 0) return Open(0);
        RoundRecord last = _rounds[^1];
        if (last.Closed is null) return last.IsAnswered && HasEvaluation(last.Round) ? Close(last) : null;
        if (last.Aggregated is null || last.Sites.Count < Plan.Sites) return null;
        return last.Round + 1 < Plan.Rounds ? Open(last.Round + 1) : new RunEnding(Plan.Run, last.Round + 1);
    }

    /// <summary>
    /// What a scheduler that comes back says again, in order: the plan, the closing message of the round before (a codec that missed it still holds
    /// the outbox open), and the decisions about the last round. Everything older was answered by every site.
    /// </summary>
    public IEnumerable<RoundMessage> RecentDecisions()
    {
        if (!_opened || IsFinished) yield break;
        yield return new RunOpened(Plan.Run, Plan);
        if (_rounds.Count > 1) yield return _rounds[^2].Closed!;
        if (_rounds.Count > 0)
        {
            yield return _rounds[^1].Opened;
            if (_rounds[^1].Closed is { } closed) yield return closed;
        }
        if (_ending is not null) yield return _ending;
    }

    /// <summary>What the run waits for.</summary>
    public Reminder Awaited()
    {
        if (_rounds.Count == 0) return new Reminder(Plan.Run, -1, [], [], false, null);
        RoundRecord last = _rounds[^1];
        int[] clients = last.Closed is null ? [.. last.Opened.Participants.Select(p => p.Client).Where(client => !last.IsAnsweredBy(client))] : [];
        int[] sites = last.Aggregated is null ? [] : [.. Enumerable.Range(0, Plan.Sites).Where(site => !last.Sites.ContainsKey(site))];
        bool isUnpublished = last.Closed is not null && last.Aggregated is null;
        int version = _ending?.Version ?? last.Round;
        return new Reminder(Plan.Run, last.Round, clients, sites, isUnpublished, HasEvaluation(version) ? null : version);
    }

    private RoundOpened Open(int round) =>
        Open(round, RoundRobinSchedule.Sample(Plan.Seed, round, Plan.Roster.Select(enrolment => enrolment.Client), Plan.Participants));

    private RoundOpened Open(int round, int[] sampled)
    {
        (double? first, double? previous) = LossesBefore(round);
        FrameAllowance up = Plan.Exchange.Budget is null ? Unlimited(Plan.Exchange.Keep(round, first, previous)) : BudgetBefore(round).Up(round, first, previous);
        return new RoundOpened(
            Plan.Run,
            round,
            [.. sampled.Select((client, slot) => new Participant(client, slot, RoundRobinSchedule.SegmentOf(slot, round, Plan.Exchange.Segments)))],
            up.KeepA,
            up.KeepB,
            IsEvaluated(round),
            up.FrameBytes);
    }

    private RoundClosed Close(RoundRecord round)
    {
        IEnumerable<AcceptedSegment> accepted =
            from participant in round.Opened.Participants
            where IsDelivered(round, participant.Client)
            select new AcceptedSegment(participant.Client, participant.Slot, participant.Segment, round.Segments[participant.Client].Digest);
        FrameAllowance down = Down(round);
        return new RoundClosed(Plan.Run, round.Round, [.. accepted], down.KeepA, down.KeepB, down.FrameBytes);
    }

    private FrameAllowance Down(RoundRecord round)
    {
        if (Plan.Exchange.Budget is null) return Unlimited(Plan.Exchange.KeepDown(round.Round, (round.Opened.KeepA, round.Opened.KeepB)));
        (double? first, double? previous) = LossesBefore(round.Round);
        return BudgetBefore(round.Round).Down(round.Round, first, previous, UploadsOf(round));
    }

    private static FrameAllowance Unlimited((double A, double B) keep) => new(keep.A, keep.B);

    /// <summary>L_0 and L_{t−1}.</summary>
    private (double? First, double? Previous) LossesBefore(int round)
    {
        double?[] losses = [.. _rounds.Take(round).Select(record => record.Loss).Where(loss => loss is not null)];
        return (losses.FirstOrDefault(), losses.LastOrDefault());
    }

    /// <summary>The budget after the rounds before this one.</summary>
    private ByteBudget BudgetBefore(int round)
    {
        var budget = new ByteBudget(Plan);
        foreach (RoundRecord past in _rounds.Take(round))
            budget.Spend(
                new(past.Opened.KeepA, past.Opened.KeepB), UploadsOf(past), new(past.Closed!.KeepA, past.Closed.KeepB), (int)past.Aggregated!.Sizes.Framed);
        return budget;
    }

    private static int[] UploadsOf(RoundRecord round) => [.. round.Segments.Values.Select(received => (int)received.Sizes.Framed)];

    /// <summary>True when a participant has trained and its frame is stored.</summary>
    private static bool IsDelivered(RoundRecord round, int client) => round.IsAnsweredBy(client) && round.RefusalOf(client) is null;

    private bool IsEvaluated(int version) => version == 0 || version == Plan.Rounds || (version < Plan.Rounds && version % Plan.EvaluateEvery == 0);

    private bool HasEvaluation(int version) => !IsEvaluated(version) || _evaluations.ContainsKey(version);

    private bool IsSite(int site) => site >= 0 && site < Plan.Sites;

    private RoundRecord? RoundOf(int round) => round >= 0 && round < _rounds.Count ? _rounds[round] : null;

    /// <summary>The round if reports of its participants count: while it is open, with a deadline afterwards too.</summary>
    private RoundRecord? HearsAbout(int round) => RoundOf(round) is { } found && (found.Closed is null || Plan.Deadline is not null) ? found : null;

    private void Apply(RoundMessage decision)
    {
        switch (decision)
        {
            case RunOpened opened:
                (_opened, Plan) = (true, opened.Plan);
                break;
            case RoundOpened opened when RoundOf(opened.Round) is { } known:
                known.Reinforce(opened);
                break;
            case RoundOpened opened:
                _rounds.Add(new RoundRecord(opened));
                foreach ((int site, ControlBytes bytes) in _opening) AddControl(site, bytes.Down, bytes.Up);
                _opening.Clear();
                break;
            case RoundClosed closed:
                _rounds[closed.Round].Closed = closed;
                break;
            case RunEnding ending:
                _ending = ending;
                break;
            case RunFinished:
                IsFinished = true;
                break;
        }
    }

    private void Apply(ReportMessage report)
    {
        switch (report)
        {
            case ClientReport r:
                _rounds[r.Round].Clients.Add(r.Client, r);
                break;
            case ClientMissed r:
                _rounds[r.Round].Missed.Add(r.Client);
                break;
            case SegmentReceived r:
                (_rounds[r.Round].Closed is null ? _rounds[r.Round].Segments : _rounds[r.Round].LateSegments).Add(r.Client, r);
                break;
            case RoundAggregated r:
                _rounds[r.Round].Aggregated = r;
                break;
            case SiteUpdated r:
                _rounds[r.Version - 1].Sites.Add(r.Site, r);
                break;
            case Evaluated r:
                _evaluations.Add(r.Version, r);
                break;
            case AdapterWritten r:
                Adapter = r;
                break;
        }
    }

    /// <summary>The site whose link a report crossed; null for the aggregator's, which stands beside the scheduler.</summary>
    public static int? SiteOf(ReportMessage report) => report switch
    {
        ClientReport r => r.Site,
        ClientMissed r => r.Site,
        SiteUpdated r => r.Site,
        Evaluated r => r.Site,
        _ => null,
    };

    /// <summary>Control bytes belong to the round that is under way; opening the run counts with round 0, ending it with the last.</summary>
    internal void AddControl(int site, long down, long up)
    {
        SortedDictionary<int, ControlBytes> target = _rounds.Count == 0 ? _opening : _rounds[^1].Control;
        ControlBytes bytes = target.GetValueOrDefault(site);
        target[site] = new ControlBytes(bytes.Down + down, bytes.Up + up);
    }
}
