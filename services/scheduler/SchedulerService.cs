using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Scheduler;

/// <summary>
/// Owns runs and rounds: hears reports, decides, and says so. It sees no tensor. What it decides is in its journal before anyone else learns of it.
/// </summary>
public sealed class SchedulerService
{
    private readonly IMessageBus _bus;
    private readonly DurableFolder _folder;
    private readonly Dictionary<string, ScheduledRun> _runs = [];
    private readonly Lock _lock = new();

    /// <summary>Subscribes to the reports.</summary>
    /// <param name="bus">The bus, not yet started.</param>
    /// <param name="folder">Where the journals live.</param>
    public SchedulerService(IMessageBus bus, DurableFolder folder)
    {
        (_bus, _folder) = (bus, folder);
        bus.Subscribe(Topics.Reports, "scheduler", HandleReportAsync);
    }

    /// <summary>Starts a run, or goes on with one whose journal is there.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="replay">Decisions to follow, from another run's journal, or null.</param>
    /// <param name="observer">Is told the state after each journal entry; must be quick and not throw.</param>
    /// <param name="cancellation">Cancels publishing.</param>
    public async Task<ScheduledRun> StartAsync(RunPlan plan, DecisionReplay? replay, Action<RunState, JournalEntry>? observer, CancellationToken cancellation)
    {
        ScheduledRun run = ScheduledRun.Open(plan, _folder, _bus, replay, observer);
        lock (_lock) _runs.Add(plan.Run, run);
        try
        {
            await run.ResumeAsync(cancellation);
            return run;
        }
        catch
        {
            run.Dispose();
            throw;
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
            return Verdict.Drop;
        }
        ScheduledRun? run;
        lock (_lock) _runs.TryGetValue(report.Run, out run);
        if (run is null) return Verdict.Drop;
        await run.HearAsync(report, message.Payload.Length, cancellation);
        return Verdict.Success;
    }
}
