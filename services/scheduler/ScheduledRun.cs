using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Scheduler;

/// <summary>One run under way: its state, its journal, and the loop hear → journal → decide → journal → publish.</summary>
public sealed class ScheduledRun : IDisposable
{
    private readonly IMessageBus _bus;
    private readonly AppendLog _journal;
    private readonly DecisionReplay? _replay;
    private readonly Action<RunState, JournalEntry>? _observer;
    private readonly Queue<byte[]> _unsaid = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ScheduledRun(RunState state, AppendLog journal, IMessageBus bus, DecisionReplay? replay, Action<RunState, JournalEntry>? observer) =>
        (State, _journal, _bus, _replay, _observer) = (state, journal, bus, replay, observer);

    /// <summary>The fold of the journal.</summary>
    public RunState State { get; }

    /// <summary>Completes when the run is over.</summary>
    public Task Finished => _finished.Task;

    internal static ScheduledRun Open(RunPlan plan, DurableFolder folder, IMessageBus bus, DecisionReplay? replay, Action<RunState, JournalEntry>? observer)
    {
        var state = new RunState(plan);
        string path = folder.FileAt(plan.Run + ".journal.jsonl");
        AppendLog journal = AppendLog.Open(path, out List<byte[]> lines);
        foreach (JournalEntry entry in Journal.Read(path, lines))
        {
            state.Apply(entry);
            observer?.Invoke(state, entry);
        }
        return new ScheduledRun(state, journal, bus, replay, observer);
    }

    /// <summary>Says the recent decisions again, since nobody knows who had heard them before a crash, and goes on.</summary>
    internal async Task ResumeAsync(CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            foreach (RoundMessage message in State.RecentDecisions()) _unsaid.Enqueue(ProtocolJson.Write(message));
            await DecideAsync(cancellation);
        }
        finally
        {
            _turn.Release();
        }
    }

    internal async Task HearAsync(ReportMessage report, int bytes, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            if (State.IsNews(report))
            {
                _replay?.Check(report);
                Record(new Heard(report, bytes));
            }
            await DecideAsync(cancellation);
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
            for (; _unsaid.TryPeek(out byte[]? message); _unsaid.Dequeue()) await _bus.PublishAsync(Topics.Rounds, State.Plan.Run, message, cancellation);
            if (State.Next() is not { } decision) break;
            _replay?.Check(decision);
            byte[] next = ProtocolJson.Write(decision);
            Record(new Decided(decision, next.Length));
            _unsaid.Enqueue(next);
        }
        if (State.IsFinished) _finished.TrySetResult();
    }

    private void Record(JournalEntry entry)
    {
        _journal.Append(JsonSerializer.SerializeToUtf8Bytes(entry, ProtocolJson.Default.JournalEntry));
        State.Apply(entry);
        _observer?.Invoke(State, entry);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _journal.Dispose();
        _turn.Dispose();
    }
}
