using System.Diagnostics;
using System.Text.Json.Nodes;
using EcoLora.Formats.Peft;
using EcoLora.Telemetry;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests;

/// <summary>The command line on the sample model: real training, real files, real kills.</summary>
public class RealRunTests
{
    [Fact]
    public async Task Threads_change_no_byte_and_the_loss_falls()
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder);
        foreach (string threads in (string[])["1", "2", "8"]) await RealRun.SucceedAsync(file, "--threads", threads, "--out", folder[threads]);

        SortedDictionary<string, string> outcome = RealRun.Outcome(folder["1"]);
        Assert.Equal(outcome, RealRun.Outcome(folder["2"]));
        Assert.Equal(outcome, RealRun.Outcome(folder["8"]));
        Assert.Contains("adapter/adapter_model.safetensors", outcome.Keys);
        Assert.Contains("baselines/dense-fp16/adapter/adapter_config.json", outcome.Keys);
        foreach (JsonNode? arm in RealRun.Report(folder["1"])["arms"]!.AsArray())
            Assert.True((double)arm!["final"]!["loss"]! < 0.8 * (double)arm["before"]!["loss"]!, $"{arm["name"]}: {arm["before"]!["loss"]} to {arm["final"]!["loss"]}");
    }

    [Fact]
    public async Task A_run_that_is_killed_goes_on_to_the_same_bytes()
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder), journal = folder["killed/state/small/scheduler/small.journal.jsonl"];
        await RealRun.SucceedAsync(file, "--keep-updates", "--out", folder["whole"]);
        long length = new FileInfo(folder["whole/state/small/scheduler/small.journal.jsonl"]).Length;
        string[] resume = [];
        int kills = 0;
        // Kill −9 whenever another sixth of the journal has been written, wherever training, codec and files then are.
        for (int part = 1; part < 6; part++)
        {
            using Process process = RealRun.Start([file, "--keep-updates", "--out", folder["killed"], .. resume]);
            while (!process.HasExited && (!File.Exists(journal) || new FileInfo(journal).Length < length * part / 6)) await Task.Yield();
            kills += process.HasExited ? 0 : 1;
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            resume = ["--resume"];
        }
        await RealRun.SucceedAsync(file, "--keep-updates", "--out", folder["killed"], "--resume");

        Assert.True(kills >= 3, $"{kills} kills");
        Assert.Equal(RealRun.Outcome(folder["whole"]), RealRun.Outcome(folder["killed"]));
        await RealRun.SucceedAsync(file, "--keep-updates", "--out", folder["replayed"], "--replay", journal);
        Assert.Equal(RealRun.Outcome(folder["whole"]), RealRun.Outcome(folder["replayed"]));
    }

    [Fact]
    public async Task A_used_folder_is_refused_unless_it_is_resumed_or_replaced()
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder);
        await RealRun.SucceedAsync(file, "--out", folder["run"], "--set", "federation.rounds=1");

        (int code, string error) = await RealRun.RunAsync(file, "--out", folder["run"], "--set", "federation.rounds=1");
        Assert.Equal(4, code);
        Assert.Equal($"ecolora: {folder["run"]} holds a run already; go on with it by --resume, or replace it by --force\n", error);
        (code, error) = await RealRun.RunAsync(file, "--out", folder["run"], "--resume");
        Assert.Equal(4, code);
        Assert.Contains("federation.rounds: the run that is there has 1, found 3", error, StringComparison.Ordinal);
        (code, _) = await RealRun.RunAsync(file, "--out", folder.Path, "--force");
        Assert.Equal(4, code);
        await RealRun.SucceedAsync(file, "--out", folder["run"], "--force", "--set", "federation.rounds=1", "--set", "seed=4");
    }

    [Fact]
    public async Task The_ledger_agrees_with_the_files_and_the_adapter_can_be_read()
    {
        using var folder = new TemporaryFolder();
        await RealRun.SucceedAsync(RealRun.File(folder), "--out", folder["run"]);

        using StreamReader csv = File.OpenText(folder["run/ledger.csv"]);
        IReadOnlyList<LedgerRow> rows = LedgerCsv.Read(csv, "ledger.csv");
        foreach (IGrouping<int, LedgerRow> round in rows.Where(row => row.Direction == Direction.Down).GroupBy(row => row.Round))
        {
            var chain = new FileInfo(folder[$"run/state/small/aggregator/small/chain/change-{round.Key:d5}.frame"]);
            Assert.Equal(3, round.Count());
            Assert.All(round, row => Assert.Equal(chain.Length, row.Framed));
        }
        Assert.Equal(12, rows.Count(row => row.Direction == Direction.Up));
        Assert.Equal(rows.Sum(row => row.Framed), LedgerTotals.Of(rows).All.TotalBytes);

        PeftAdapter adapter = PeftAdapter.Read(folder["run/adapter"]);
        Assert.Equal(8, adapter.Modules.Count);
        Assert.All(adapter.Modules, module => Assert.Contains(module.B, value => value != 0));
        Assert.Contains("<svg", File.ReadAllText(folder["run/report.html"]), StringComparison.Ordinal);
    }
}
