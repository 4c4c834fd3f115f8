namespace EcoLora.Federation;

/// <summary>
/// The scheduler's whole state of a run: a fold over the journal, without clock, tensors or I/O. <see cref="Next"/> is the protocol's decision
/// in strict mode, a pure function of the state; a deadline would enter as one more journal entry.
/// </summary>
public sealed class RunState
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
    public RunPlan Plan { get; }

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
    public bool IsNews(ReportMessage report) => report.Run == Plan.Run && report switch
    {
        ClientReport r => RoundOf(r.Round) is { Closed: null } round && !round.Clients.ContainsKey(r.Client)
            && round.Opened.Participants.Any(p => p.Client == r.Client)
            && r.Samples == Plan.Roster[r.Client].Samples && r.Site == Plan.Roster[r.Client].Site && r.Loss.HasValue != (r.Refused is not null)
            && double.IsFinite(r.Loss ?? 0),
        SegmentStored r => RoundOf(r.Round) is { Closed: null } round && !round.Segments.ContainsKey(r.Client)
            && round.Opened.Participants.Any(p => p.Client == r.Client && p.Segment == r.Segment),
        RoundAggregated r => RoundOf(r.Round) is { Closed: not null, Aggregated: null },
        SiteUpdated r => RoundOf(r.Version - 1) is { Closed: not null } round && IsSite(r.Site) && !round.Sites.ContainsKey(r.Site),
        Evaluated r => (RoundOf(r.Version)?.Opened.Evaluate ?? r.Version == _ending?.Version) && IsSite(r.Site) && !_evaluations.ContainsKey(r.Version)
            && double.IsFinite(r.Score.Loss),
        AdapterWritten r => _ending is not null && r.Version == _ending.Version && Adapter is null,
        _ => false,
    };

    /// <summary>Takes one journal entry in.</summary>
    public void Apply(JournalEntry entry)
    {
        switch (entry)
        {
            case Decided decided:
                Apply(decided.Message);
                for (int site = 0; site < Plan.Sites; site++) AddControl(site, down: (long)decided.Bytes * Plan.SubscribersAt(site), up: 0);
                break;
            case Heard heard:
                Apply(heard.Report);
                if (SiteOf(heard.Report) is { } sender) AddControl(sender, down: 0, up: heard.Bytes);
                break;
        }
    }

    /// <summary>The next decision, or null while the run waits for reports.</summary>
    public RoundMessage? Next()
    {
        if (IsFinished) return null;
        if (!_opened) return new RunOpened(Plan.Run, Plan);
        if (_ending is not null) return Adapter is not null && HasEvaluation(_ending.Version) ? new RunFinished(Plan.Run) : null;
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
        if (_ending is not null) return new Reminder(Plan.Run, _ending.Version - 1, [], [], false, HasEvaluation(_ending.Version) ? null : _ending.Version);
        if (_rounds.Count == 0) return new Reminder(Plan.Run, -1, [], [], false, null);
        RoundRecord last = _rounds[^1];
        int[] clients = last.Closed is null ? [.. last.Opened.Participants.Select(p => p.Client).Where(client => !last.IsAnsweredBy(client))] : [];
        int[] sites = last.Aggregated is null ? [] : [.. Enumerable.Range(0, Plan.Sites).Where(site => !last.Sites.ContainsKey(site))];
        bool isUnpublished = last.Closed is not null && last.Aggregated is null;
        return new Reminder(Plan.Run, last.Round, clients, sites, isUnpublished, HasEvaluation(last.Round) ? null : last.Round);
    }

    private RoundOpened Open(int round)
    {
        ExchangeOptions exchange = Plan.Exchange;
        double? first = _rounds.Select(r => r.Loss).FirstOrDefault(loss => loss is not null);
        double? previous = _rounds.Select(r => r.Loss).LastOrDefault(loss => loss is not null);
        int[] sampled = RoundRobinSchedule.Sample(Plan.Seed, round, Plan.Roster.Count, Plan.Participants);
        return new RoundOpened(
            Plan.Run,
            round,
            [.. sampled.Select((client, slot) => new Participant(client, slot, RoundRobinSchedule.SegmentOf(slot, round, exchange.Segments)))],
            AdaptiveDensity.Fraction(exchange.KMinA, exchange.KMax, exchange.GammaA, first, previous),
            AdaptiveDensity.Fraction(exchange.KMinB, exchange.KMax, exchange.GammaB, first, previous),
            IsEvaluated(round));
    }

    private RoundClosed Close(RoundRecord round)
    {
        IEnumerable<AcceptedSegment> accepted =
            from participant in round.Opened.Participants
            where round.Segments.ContainsKey(participant.Client) && round.Clients[participant.Client].Refused is null
            select new AcceptedSegment(participant.Client, participant.Slot, participant.Segment, round.Segments[participant.Client].Digest);
        return new RoundClosed(Plan.Run, round.Round, [.. accepted], round.Opened.KeepA, round.Opened.KeepB);
    }

    private bool IsEvaluated(int version) => version == 0 || version == Plan.Rounds || (version < Plan.Rounds && version % Plan.EvaluateEvery == 0);

    private bool HasEvaluation(int version) => !IsEvaluated(version) || _evaluations.ContainsKey(version);

    private bool IsSite(int site) => site >= 0 && site < Plan.Sites;

    private RoundRecord? RoundOf(int round) => round >= 0 && round < _rounds.Count ? _rounds[round] : null;

    private void Apply(RoundMessage decision)
    {
        switch (decision)
        {
            case RunOpened:
                _opened = true;
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
            case SegmentStored r:
                _rounds[r.Round].Segments.Add(r.Client, r);
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
    private static int? SiteOf(ReportMessage report) => report switch
    {
        ClientReport r => r.Site,
        SiteUpdated r => r.Site,
        Evaluated r => r.Site,
        _ => null,
    };

    /// <summary>Control bytes from before the run was open.</summary>
    internal void AddOpening(int site, long down, long up) => AddControl(site, down, up);

    /// <summary>Control bytes belong to the round that is under way; opening the run counts with round 0, ending it with the last.</summary>
    private void AddControl(int site, long down, long up)
    {
        SortedDictionary<int, ControlBytes> target = _rounds.Count == 0 ? _opening : _rounds[^1].Control;
        ControlBytes bytes = target.GetValueOrDefault(site);
        target[site] = new ControlBytes(bytes.Down + down, bytes.Up + up);
    }
}
