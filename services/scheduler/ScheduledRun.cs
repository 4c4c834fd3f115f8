using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Scheduler;

/// <summary>One run under way: its history, its journal, and the loop hear → journal → decide → journal → publish.</summary>
public sealed class ScheduledRun : IDisposable
{
    private readonly IMessageBus _bus;
    private readonly IRunJournal _journal;
    private readonly DecisionReplay? _replay;
    private readonly Action<RunHistory, JournalEntry>? _observer;
    private readonly Queue<byte[]> _unsaid = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _entries;

    private ScheduledRun(RunHistory history, IRunJournal journal, IMessageBus bus, DecisionReplay? replay, Action<RunHistory, JournalEntry>? observer) =>
        (History, _journal, _bus, _replay, _observer) = (history, journal, bus, replay, observer);

    /// <summary>The fold of the journal.</summary>
    public RunHistory History { get; }

    /// <summary>Completes when the run is over.</summary>
    public Task Finished => _finished.Task;

    /// <summary>Number of journal entries: it grows when the run gets further.</summary>
    public int Entries => Volatile.Read(ref _entries);

    /// <summary>The last trainer whose enrolment was refused here, and why; null where none was.</summary>
    public string? RefusedEnrolment { get; private set; }

    internal static async Task<ScheduledRun> OpenAsync(RunHistory history, IRunJournal journal, IMessageBus bus, DecisionReplay? replay,
        Action<RunHistory, JournalEntry>? observer, CancellationToken cancellation)
    {
        var run = new ScheduledRun(history, journal, bus, replay, observer);
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
            string? refusal = "no news";
            // Where there are two schedulers each hears a part of the reports: what is no news here may be about a round that the other has opened.
            if (!History.IsFinished && !History.IsNews(report)) await CatchUpAsync(cancellation);
            while (refusal is not null && History.IsNews(report))
            {
                _replay?.Check(report);
                if (await RecordAsync(new Heard(report, bytes), cancellation)) refusal = null;
            }
            if (refusal is not null && report is TrainerEnrolled enrolled && History.Roster?.Refusal(enrolled) is { } why)
            {
                refusal = "enrolment";
                RefusedEnrolment = $"{RosterState.TrainerName(enrolled.Site, enrolled.Trainer)}: {why}";
            }
            await DecideAsync(cancellation);
            return refusal;
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task DecideAsync(CancellationToken cancellation)
    {
        while (true)
        {
            // A decision whose publishing failed is said before anything else is decided.
            for (; _unsaid.TryPeek(out byte[]? message); _unsaid.Dequeue()) await _bus.PublishAsync(Topics.Rounds, History.Name, message, cancellation);
            if (History.Next() is not { } decision) break;
            _replay?.Check(decision);
            byte[] next = ProtocolJson.Write(decision);
            if (await RecordAsync(new Decided(decision, next.Length), cancellation)) _unsaid.Enqueue(next);
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
            return true;
        }
        await CatchUpAsync(cancellation);
        return false;
    }

    private async Task CatchUpAsync(CancellationToken cancellation)
    {
        foreach (JournalEntry entry in await _journal.ReadAsync(_entries, cancellation)) Apply(entry);
        if (History.IsFinished) _finished.TrySetResult();
    }

    private void Apply(JournalEntry entry)
    {
        History.Apply(entry);
        Volatile.Write(ref _entries, _entries + 1);
        _observer?.Invoke(History, entry);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _journal.Dispose();
        _turn.Dispose();
    }
}
