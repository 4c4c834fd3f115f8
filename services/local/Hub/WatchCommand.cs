using System.CommandLine;
using System.Text.Json;

namespace EcoLora.Local.Hub;

/// <summary><c>ecolora watch</c>: follows a run to its end.</summary>
internal static class WatchCommand
{
    public static Command Create()
    {
        Argument<string> run = SchedulerClient.Run();
        Option<string> address = SchedulerClient.Address();
        Option<bool> json = Arguments.Json("the status at the end");
        var command = new DocumentedCommand("watch", "Follow a run of the services to its end.", $"A line whenever the run gets further, until it is finished or cancelled. Ctrl-C ends the watching, not the run.\n{SchedulerClient.TokenDetails}",
            "ecolora watch quickstart") { run, address, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var scheduler = SchedulerClient.Open(parsed.GetRequiredValue(address));
            await FollowAsync(scheduler, parsed.GetRequiredValue(run), parsed.GetValue(json), cancellation);
            return ExitCodes.Success;
        });
        return command;
    }

    /// <summary>Writes a line whenever the run gets further, or its last status as JSON.</summary>
    public static async Task FollowAsync(SchedulerClient scheduler, string run, bool json, CancellationToken cancellation)
    {
        string last = "";
        JsonElement end = default;
        await foreach (JsonElement status in scheduler.WatchAsync(run, cancellation))
        {
            end = status;
            string line = RunText.Of(status);
            if (!json && line != last) Console.Out.WriteLine(last = line);
        }
        if (json) Console.Out.WriteLine(end.GetRawText());
    }
}
