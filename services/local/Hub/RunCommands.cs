using System.CommandLine;
using System.Text.Json;

namespace EcoLora.Local.Hub;

/// <summary><c>ecolora list</c>, <c>show</c>, <c>cancel</c> and <c>resume</c>: one question to the scheduler each.</summary>
internal static class RunCommands
{
    public static IEnumerable<Command> Create() =>
    [
        SchedulerCommand.Create("list", "The runs that the services were given.", "", "the runs", null, (scheduler, _, cancellation) => scheduler.ListAsync(cancellation),
            runs => SchedulerCommand.ShowList(runs, RunText.Table, "no runs yet; submit one: ecolora submit FILE.yaml"), "ecolora list", "ecolora list --scheduler http://10.0.0.7:5100 --json"),
        OfRun("show", "Where a run of the services is, and what it waits for.", (scheduler, run, cancellation) => scheduler.ShowAsync(run, cancellation)),
        OfRun("cancel", "Stop a run of the services: nothing new begins; what participants are about to finish is kept, so that it can be resumed.",
            (scheduler, run, cancellation) => scheduler.HoldAsync(run, isHeld: true, cancellation)),
        OfRun("resume", "Go on with a cancelled run of the services where it stood; unless it has a deadline, its outcome is that of a run that was never cancelled.",
            (scheduler, run, cancellation) => scheduler.HoldAsync(run, isHeld: false, cancellation)),
    ];

    private static DocumentedCommand OfRun(string name, string description, Func<SchedulerClient, string, CancellationToken, Task<JsonElement>> ask) =>
        SchedulerCommand.Create(name, description, "", "the run's status", SchedulerClient.Run(), ask, status => RunText.Details(status).Print(), $"ecolora {name} quickstart");
}
