using System.Diagnostics;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;
using EcoLora.Telemetry;

namespace EcoLora.Services.Scheduler;

/// <summary>One run under way: its history, its journal, and the loop hear → journal → decide → journal → publish.</summary>
public sealed class ScheduledRun : IDisposable
{
    /// <summary>How old may be what a watcher is told of another scheduler's work.</summary>
    private static readonly TimeSpan _watching = TimeSpan.FromSeconds(1);

    /// <summary>Most trainers whose reasons are kept, and the longest of them.</summary>
    private const int MostDeclined = 1000, LongestReason = 1000;

    private readonly IMessageBus _bus;
    private readonly IRunJournal _journal;
    private readonly DecisionReplay? _replay;
    private readonly TimeProvider _clock;
    private readonly PresenceLeases _leases;
    private readonly Action<RunHistory, JournalEntry>? _observer;
    private readonly Queue<byte[]> _unsaid = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SortedDictionary<string, string> _declined = new(StringComparer.Ordinal);
    private string? _refusedEnrolment;
    private int _entries, _decisions;
    private long _openedAt, _readAt, _grownAt;
    private volatile RunFigures? _figures;
    private int _figuresAt = -1;
    private (int Round, DateTimeOffset Start)? _traced;

    private ScheduledRun(RunHistory history, IRunJournal journal, IMessageBus bus, DecisionReplay? replay, Action<RunHistory, JournalEntry>? observer, TimeProvider clock) =>
        (History, _journal, _bus, _replay, _observer, _clock, _leases) = (history, journal, bus, replay, observer, clock, new PresenceLeases(clock));

    /// <summary>The fold of the journal.</summary>
    public RunHistory History { get; }

    /// <summary>Completes when the run is over; fails when it comes out otherwise than the journal that it replays.</summary>
    public Task Finished => _finished.Task;

    /// <summary>Number of journal entries: it grows when the run gets further.</summary>
    public int Entries => Volatile.Read(ref _entries);

    internal static async Task<ScheduledRun> OpenAsync(RunHistory history, IRunJournal journal, IMessageBus bus, DecisionReplay? replay,
        Action<RunHistory, JournalEntry>? observer, TimeProvider clock, CancellationToken cancellation)
    {
        var run = new ScheduledRun(history, journal, bus, replay, observer, clock);
        await run.CatchUpAsync(cancellation);
        return run;
    }

