using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using EcoLora.DaprTestKit;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;
using EcoLora.Telemetry;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>What a real Prometheus reads from the services is what the ledger has, to the byte.</summary>
public class HubMetricsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Prometheus_sums_what_the_ledger_has_and_goes_on_after_a_crash()
    {
        using var folder = new TemporaryFolder();
        await using HubCluster hub = await HubCluster.StartAsync();
        await using PrometheusServer prometheus = await PrometheusServer.StartAsync(ConfigurationOf(hub));
        await hub.SubmitAsync(RunFile.Read(RealRun.File(folder), []));
        await hub.WaitUntilFinishedAsync("small", HubRunTests.Limit);
        RunReport report = ReportJson.Read(await hub["scheduler"].Client.GetByteArrayAsync(new Uri("/runs/small/report", UriKind.Relative), Cancellation), "report.json");
        using var ledger = new StringReader(await hub["scheduler"].Client.GetStringAsync(new Uri("/runs/small/ledger.csv", UriKind.Relative), Cancellation));
        LedgerTotals totals = LedgerTotals.Of(LedgerCsv.Read(ledger, "ledger.csv"));
        ArmReport arm = report.Arms[0];

        (string Query, double Expected)[] expected =
        [
            ("up", 1), // Of each of the seven.
            .. Stages("up", totals.All.Up), .. Stages("down", totals.All.Down),
            ("ecolora_traffic_bytes_total{ecolora_direction=\"control-up\"}", totals.All.ControlUp.Framed), ("ecolora_traffic_bytes_total{ecolora_direction=\"control-down\"}", totals.All.ControlDown.Framed),
            ("sum(ecolora_traffic_bytes_total{ecolora_stage=\"framed\"})", totals.All.TotalBytes), ("sum(ecolora_site_traffic_bytes_total)", totals.All.TotalBytes),
            ("sum(ecolora_site_traffic_bytes_total{ecolora_direction=\"up\"})", totals.All.UpBytes),
            ("ecolora_reduction_ratio{ecolora_baseline=\"dense_fp32\"}", 1 - 1 / arm.Computed.TotalFp32!.Value), ("ecolora_reduction_ratio{ecolora_baseline=\"dense_fp16\"}", 1 - 1 / arm.Computed.TotalFp16!.Value),
            ("ecolora_density_ratio{ecolora_direction=\"up\",ecolora_matrix=\"A\"}", arm.Rounds[^1].DensityA!.Value), ("ecolora_density_ratio{ecolora_direction=\"down\",ecolora_matrix=\"B\"}", arm.Rounds[^1].DownDensityB!.Value),
            ("sum(ecolora_coverage)", arm.Rounds[^1].Coverage.Sum()), ("ecolora_rounds_total", 3), ("ecolora_rounds_planned", 3), ("ecolora_participations_total{ecolora_state=\"accepted\"}", 12),
            ("ecolora_loss{ecolora_kind=\"training\"}", arm.Rounds[^1].TrainLoss!.Value), ("ecolora_loss{ecolora_kind=\"held_out\"}", arm.Final!.Loss!.Value),
            ("ecolora_run_state{ecolora_state=\"finished\"}", 1), ("ecolora_run_state{ecolora_state=\"running\"}", 0), ("ecolora_trainers", 3), ("sum(ecolora_awaited)", 0),
            // Twelve frames of participants and three of changes are encoded, three changes decoded at each of two sites, and twelve residuals left.
            ("sum(ecolora_codec_duration_seconds_count{ecolora_operation=\"encode\"})", 15), ("sum(ecolora_codec_duration_seconds_count{ecolora_operation=\"decode\"})", 6),
            ("sum(ecolora_codec_duration_seconds_count{ecolora_operation=\"aggregate\"})", 3), ("sum(ecolora_residual_norm_count)", 12), ("sum(ecolora_outbox_depth)", 0), ("sum(ecolora_parts_size_bytes)", 0),
            ("sum(ecolora_training_duration_seconds_count{ecolora_operation=\"train\"})", 12), ("sum(ecolora_training_duration_seconds_count{ecolora_operation=\"evaluate\"})", 4), ("sum(ecolora_jobs)", 0),
        ];
        foreach ((string query, double value) in expected) await ComesToAsync(prometheus, query, value);
        Assert.Equal(7, (await prometheus.QueryAsync("up")).Count);
        // What is refused, and what tells nothing new, is seen by reason, and no series names a client.
        await hub["scheduler"].PublishAsync(Topics.Rounds, "poison"u8.ToArray());
        await hub["codec-north"].PublishAsync(Topics.Reports, SignedMessage.Write(Topics.Reports, ProtocolJson.Write(new SiteUpdated("small", 0, 1, 1)), hub.KeyOf("north"), hub.HubKey.Id));
        await ComesToAsync(prometheus, "ecolora_messages_refused_total{ecolora_reason=\"signature: unsigned\",job=\"aggregator\"}", 1);
        await Eventually.TrueAsync(async () => (await prometheus.QueryAsync("ecolora_messages_unheeded_total{ecolora_reason=\"no news\",job=\"scheduler\"} > 0")).Count == 1, "what told nothing new is counted");
        var names = new SortedSet<string>(StringComparer.Ordinal);
        foreach (HubApp app in hub.Apps)
        {
            string page = await app.Client.GetStringAsync(new Uri("/metrics", UriKind.Relative), Cancellation);
            // 3 is for matters of taste, which .NET's own names are.
            (int code, string said) = await PrometheusServer.PromtoolAsync(page, "check", "metrics");
            Assert.Equal(3, code);
            Assert.All(said.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.StartsWith("dotnet_", line, StringComparison.Ordinal));
            Assert.DoesNotContain("client-", page, StringComparison.Ordinal);
            names.UnionWith(page.Split('\n').Where(line => line.StartsWith("# TYPE ecolora_", StringComparison.Ordinal)).Select(line => line.Split(' ')[2]));
            Assert.Contains($"service_name=\"{app.Sidecar.AppId}\"", page, StringComparison.Ordinal);
        }
        // The first cells of the tables in docs/metrics.md name all of them and no others.
        string documented = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "metrics.md"), Cancellation);
        Assert.Equal(Regex.Matches(documented, "(?m)^\\|[^|]+\\|").SelectMany(cell => Regex.Matches(cell.Value, "ecolora_[a-z0-9_]+")).Select(name => name.Value).Order(StringComparer.Ordinal), names);
        foreach ((string panel, string query) in Panels())
        {
            string asked = query.Replace("$run", "small", StringComparison.Ordinal).Replace("$__rate_interval", "1m", StringComparison.Ordinal);
            Assert.True((await prometheus.QueryAsync(asked)).Count > 0, $"{panel}: {asked} gives nothing");
        }
        // Without the token the scheduler tells nothing.
        using (var stranger = new HttpClient()) Assert.Equal(System.Net.HttpStatusCode.Unauthorized, (await stranger.GetAsync(new Uri($"http://127.0.0.1:{hub["scheduler"].Port}/metrics"), Cancellation)).StatusCode);

        await hub["scheduler"].KillAsync();
        hub["scheduler"].StartService();
        await hub.WaitUntilReadyAsync();
        // The new process reads the journal and goes on where the one before was.
        await Eventually.TrueAsync(async () => Framed(await hub["scheduler"].Client.GetStringAsync(new Uri("/metrics", UriKind.Relative), Cancellation)) == totals.All.TotalBytes, "the bytes are those of before");
    }

    [Fact]
    public async Task The_alerts_fire_when_they_should_and_only_then()
    {
        (int code, string said) = await PrometheusServer.PromtoolAsync("", "test", "rules", Path.Combine(Repository.Root, "deploy", "prometheus", "alerts.test.yml"));
        Assert.True(code == 0, said);
    }

    [Fact]
    public async Task The_dashboards_are_what_their_script_writes()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/python3"), "needs Debian's package python3");
        using var folder = new TemporaryFolder();
        string source = Path.Combine(Repository.Root, "deploy", "grafana");
        File.Copy(Path.Combine(source, "make_dashboards.py"), folder["make_dashboards.py"]);
        using Process python = Process.Start("/usr/bin/python3", [folder["make_dashboards.py"]]);
        await python.WaitForExitAsync(Cancellation);
        string[] names = ["operations.json", "savings.json", "training.json"];
        Assert.Equal(names, Directory.GetFiles(folder["dashboards"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.All(names, name => Assert.Equal(File.ReadAllText(Path.Combine(folder["dashboards"], name)), File.ReadAllText(Path.Combine(source, "dashboards", name))));
    }

    /// <summary>Every query of every dashboard.</summary>
    private static IEnumerable<(string Panel, string Query)> Panels() =>
        from file in Directory.GetFiles(Path.Combine(Repository.Root, "deploy", "grafana", "dashboards"))
        from panel in JsonElement.Parse(File.ReadAllText(file)).GetProperty("panels").EnumerateArray()
        from target in panel.GetProperty("targets").EnumerateArray()
        select ($"{Path.GetFileName(file)}: {panel.GetProperty("title").GetString()}", target.GetProperty("expr").GetString()!);

    private static long Framed(string page) => page.Split('\n')
        .Where(line => line.StartsWith("ecolora_traffic_bytes_total{", StringComparison.Ordinal) && line.Contains("ecolora_stage=\"framed\"", StringComparison.Ordinal))
        .Sum(line => long.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));

    private static IEnumerable<(string, double)> Stages(string direction, StageBytes bytes) =>
        from stage in new (string Name, long Bytes)[]
        {
            ("dense_fp32", bytes.DenseFp32), ("dense_fp16", bytes.DenseFp16), ("segment", bytes.Segment), ("sparse", bytes.Sparse), ("golomb", bytes.Golomb), ("coded", bytes.Coded), ("framed", bytes.Framed),
        }
        select ($"ecolora_traffic_bytes_total{{ecolora_run=\"small\",ecolora_direction=\"{direction}\",ecolora_stage=\"{stage.Name}\"}}", (double)stage.Bytes);

    private static async Task ComesToAsync(PrometheusServer prometheus, string query, double expected)
    {
        string found = "";
        await Eventually.TrueAsync(async () =>
        {
            IReadOnlyList<(IReadOnlyDictionary<string, string>, double Value)> series = await prometheus.QueryAsync(query);
            found = string.Join(", ", series.Select(one => one.Value));
            return series.Count > 0 && series.All(one => Math.Abs(one.Value - expected) <= 1e-12 * Math.Abs(expected));
        }, $"{query} comes to {expected}", details: () => $"found {found}");
    }

    private static string ConfigurationOf(HubCluster hub)
    {
        var text = new StringBuilder("global: { scrape_interval: 500ms, scrape_timeout: 500ms }\nscrape_configs:\n");
        foreach (HubApp app in hub.Apps)
        {
            text.Append($"- job_name: {app.Sidecar.AppId}\n  static_configs: [{{ targets: ['127.0.0.1:{app.Port}'] }}]\n");
            if (app.Sidecar.AppId == "scheduler") text.Append($"  authorization: {{ credentials: {HubApp.PeopleToken} }}\n");
        }
        return text.ToString();
    }
}
