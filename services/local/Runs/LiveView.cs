using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Services.Trainer;
using EcoLora.Telemetry;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace EcoLora.Local.Runs;

/// <summary>A table that follows the run on a terminal: rounds, losses, bytes saved, time left.</summary>
internal sealed class LiveView : IRunView
{
    private readonly Lock _lock = new();
    private RunProgress? _progress;
    private string _title = "";
    private bool _ofPairs;

    public void Begin(RunRequest request, RunInput input, IReadOnlyList<Arm> arms)
    {
        lock (_lock)
        {
            (_title, _ofPairs) = (RunProgress.Headline(request, input), request.File.Dpo is not null);
            _progress = new RunProgress(arms);
        }
    }

    public void Advance(Arm arm, RunState state, JournalEntry entry)
    {
        lock (_lock) _progress!.Advance(arm, state, entry);
    }

    /// <summary>Shows the table until the run has ended, whichever way.</summary>
    public async Task FollowAsync(Task run)
    {
        await AnsiConsole.Live(new Text("loading model and data…")).StartAsync(async context =>
        {
            while (!run.IsCompleted)
            {
                context.UpdateTarget(Render());
                await Task.WhenAny(run, Task.Delay(200));
            }
            context.UpdateTarget(Render());
        });
    }

    private IRenderable Render()
    {
        lock (_lock)
        {
            if (_progress is null) return new Text("loading model and data…");
            Table table = new Table().Border(TableBorder.Rounded).AddColumns(
                ["arm", "rounds", "", "train loss", "held-out", .. _ofPairs ? (string[])["accuracy", "margin"] : ["exact"], "up", "down", "saved"]);
            foreach (ArmProgress arm in _progress.Arms) table.AddRow([.. Cells(arm, _ofPairs).Select(cell => new Markup(cell))]);
            string left = _progress.Left is { TotalSeconds: > 0 } time ? $"about {Quantity.Seconds(time.TotalSeconds)} left; " : "";
            string status = $"{Quantity.Seconds(_progress.Elapsed.TotalSeconds)} passed, {left}saved is against dense fp16";
            return new Rows(new Text(_title), table, new Markup($"[grey]{status}[/]"));
        }
    }

    private static IEnumerable<string> Cells(ArmProgress arm, bool ofPairs)
    {
        const int width = 20;
        int total = arm.Arm.Plan.Rounds, participants = arm.Arm.Plan.Participants;
        double share = arm.IsFinished ? 1 : (arm.Rounds + (arm.Rounds < total ? (double)arm.Reported % participants / participants : 0)) / total;
        int filled = (int)(share * width);
        yield return Markup.Escape(arm.Arm.Label);
        yield return $"{arm.Rounds}/{total}";
        yield return $"[green]{new string('━', filled)}[/][grey]{new string('━', width - filled)}[/]";
        yield return Quantity.Loss(arm.TrainLoss);
        yield return Quantity.Loss(arm.HeldOut?.Loss);
        yield return Quantity.Percent(arm.Right);
        if (ofPairs) yield return Quantity.Loss(arm.HeldOut?.RewardMargin);
        yield return Quantity.Bytes(arm.UpBytes);
        yield return Quantity.Bytes(arm.DownBytes);
        yield return Quantity.Percent(arm.Saved);
    }
}
