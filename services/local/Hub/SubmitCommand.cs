using System.CommandLine;
using System.Text.Json;
using EcoLora.Hosting;

namespace EcoLora.Local.Hub;

/// <summary><c>ecolora submit</c>: hands a run file to the scheduler of a running system.</summary>
internal static class SubmitCommand
{
    private const string Details =
        "The run file's options with their defaults: ecolora options. Model and data travel by name only, of a path its last part, and need not be here: trainers find them where their own\n"
        + "ECOLORA_MODELS and ECOLORA_DATA say, and ecolora show has who takes no part, and why. Dense baselines are left out; they belong to ecolora run. Submitting\n"
        + "the same run again changes nothing. " + SchedulerClient.TokenDetails;

    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "The run file (YAML).", HelpName = "FILE.yaml" };
        Option<string[]> data = Arguments.Texts("--data", "FILE", "Data instead of the file's data.files; can be given several times.");
        Option<string?> model = Arguments.Text("--model", "DIR", "Base model instead of the file's model.");
        Option<string[]> set = Arguments.Set();
        Option<string> address = SchedulerClient.Address();
        var wait = new Option<bool>("--wait") { Description = "Follow the run to its end, as ecolora watch does." };
        Option<bool> json = Arguments.Json("the run's status");
        var command = new DocumentedCommand("submit", "Hand a run to a scheduler: to the services that ecolora up has started, or to a hub's.", Details,
            "ecolora submit samples/quickstart.yaml --wait", "ecolora submit samples/quickstart.yaml --set name=again --set seed=2 --scheduler http://127.0.0.1:5100")
        {
            file, model, data, set, address, wait, json,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            RunFile run = RunFileArguments.Read(parsed.GetRequiredValue(file), parsed.GetValue(model), parsed.GetRequiredValue(data), null, parsed.GetRequiredValue(set));
            using var scheduler = SchedulerClient.Open(parsed.GetRequiredValue(address));
            JsonElement status = await scheduler.SubmitAsync(AnnouncedOptions.Of(run), cancellation);
            if (parsed.GetValue(wait)) await WatchCommand.FollowAsync(scheduler, run.Name, parsed.GetValue(json), cancellation);
            else Console.Out.WriteLine(parsed.GetValue(json) ? status.GetRawText() : RunText.Of(status));
            return ExitCodes.Success;
        });
        return command;
    }
}
