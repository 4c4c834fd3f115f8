using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using EcoLora.DaprTestKit;
using EcoLora.Hosting;
using EcoLora.Telemetry;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>Services in processes of their own, real model and data: the same adapter as the run in one process, byte for byte.</summary>
public class HubRunTests
{
    internal static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData(HubBroker.Redis)]
    [InlineData(HubBroker.RabbitMq)]
    [InlineData(HubBroker.Kafka)]
    [InlineData(HubBroker.KafkaItself)]
    public async Task Over_a_broker_a_run_ends_with_the_bytes_of_the_run_in_one_process(HubBroker broker)
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder);
        await using HubCluster hub = await HubCluster.StartAsync(broker, isManaged: true);

        Assert.Equal(HttpStatusCode.Accepted, await hub.SubmitAsync(RunFile.Read(file, [])));
        Assert.Equal(HttpStatusCode.OK, await hub.SubmitAsync(RunFile.Read(file, [])));
        await hub.WaitUntilFinishedAsync("small", Limit);

        Assert.Equal(await RealRun.AdapterAsync(), hub.Adapter("small"));

        await FetchAsync(hub, folder["fetched"]);
        (int agreed, string said, string fault) = await RealRun.EcoloraAsync(null, ["ledger", "reconcile", folder["fetched"], .. hub.BrokerOption]);
        Assert.Equal((0, ""), (agreed, fault));
        Assert.EndsWith(broker == HubBroker.RabbitMq
            ? "\nThe broker was given at least the messages that the ledger counts. It keeps none, so bytes were not compared.\n"
            : "\nThe ledger is what lies on the broker, to the byte, and the broker's own counts are what was read.\n", said, StringComparison.Ordinal);

        // The services' decision log, followed by one process.
        await RealRun.SucceedAsync(file, "--out", folder["replay"], "--replay", folder["fetched/journal.jsonl"]);
        Assert.Equal(HubCluster.AdapterIn(folder["replay/adapter"]), hub.Adapter("small"));
        (int code, string error) = await RealRun.RunAsync(file, "--out", folder["other"], "--replay", folder["fetched/journal.jsonl"], "--set", "seed=4");
        Assert.Equal(3, code);
        Assert.StartsWith("ecolora: replay: expected ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Flora_with_ranks_that_differ_ends_with_the_bytes_of_the_run_in_one_process()
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder);
        string[] options = ["federation.method=flora", "lora.ranks=[8, 4, 2, 4]"];
        await using HubCluster hub = await HubCluster.StartAsync();

        await hub.SubmitAsync(RunFile.Read(file, options.Select(OptionOverride.Parse)));
        await hub.WaitUntilFinishedAsync("small", Limit);

        Assert.Equal(await RealRun.AdapterAsync(options), hub.Adapter("small"));
        await FetchAsync(hub, folder["fetched"]);
        foreach (string export in (string[])["adapter", AdapterExport.Stacked]) Assert.Equal(hub.Adapter("small", export), HubCluster.AdapterIn(folder[$"fetched/{export}"]));
        Assert.True(File.Exists(folder[$"fetched/{AdapterExport.Figures}"]));
        (int agreed, _, string fault) = await RealRun.EcoloraAsync(null, ["ledger", "reconcile", folder["fetched"], .. hub.BrokerOption]);
        Assert.Equal((0, ""), (agreed, fault));
    }

    [Fact]
    public async Task What_is_larger_than_a_message_or_a_call_goes_in_pieces()
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder);
        await using HubCluster hub = await HubCluster.StartAsync();

        await hub.SubmitAsync(RunFile.Read(file, RealRun.Larger.Select(OptionOverride.Parse)));
        await hub.WaitUntilFinishedAsync("small", Limit);

        Assert.Contains(await hub.Redis.StreamAsync("segments"), message => message.Length == 900 * 1024);
        Assert.All(await hub.Redis.StreamAsync("segments"), message => Assert.InRange(message.Length, 1, 900 * 1024));
        Assert.Equal(await RealRun.AdapterAsync(RealRun.Larger), hub.Adapter("small"));
        await FetchAsync(hub, folder["fetched"]);
        await CheckReconciliationAsync(hub, folder["fetched"]);
    }

    /// <summary>What is on the broker besides, what is not there any more, and a ledger that somebody has changed.</summary>
    private static async Task CheckReconciliationAsync(HubCluster hub, string folder)
    {
        async Task<(int Code, JsonElement Found, string Error)> ReconcileAsync()
        {
            (int code, string output, string error) = await RealRun.EcoloraAsync(null, ["ledger", "reconcile", folder, .. hub.BrokerOption, "--json"]);
            return (code, JsonElement.Parse(output), error);
        }

        long Sum(JsonElement found, string topic, params string[] members) => found.GetProperty("topics").EnumerateArray().Where(each => each.GetProperty("topic").GetString() == topic)
            .Sum(each => members.Sum(member => each.GetProperty(member).GetInt64()));

        await hub.Redis.CallAsync("XADD", "reports", "*", "data", "nobody's");
        await hub.Redis.CallAsync("XADD", "segments", "*", "data", (await hub.Redis.StreamAsync("segments"))[0]);
        (int code, JsonElement found, string error) = await ReconcileAsync();
        Assert.Equal((0, ""), (code, error));
        LedgerTotals totals;
        await using (FileStream file = File.OpenRead(Path.Combine(folder, "ledger.csv"))) totals = LedgerTotals.Of(LedgerCsv.Read(file, file.Name));
        Assert.Equal(totals.All.Up.Framed, Sum(found, "segments", "contentBytes", "signatureBytes"));
        Assert.Equal(totals.All.Down.Framed, 2 * Sum(found, "global", "contentBytes", "signatureBytes"));
        Assert.Equal(totals.All.ControlUp.Framed, Sum(found, "reports", "contentBytes", "signatureBytes"));
        // To two codecs and three trainers.
        Assert.Equal(totals.All.ControlDown.Framed, 5 * Sum(found, "rounds", "contentBytes", "signatureBytes"));
        Assert.NotEqual(0, Sum(found, "segments", "partBytes"));
        List<(string?, string?, long)> aside = [.. found.GetProperty("notInLedger").EnumerateArray().Select(each => (each.GetProperty("topic").GetString(), each.GetProperty("what").GetString(), each.GetProperty("contentBytes").GetInt64()))];
        Assert.Contains(("reports", "others", "nobody's".Length), aside);
        Assert.Contains(aside, each => each is ("segments", "said again", > 0));

        byte[] ledger = await File.ReadAllBytesAsync(Path.Combine(folder, "ledger.csv"), TestContext.Current.CancellationToken);
        string text = System.Text.Encoding.UTF8.GetString(ledger);
        Match row = Regex.Match(text, @"^0,(?<client>\S+?),up,(?<segment>\d+),.*$", RegexOptions.Multiline);
        await File.WriteAllTextAsync(Path.Combine(folder, "ledger.csv"), text.Replace(row.Value, Regex.Replace(row.Value, @"(?<=^([^,]*,){10})\d+", framed => $"{long.Parse(framed.Value, CultureInfo.InvariantCulture) - 1}"), StringComparison.Ordinal), TestContext.Current.CancellationToken);
        (code, found, error) = await ReconcileAsync();
        Assert.Equal(5, code);
        Assert.Contains("ledger.csv: expected the ledger that journal.jsonl makes, found another", error, StringComparison.Ordinal);
        Assert.Contains($"round 0, up, {row.Groups["client"].Value}, segment {row.Groups["segment"].Value}: ", error, StringComparison.Ordinal);
        await File.WriteAllBytesAsync(Path.Combine(folder, "ledger.csv"), ledger, TestContext.Current.CancellationToken);

        await hub.Redis.CallAsync("XTRIM", "global", "MAXLEN", 0);
        (code, found, error) = await ReconcileAsync();
        Assert.Equal(5, code);
        Assert.Matches(@"global: \d+ messages that the ledger counts, of \d+ bytes, are not on the broker \(any more\)", error);
        Assert.Matches(@"round 0, down, north: \d+ bytes by the ledger, 0 by the broker", error);
    }

    private static async Task FetchAsync(HubCluster hub, string folder)
    {
        (int code, _, string error) = await RealRun.EcoloraAsync(HubApp.PeopleToken, "fetch", "small", "--out", folder, "--scheduler", $"http://127.0.0.1:{hub["scheduler"].Port}");
        Assert.True(code == 0, error);
    }

    [Fact]
    public async Task The_apps_of_dapr_yaml_run_what_is_submitted_to_them()
    {
        using var folder = new TemporaryFolder();
        await using RedisServer redis = await RedisServer.StartAsync();
        using SidecarResources resources = SidecarResources.OfProduct("redis", redis, areTopicsScoped: true);
        List<HubApp> apps = [.. DaprYaml.Apps().Select(app => new HubApp(app.Service, app.AppId, resources.Path, app.Environment.ToDictionary(
            setting => setting.Key,
            setting => setting.Key switch
            {
                "ECOLORA_VOLUME" => folder[app.AppId],
                "ECOLORA_MODELS" or "ECOLORA_DATA" => Path.Combine(Repository.Root, setting.Value),
                _ => setting.Value,
            })))];
        try
        {
            foreach (HubApp app in apps) app.StartService();
            await Task.WhenAll(apps.Select(app => app.Sidecar.StartAgainAsync()));
            foreach (HubApp app in apps) await app.WaitUntilReadyAsync();
            string quickstart = Path.Combine(Repository.Root, "samples", "quickstart.yaml");
            string[] smaller = ["--set", "federation.rounds=2", "--set", "training.steps=4", "--set", "data.held_out=30"];

            // Without a token whoever is on this machine may submit.
            (int code, string output, string error) = await RealRun.EcoloraAsync(null, ["submit", quickstart, "--scheduler", $"http://127.0.0.1:{apps[0].Port}", "--wait", .. smaller]);
            Assert.True(code == 0, error);
            string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Contains(": finished: round 2/2, held-out loss ", lines[^1], StringComparison.Ordinal);
            await RealRun.SucceedAsync([quickstart, "--out", folder["one-process"], "--set", "baselines=[]", .. smaller]);
            Assert.Equal(HubCluster.AdapterIn(folder["one-process/adapter"]), HubCluster.AdapterIn(folder["aggregator/quickstart/adapter"]));
            (code, _, error) = await RealRun.EcoloraAsync(null, "fetch", "quickstart", "--out", folder["fetched"], "--scheduler", $"http://127.0.0.1:{apps[0].Port}");
            Assert.True(code == 0, error);
            Assert.Equal(HubCluster.AdapterIn(folder["one-process/adapter"]), HubCluster.AdapterIn(folder["fetched/adapter"]));
        }
        finally
        {
            await Task.WhenAll(apps.Select(app => app.DisposeAsync().AsTask()));
        }
    }
}
