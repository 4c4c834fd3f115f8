using EcoLora.Federation;

namespace EcoLora.Services.Trainer;

/// <content>How the scheduler of a run with a deadline knows that the trainer is there.</content>
public sealed partial class TrainerService
{
    /// <summary>How long a trainer that leaves tries to say so.</summary>
    private static readonly TimeSpan _farewell = TimeSpan.FromSeconds(2);

    /// <summary>Says again and again that the trainer is there, for the runs with a deadline that it has part in; says that it leaves when it does.</summary>
    /// <param name="cancellation">Ends it.</param>
    public async Task SayPresentAsync(CancellationToken cancellation)
    {
        if (_options.Presence is not { } presence) return;
        using var timer = new PeriodicTimer(presence.Lease / 3);
        try
        {
            do
            {
                await SayPresentEverywhereAsync(presence.Lease, cancellation);
            }
            while (await timer.WaitForNextTickAsync(cancellation));
        }
        finally
        {
            using var patience = new CancellationTokenSource(_farewell);
            await SayPresentEverywhereAsync(TimeSpan.Zero, patience.Token);
        }
    }

    private async Task SayPresentEverywhereAsync(TimeSpan lease, CancellationToken cancellation)
    {
        foreach (RunPlan plan in _runs.Values.Select(run => run.Plan).Where(plan => plan.Deadline is not null && _active.ContainsKey(plan.Key) && _options.PartIn(plan) is not null))
        {
            try
            {
                await SayPresentAsync(plan, lease, cancellation);
            }
            catch (Exception exception) when (exception is IOException or OperationCanceledException)
            {
                // The sidecar is away: until it is back the trainer is not there.
            }
        }
    }

    private async Task SayPresentAsync(RunPlan plan, TimeSpan lease, CancellationToken cancellation)
    {
        if (_options.Presence is not { } presence) return;
        var report = new TrainerPresent(plan.Run, presence.Site, presence.Trainer, (int)Math.Ceiling(lease.TotalSeconds));
        await _bus.PublishAsync(Topics.Reports, report.Run, ProtocolJson.Write(report), cancellation);
    }
}
