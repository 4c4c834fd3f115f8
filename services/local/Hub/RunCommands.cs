using System.CommandLine;
using System.Text.Json;

namespace EcoLora.Local.Hub;

/// <summary><c>ecolora list</c>, <c>show</c>, <c>cancel</c> and <c>resume</c>: one question to the scheduler each.</summary>
internal static class RunCommands
{
    public static IEnumerable<Command> Create() =>
    [
        Ask("list", "The runs that the services were given.", "the runs", null, (scheduler, _, cancellation) => scheduler.ListAsync(cancellation),
            runs => runs.GetArrayLength() == 0 ? null : RunText.Table(runs.EnumerateArray()), "ecolora list", "ecolora list --scheduler http://10.0.0.7:5100 --json"),
        Ask("show", "Where a run of the services is, and what it waits for.", "the run's status", SchedulerClient.Run(), (scheduler, run, cancellation) => scheduler.ShowAsync(run, cancellation),
            RunText.Details, "ecolora show quickstart"),
        Ask("cancel", "Stop a run of the services: nothing new begins; what participants are about to finish is kept, so that it can be resumed.", "the run's status", SchedulerClient.Run(),
            (scheduler, run, cancellation) => scheduler.HoldAsync(run, isHeld: true, cancellation), RunText.Details, "ecolora cancel quickstart"),
        Ask("resume", "Go on with a cancelled run of the services where it stood; unless it has a deadline, its outcome is that of a run that was never cancelled.", "the run's status", SchedulerClient.Run(),
            (scheduler, run, cancellation) => scheduler.HoldAsync(run, isHeld: false, cancellation), RunText.Details, "ecolora resume quickstart"),
    ];

    private static DocumentedCommand Ask(string name, string description, string result, Argument<string>? run,
        Func<SchedulerClient, string, CancellationToken, Task<JsonElement>> ask, Func<JsonElement, ResultTable?> table, params string[] examples)
    {
        Option<string> address = SchedulerClient.Address();
        Option<bool> json = Arguments.Json(result);
        var command = new DocumentedCommand(name, description, SchedulerClient.TokenDetails, examples) { address, json };
        if (run is not null) command.Add(run);
        command.SetAction(async (parsed, cancellation) =>
        {
            using var scheduler = SchedulerClient.Open(parsed.GetRequiredValue(address));
            JsonElement answer = await ask(scheduler, run is null ? "" : parsed.GetRequiredValue(run), cancellation);
            if (parsed.GetValue(json)) Console.Out.WriteLine(answer.GetRawText());
            else if (table(answer) is { } shown) shown.Print();
            else Console.Out.WriteLine("no runs yet; submit one: ecolora submit FILE.yaml");
            return ExitCodes.Success;
        });
        return command;
    }
}
