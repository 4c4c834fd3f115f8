using System.Text.Json;
using EcoLora.DaprTestKit;
using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Services.Scheduler;
using EcoLora.Telemetry;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>The scheduler's API as people use it: by the command line, by a program, by a browser.</summary>
public class HubApiTests
{
    [Fact]
    public async Task A_run_is_submitted_watched_cancelled_resumed_and_fetched_by_the_command_line()
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder);
        await using HubCluster hub = await HubCluster.StartAsync();
        string url = $"http://127.0.0.1:{hub["scheduler"].Port}";
        Task<(int Code, string Output, string Error)> Ask(params string[] arguments) => RealRun.EcoloraAsync(HubApp.PeopleToken, [.. arguments, "--scheduler", url]);

        (int code, string output, string error) = await RealRun.EcoloraAsync("of-people-who-guess", "submit", file, "--scheduler", url);
        Assert.Equal((3, $"ecolora: {url}/: 401: expected the token of ECOLORA_API_TOKEN as a bearer token, found another\n"), (code, error));
        Assert.Equal((0, "no runs yet; submit one: ecolora submit FILE.yaml\n", ""), await Ask("list"));
        Assert.Equal((3, "", $"ecolora: {url}/: 404: run small: expected one that was submitted, found none (ecolora list)\n"), await Ask("cancel", "small"));

        // Whoever names a model that no site has is told so by each trainer, in words that tell of nothing else that is there.
        Assert.Equal((0, ""), await CodeAndErrorAsync(Ask("submit", file, "--set", "name=lost", "--model", "bsae")));
        await Eventually.TrueAsync(async () => (await Ask("show", "lost")).Output is var shown && new[] { "north-0", "north-1", "south-0" }.All(
            trainer => shown.Contains($"trainer-{trainer}: model: expected a name that this trainer knows, found 'bsae'", StringComparison.Ordinal)), "every trainer says why it takes no part");
        Assert.Equal(0, (await Ask("cancel", "lost")).Code);

        (code, output, error) = await Ask("submit", file);
        Assert.Equal((0, ""), (code, error));
        Assert.StartsWith("small: ", output, StringComparison.Ordinal);
        await Eventually.TrueAsync(async () => (await hub.StatusAsync("small"))?.GetProperty("published").GetInt32() >= 1, "the run is under way", HubRunTests.Limit);
        (code, output, error) = await Ask("cancel", "small", "--json");
        Assert.Equal("cancelled", JsonElement.Parse(output).GetProperty("state").GetString());
        Assert.Equal((3, $"ecolora: run small: expected a finished one, found it cancelled; go on with it: ecolora resume small\n"), await CodeAndErrorAsync(Ask("fetch", "small", "--out", folder["early"])));
        Assert.False(Path.Exists(folder["early"]));
        Assert.EndsWith("; go on: ecolora resume small\n", (await Ask("watch", "small")).Output, StringComparison.Ordinal);
        // A scheduler that starts again leaves a cancelled run alone.
        await hub["scheduler"].KillAsync();
        hub["scheduler"].StartService();
        await hub.WaitUntilReadyAsync();
        (code, output, error) = await Ask("show", "small");
        Assert.Matches("(?m)^state +cancelled$", output);
        Assert.Matches("(?m)^sites .*north at version", output);
        (code, output, error) = await Ask("resume", "small", "--json");
        Assert.Equal("running", JsonElement.Parse(output).GetProperty("state").GetString());
        (code, output, error) = await Ask("watch", "small");
        Assert.StartsWith("small: finished: round 3/3, held-out loss ", output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1], StringComparison.Ordinal);
        (code, output, error) = await Ask("list");
        Assert.Matches("(?m)^small +finished +3/3 ", output);
        Assert.Equal((3, $"ecolora: {url}/: 409: run small: expected one that is under way, found it finished\n"), await CodeAndErrorAsync(Ask("cancel", "small")));
        Assert.Equal((0, ""), await CodeAndErrorAsync(Ask("fetch", "small", "--out", folder["fetched"])));
        Assert.Equal(4, (await Ask("fetch", "small", "--out", folder["fetched"])).Code);

        await RealRun.SucceedAsync(file, "--out", folder["one-process"], "--set", "baselines=[]");
        Assert.Equal(HubCluster.AdapterIn(folder["one-process/adapter"]), HubCluster.AdapterIn(folder["fetched/adapter"]));
        CheckReport(folder);
        IReadOnlyList<JournalEntry> journal = Journal.Read(folder["fetched/journal.jsonl"]);
        int cancelled = IndexOf(journal, entry => entry is RunHeld { IsHeld: true }), resumed = IndexOf(journal, entry => entry is RunHeld { IsHeld: false });
        Assert.InRange(resumed, cancelled + 1, journal.Count);
        Assert.DoesNotContain(journal.Take(resumed).Skip(cancelled), entry => entry is Decided);
        await RealRun.SucceedAsync(file, "--out", folder["replay"], "--set", "baselines=[]", "--replay", folder["fetched/journal.jsonl"]);
        Assert.Equal(HubCluster.AdapterIn(folder["one-process/adapter"]), HubCluster.AdapterIn(folder["replay/adapter"]));
    }

    private static void CheckReport(TemporaryFolder folder)
    {
        RunReport fetched = ReportJson.Read(File.ReadAllBytes(folder["fetched/report.json"]), "report.json"), one = ReportJson.Read(File.ReadAllBytes(folder["one-process/report.json"]), "report.json");
        Assert.Equal(one.Arms[0].Final!.Loss, fetched.Arms[0].Final!.Loss);
        Assert.Equal(one.Arms[0].AdapterDigest, fetched.Arms[0].AdapterDigest);
        Assert.Equal(one.Arms[0].Rounds.Select(round => round.TrainLoss), fetched.Arms[0].Rounds.Select(round => round.TrainLoss));
        // Three rounds of four frames, each with its signature.
        Assert.Equal(one.Arms[0].Totals.Up.Framed + 3 * 4 * SignedMessage.HeaderSize, fetched.Arms[0].Totals.Up.Framed);
        Assert.Equal(["north", "south"], fetched.Data.Clients.Select(client => client.Site).Distinct());
        Assert.Equal(one.Data.Clients.Select(client => client.Records), fetched.Data.Clients.Select(client => client.Records));
        Assert.Equal((null, one.Data.HeldOut, one.Data.Records), (fetched.Model.Parameters, fetched.Data.HeldOut, fetched.Data.Records));
        using StreamReader reader = File.OpenText(folder["fetched/ledger.csv"]);
        IReadOnlyList<LedgerRow> rows = LedgerCsv.Read(reader, "ledger.csv");
        Assert.Equal(fetched.Arms[0].Totals.TotalBytes, rows.Sum(row => row.Framed));
        Assert.Contains("<h1>small</h1>", File.ReadAllText(folder["fetched/report.html"]), StringComparison.Ordinal);
    }

    private static async Task<(int, string)> CodeAndErrorAsync(Task<(int Code, string Output, string Error)> asked)
    {
        (int code, _, string error) = await asked;
        return (code, error);
    }

    private static int IndexOf(IReadOnlyList<JournalEntry> journal, Predicate<JournalEntry> match) => journal.ToList().FindIndex(match);
}