    /// <summary>Says again what was decided last and what is awaited, since nobody knows who has heard it, and goes on.</summary>
    internal async Task SayAgainAsync(CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            // Another scheduler may have gone on, or have finished the run.
            await CatchUpAsync(cancellation);
            foreach (RoundMessage message in History.Again()) _unsaid.Enqueue(ProtocolJson.Write(message));
            await DecideAsync(cancellation);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Takes a report in and decides what follows from it.</summary>
    /// <returns>Null, or why the report did not count.</returns>
    internal async Task<string?> HearAsync(ReportMessage report, int bytes, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            if (report is TrainerPresent present) return await HearAsync(present, bytes, cancellation);
            if (report is TrainerDeclined declined) return Hear(declined);
            string? refusal = report is ClientReport said && History.Run?.Plan.FindEnrolment(said.Client) is { } enrolled && enrolled.Samples != said.Samples ? "samples" : "no news";
            // Where there are two schedulers each hears a part of the reports: what is no news here may be about a round that the other has opened.
            if (!History.IsFinished && !History.IsNews(report)) await CatchUpAsync(cancellation);
            while (refusal is not null && History.IsNews(report))
            {
                _replay?.Check(report);
                if (await RecordAsync(new Heard(report, bytes), cancellation)) refusal = null;
            }
            if (refusal is not null && report is TrainerEnrolled trainer && History.Roster?.Refusal(trainer) is { } why)
            {
                refusal = "enrolment";
                _refusedEnrolment = $"{RosterState.TrainerName(trainer.Site, trainer.Trainer)}: {why}";
            }
            await DecideAsync(cancellation);
            return refusal;
        }
        catch (ReplayException otherwise)
        {
            _finished.TrySetException(otherwise);
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Why the signer may not say this, or null. What another scheduler has written since may say otherwise: the run that it opened, or its growth.</summary>
    internal async Task<string?> AuthorRefusalAsync(ReportMessage report, Signer? signer, CancellationToken cancellation)
    {
        if (Authorship.RefusalOf(report, History.Run?.Plan, signer) is null) return null;
        await _turn.WaitAsync(cancellation);
        try
        {
            await CatchUpAsync(cancellation);
            return Authorship.RefusalOf(report, History.Run?.Plan, signer);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Where the run is, by what this scheduler has written, and any other until a second ago: whoever watches shall not hold up the run.</summary>
    internal async Task<RunStatus> StatusAsync(CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            if (!History.IsFinished && _clock.GetElapsedTime(_readAt) >= _watching) await CatchUpAsync(cancellation);
            return RunStatus.For(History, _entries, _refusedEnrolment, [.. _declined.Select(pair => $"{pair.Key}: {pair.Value}")]);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The run in numbers: as it is now or, while something is written, as it was when it was asked for last; null before that.</summary>
    internal RunFigures? Figures()
    {
        if (_turn.Wait(0))
        {
            try
            {
                if (_figuresAt != _entries) (_figures, _figuresAt) = (RunFigures.Of(History), _entries);
            }
            finally
            {
                _turn.Release();
            }
        }
        return _figures is { } figures ? figures with { Idle = _clock.GetElapsedTime(Volatile.Read(ref _grownAt)) } : null;
    }

    /// <summary>Cancels the run or resumes it; one that is as it should be stays so. What participants are about to finish is heard in any case.</summary>
    /// <returns>False when the run is over.</returns>
    internal async Task<bool> HoldAsync(bool isHeld, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            await CatchUpAsync(cancellation);
            while (!History.IsFinished && History.IsHeld != isHeld) await RecordAsync(new RunHeld(isHeld), cancellation);
            if (History.IsFinished) return false;
            await DecideAsync(cancellation);
            return true;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>With a deadline: takes in what the clock says, and decides what follows. A scheduler that comes back gives the open round its whole time again.</summary>
    internal async Task TickAsync(CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            if (_replay is not null || History.IsHeld || History.Run is not { IsFinished: false, Plan.Deadline: { } deadline } run) return;
            bool isNews = false;
            if (History.Roster is not null && _leases.Expired(History.Present) is { Count: > 0 } left) isNews |= await RecordPresenceAsync([], left, cancellation);
            if (run.Rounds is [.., { Closed: null, IsOverdue: false } last] && _clock.GetElapsedTime(_openedAt).TotalSeconds >= deadline.Seconds)
                isNews |= await RecordAsync(new DeadlinePassed(last.Round), cancellation);
            if (isNews || _unsaid.Count > 0) await DecideAsync(cancellation);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Remembers who takes no part and why, for people; a trainer that enrols later does.</summary>
    private string? Hear(TrainerDeclined report)
    {
        string trainer = RosterState.TrainerName(report.Site, report.Trainer);
        if (History.IsFinished || History.Roster?.Has(report.Site, report.Trainer) != false || !RunPlan.IsName(report.Site) || report.Trainer < 0) return "no news";
        if (report.Why.Length > LongestReason || (_declined.Count == MostDeclined && !_declined.ContainsKey(trainer))) return "declined";
        _declined[trainer] = report.Why;
        return null;
    }

    private async Task<string?> HearAsync(TrainerPresent report, int bytes, CancellationToken cancellation)
    {
        if (History.Run is not { IsFinished: false, Plan.Deadline: not null } || History.Roster?.Has(report.Site, report.Trainer) != true) return "no news";
        if (report.Seconds is < 0 or > PresenceLeases.LongestSeconds) return "presence";
        _leases.Hear(report, bytes + _bus.Overhead);
        string trainer = RosterState.TrainerName(report.Site, report.Trainer);
        if (History.Present.Contains(trainer) != report.Seconds > 0)
        {
            await RecordPresenceAsync(report.Seconds > 0 ? [trainer] : [], report.Seconds > 0 ? [] : [trainer], cancellation);
            await DecideAsync(cancellation);
        }
        return null;
    }

    private async Task<bool> RecordPresenceAsync(IReadOnlyList<string> arrived, IReadOnlyList<string> left, CancellationToken cancellation)
    {
        if (!await RecordAsync(new PresenceChanged(arrived, left, _leases.Bytes), cancellation)) return false;
        _leases.Counted();
        return true;
    }

    private async Task DecideAsync(CancellationToken cancellation)
    {
        while (true)
        {
            // A decision whose publishing failed is said before anything else is decided.
            for (; _unsaid.TryPeek(out byte[]? message); _unsaid.Dequeue()) await _bus.PublishAsync(Topics.Rounds, History.Name, message, cancellation);
            if ((_replay is { IsFollowed: true } ? _replay.Next(History, _decisions) : History.Next()) is not { } decision) break;
            _replay?.Check(decision, _decisions);
            // What heartbeats have cost belongs to the round that they came in.
            if (decision is RoundClosed && _leases.Bytes.Count > 0 && !await RecordPresenceAsync([], [], cancellation)) continue;
            byte[] next = ProtocolJson.Write(decision);
            if (!await RecordAsync(new Decided(decision, next.Length), cancellation)) continue;
            _unsaid.Enqueue(next);
            if (decision is RoundOpened)
                foreach (RoundMessage message in History.ToThoseBehind()) _unsaid.Enqueue(ProtocolJson.Write(message));
        }
        if (History.IsFinished) _finished.TrySetResult();
    }

    /// <summary>Appends an entry, and takes it in.</summary>
    /// <returns>False when another scheduler was there first: what it wrote is taken in instead.</returns>
    private async Task<bool> RecordAsync(JournalEntry entry, CancellationToken cancellation)
    {
        if (await _journal.TryAppendAsync(_entries, entry, cancellation))
        {
            Apply(entry);
            if (entry is Decided { Message: RoundOpened or RunEnding } decided) Trace(decided.Message);
            return true;
        }
        await CatchUpAsync(cancellation);
        return false;
    }

    private async Task CatchUpAsync(CancellationToken cancellation)
    {
        foreach (JournalEntry entry in await _journal.ReadAsync(_entries, cancellation)) Apply(entry);
        _readAt = _clock.GetTimestamp();
        if (History.IsFinished) _finished.TrySetResult();
    }

    private void Apply(JournalEntry entry)
    {
        History.Apply(entry);
        if (entry is Heard { Report: TrainerEnrolled enrolled }) _declined.Remove(RosterState.TrainerName(enrolled.Site, enrolled.Trainer));
        Volatile.Write(ref _entries, _entries + 1);
        Volatile.Write(ref _grownAt, _clock.GetTimestamp());
        if (entry is Decided { Message: not RunAnnounced }) _decisions++;
        // A run that was held gets its time back too.
        if (entry is Decided { Message: RoundOpened } or RunHeld) _openedAt = _clock.GetTimestamp();
        _observer?.Invoke(History, entry);
    }

    /// <summary>A round that this process has opened has its span once what follows it is decided.</summary>
    private void Trace(RoundMessage next)
    {
        int? begins = (next as RoundOpened)?.Round;
        if (_traced?.Round == begins) return; // The same round again, with more participants.
        if (_traced is { } traced && History.Run!.Rounds[traced.Round] is { Closed: { } closed } round && traced.Round + 1 == (begins ?? ((RunEnding)next).Version))
        {
            using Activity? span = RoundTrace.Start("round", History.Name, traced.Round, traced.Start);
            span?.SetTag("ecolora.participants", round.Opened.Participants.Count).SetTag("ecolora.accepted", closed.Accepted.Count);
        }
        _traced = begins is { } begun ? (begun, _clock.GetUtcNow()) : null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _journal.Dispose();
        _turn.Dispose();
    }
}
