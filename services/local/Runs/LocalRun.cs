using System.Diagnostics;
using System.Text;
using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;
using EcoLora.Services.Scheduler;
using EcoLora.Services.Trainer;
using EcoLora.Telemetry;

namespace EcoLora.Local.Runs;

/// <summary>Is told how a run goes on.</summary>
public interface IRunView
{
    /// <summary>The run begins: its arms, in the order in which they will run.</summary>
    void Begin(RunRequest request, RunInput input, IReadOnlyList<Arm> arms);

    /// <summary>An arm has got further. Called from one thread at a time, also for what a resumed run finds done.</summary>
    void Advance(Arm arm, RunState state, JournalEntry entry);
}

/// <summary>A run from its file to its report: the method, then its dense baselines, each by the four services in this process.</summary>
public static class LocalRun
{
    /// <summary>Runs to the end.</summary>
    /// <returns>The report, which is also in the folder.</returns>
    /// <exception cref="RunFolderRefusedException">The folder cannot be used.</exception>
    /// <exception cref="FormatException">A file is not what it should be.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; <c>--resume</c> goes on.</exception>
    public static async Task<RunReport> ExecuteAsync(RunRequest request, IRunView view, CancellationToken cancellation)
    {
        DateTimeOffset started = DateTimeOffset.UtcNow;
        RunFile file = request.File;
        RunInput input = RunInput.Load(file);
        List<Arm> arms = Arms(file, input);
        DecisionReplay? replay = request.Replay is null ? null : new DecisionReplay(Journal.Read(request.Replay));
        if (replay is not null) arms[0] = arms[0] with { Plan = replay.PlanFor(arms[0].Plan) };
        foreach (Arm arm in arms) arm.Plan.Validate();
        // Before anything is written: a machine may not have what the run's engine needs.
        ModelEngine engine = input.Engine(file.Threads, file.RecomputesLayers);
        using RunFolder folder = RunFolder.Open(request.Folder, file.Values.ToJson(), request.Resume, request.Force);
        view.Begin(request, input, arms);

        var facts = new List<ArmFacts>();
        var timings = new List<ArmTiming>();
        foreach (Arm arm in arms)
        {
            var clock = Stopwatch.StartNew();
            bool isMethod = arm == arms[0];
            DurableFolder output = isMethod ? folder.Folder : folder.Folder.Folder("baselines").Folder(arm.Plan.Run[(file.Name.Length + 1)..]);
            RunState state = await LocalCluster.RunAsync(new ClusterOptions
            {
                Plan = arm.Plan,
                State = folder.Folder.Folder("state").Folder(arm.Plan.Run),
                Engine = engine,
                WriteAdapter = (plan, outcome, chain) => AdapterExport.Write(output, plan, file, outcome, chain),
                Threads = file.Threads,
                KeepChange = isMethod && request.KeepUpdates ? change => KeptUpdate.Write(folder.Folder.FileAt(KeptUpdate.Folder), change) : null,
                Replay = isMethod ? replay : null,
                Observer = (current, entry) => view.Advance(arm, current, entry),
            }, cancellation);
            facts.Add(ArmFactsOf.Journal(arm, state));
            output.Write("ledger.csv", Encoding.UTF8.GetBytes(LedgerText(facts[^1])));
            timings.Add(new ArmTiming(arm.Label, clock.Elapsed.TotalSeconds));
        }

        double seconds = (DateTimeOffset.UtcNow - started).TotalSeconds;
        var timing = new RunTiming(started, seconds, file.Threads, Process.GetCurrentProcess().PeakWorkingSet64, timings);
        RunReport report = RunReport.Of(Facts(file, input, folder.Folder, arms[0]), facts, timing);
        folder.Folder.Write("report.json", ReportJson.Write(report));
        folder.Folder.Write("report.html", Encoding.UTF8.GetBytes(ReportPage.Render(report)));
        return report;
    }

    private static List<Arm> Arms(RunFile file, RunInput input)
    {
        return
        [
            Arm.Of(file.Preset, input.Plan(file.Name, file.Exchange)),
            .. file.Baselines.Select(baseline => Arm.Of(baseline, input.Plan($"{file.Name}-{baseline.Slug}", baseline.Options))),
        ];
    }

    private static RunFacts Facts(RunFile file, RunInput input, DurableFolder folder, Arm method)
    {
        JsonElement options = JsonSerializer.SerializeToElement(file.Values.ToJson());
        return new RunFacts(file.Name, file.Seed, JournalReport.ProductVersion, options, InputFacts.Model(file, input), InputFacts.Data(file, input.Data, method.Plan), Decisions(folder, method));
    }

    private static DecisionFacts Decisions(DurableFolder folder, Arm method) => JournalReport.DecisionsOf(
        Journal.Read(folder.Folder("state").Folder(method.Plan.Run).Folder("scheduler").FileAt(method.Plan.Run + ".journal.jsonl")), method.Plan);

    private static string LedgerText(ArmFacts facts)
    {
        var text = new StringWriter();
        LedgerCsv.Write(text, facts.Ledger);
        return text.ToString();
    }
}
