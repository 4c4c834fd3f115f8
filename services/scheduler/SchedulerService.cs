using System.Collections.Concurrent;
using System.Diagnostics;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Scheduler;

/// <summary>
/// Owns runs and rounds: hears reports, decides, and says so. It sees no tensor. What it decides is in its journal before anyone else learns of it.
/// </summary>
public sealed class SchedulerService : IDisposable
{
    private readonly IMessageBus _bus;
    private readonly Func<string, IRunJournal> _journals;
    private readonly Func<string, CancellationToken, Task<RunHistory?>> _find;
    private readonly ConcurrentDictionary<string, ScheduledRun> _runs = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _opening = new(1, 1);
    private readonly TimeProvider _clock;

    /// <summary>Subscribes to the reports.</summary>
    /// <param name="bus">The bus, not yet started.</param>
    /// <param name="journals">Opens the journal of a run.</param>
    /// <param name="find">Looks up a run that was not started here, before its first journal entry; null where there is none.</param>
    /// <param name="clock">The time, for deadlines and presence; null for the machine's.</param>
    public SchedulerService(IMessageBus bus, Func<string, IRunJournal> journals, Func<string, CancellationToken, Task<RunHistory?>>? find = null, TimeProvider? clock = null)
    {
        (_bus, _journals, _find, _clock) = (bus, journals, find ?? ((_, _) => Task.FromResult<RunHistory?>(null)), clock ?? TimeProvider.System);
        bus.Subscribe(Topics.Reports, "scheduler", HandleReportAsync);
    }

    /// <summary>The runs that were started here, by name.</summary>
    public IReadOnlyDictionary<string, ScheduledRun> Runs => _runs;

    /// <summary>Reports that were refused or told nothing new.</summary>
    public Refusals Refused { get; init; } = new();

    /// <summary>Is told of every entry of a journal.</summary>
    public Action<RunHistory, JournalEntry>? Observer { get; init; }

    /// <summary>Starts a run, or goes on with one whose journal is there. Nothing happens when it was started before.</summary>
    /// <param name="history">The run before its first journal entry.</param>
    /// <param name="replay">Decisions to follow, from another run's journal, or null.</param>
    /// <param name="cancellation">Cancels publishing.</param>
    public async Task<ScheduledRun> StartAsync(RunHistory history, DecisionReplay? replay, CancellationToken cancellation)
    {
        ScheduledRun run;
        await _opening.WaitAsync(cancellation);
        try
        {
            if (_runs.TryGetValue(history.Name, out ScheduledRun? known)) return known;
            run = await ScheduledRun.OpenAsync(history, _journals(history.Name), _bus, replay, Observer, _clock, cancellation);
            _runs[history.Name] = run;
        }
        finally
        {
            _opening.Release();
        }
        await run.SayAgainAsync(cancellation);
        return run;
    }

    /// <summary>Lets time pass for the runs that have a deadline.</summary>
    /// <param name="cancellation">Ends it.</param>
    public async Task WatchClockAsync(CancellationToken cancellation)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(200), _clock);
        while (await timer.WaitForNextTickAsync(cancellation))
        {
            foreach (ScheduledRun run in _runs.Values)
            {
                try
                {
                    await run.TickAsync(cancellation);
                }
                catch (Exception exception) when (exception is IOException or FormatException)
                {
                    // The sidecar is away, or this run's journal cannot be read; time goes on for the others.
                }
            }
        }
    }

    /// <summary>Says again what is awaited, for every run of which nothing has been heard for a while; the pause doubles while nothing comes.</summary>
    /// <param name="first">The first pause.</param>
    /// <param name="longest">The longest.</param>
    /// <param name="cancellation">Ends it.</param>
    public async Task RemindAsync(TimeSpan first, TimeSpan longest, CancellationToken cancellation)
    {
        var seen = new Dictionary<string, (int Entries, long Since, TimeSpan Pause)>(StringComparer.Ordinal);
        using var timer = new PeriodicTimer(first / 4);
        while (await timer.WaitForNextTickAsync(cancellation))
        {
            foreach ((string name, ScheduledRun run) in _runs)
            {
                if (run.History.IsFinished) continue;
                (int entries, long since, TimeSpan pause) = seen.GetValueOrDefault(name, (-1, 0, first));
                if (entries != run.Entries) seen[name] = (run.Entries, Stopwatch.GetTimestamp(), first);
                else if (Stopwatch.GetElapsedTime(since) >= pause)
                {
                    seen[name] = (entries, Stopwatch.GetTimestamp(), pause * 2 < longest ? pause * 2 : longest);
                    try
                    {
                        await run.SayAgainAsync(cancellation);
                    }
                    catch (Exception exception) when (exception is IOException or FormatException)
                    {
                        // The sidecar is away, or this run's journal cannot be read; the others' reminders go on, and the next one comes.
                    }
                }
            }
        }
    }

    private async Task<Verdict> HandleReportAsync(BusMessage message, CancellationToken cancellation)
    {
        ReportMessage report;
        try
        {
            report = ProtocolJson.ReadReport(message.Payload.Span);
        }
        catch (MessageException)
        {
            return Refused.Drop("malformed message", message.From);
        }
        if (!RunPlan.IsName(report.Run)) return Refused.Drop("unknown run", message.From);
        string about = $"run {report.Run}{Subject(report)}, {message.From}";
        if (!_runs.TryGetValue(report.Run, out ScheduledRun? run))
        {
            if (await _find(report.Run, cancellation) is not { } history) return Refused.Drop("unknown run", about);
            run = await StartAsync(history, null, cancellation);
        }
        if (await run.AuthorRefusalAsync(report, message.Signer, cancellation) is { } unauthorised) return Refused.Drop(unauthorised, about);
        if (await run.HearAsync(report, message.Payload.Length, cancellation) is { } refusal) Refused.Count(refusal, about);
        return Verdict.Success;
    }

    /// <summary>What a report is about, for people; names in it are not checked, so they are not in this.</summary>
    private static string Subject(ReportMessage report) => report switch
    {
        ClientReport said => $", round {said.Round}, client {said.Client}",
        ClientMissed said => $", round {said.Round}, client {said.Client}",
        SegmentReceived said => $", round {said.Round}, client {said.Client}",
        RoundAggregated said => $", round {said.Round}",
        SiteUpdated said => $", version {said.Version}, site number {said.Site}",
        Evaluated said => $", version {said.Version}, site number {said.Site}",
        AdapterWritten said => $", version {said.Version}",
        TrainerEnrolled said => $", enrolment of trainer {said.Trainer}",
        TrainerDeclined said => $", trainer {said.Trainer} that takes no part",
        TrainerPresent said => $", presence of trainer {said.Trainer}",
        _ => "",
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (ScheduledRun run in _runs.Values) run.Dispose();
        _opening.Dispose();
    }
}
