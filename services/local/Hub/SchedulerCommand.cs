using System.CommandLine;
using System.Text.Json;

namespace EcoLora.Local.Hub;

/// <summary>A command that asks the scheduler one question and shows the answer, as text or, with <c>--json</c>, as it came.</summary>
internal static class SchedulerCommand
{
    /// <param name="name">Its name.</param>
    /// <param name="description">One sentence.</param>
    /// <param name="details">More, before the line about the token; may be empty.</param>
    /// <param name="result">What comes back, in words.</param>
    /// <param name="about">What is asked about, or null.</param>
    /// <param name="ask">Asks.</param>
    /// <param name="show">Shows the answer to people.</param>
    /// <param name="examples">Whole command lines.</param>
    public static DocumentedCommand Create(string name, string description, string details, string result, Argument<string>? about,
        Func<SchedulerClient, string, CancellationToken, Task<JsonElement>> ask, Action<JsonElement> show, params string[] examples)
    {
        Option<string> address = SchedulerClient.Address();
        Option<bool> json = Arguments.Json(result);
        var command = new DocumentedCommand(name, description, details + SchedulerClient.TokenDetails, examples) { address, json };
        if (about is not null) command.Add(about);
        command.SetAction(async (parsed, cancellation) =>
        {
            using var scheduler = SchedulerClient.Open(parsed.GetRequiredValue(address));
            JsonElement answer = await ask(scheduler, about is null ? "" : parsed.GetRequiredValue(about), cancellation);
            if (parsed.GetValue(json)) Console.Out.WriteLine(answer.GetRawText());
            else show(answer);
            return ExitCodes.Success;
        });
        return command;
    }

    /// <summary>Shows a list as a table, or a line where it is empty.</summary>
    public static void ShowList(JsonElement list, Func<IEnumerable<JsonElement>, ResultTable> table, string none)
    {
        if (list.GetArrayLength() == 0) Console.Out.WriteLine(none);
        else table(list.EnumerateArray()).Print();
    }
}
