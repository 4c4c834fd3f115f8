using System.Net;
using EcoLora.DaprTestKit;
using EcoLora.Hosting;
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
        await using HubCluster hub = await HubCluster.StartAsync(broker);

        Assert.Equal(HttpStatusCode.Accepted, await hub.SubmitAsync(RunFile.Read(file, [])));
        Assert.Equal(HttpStatusCode.OK, await hub.SubmitAsync(RunFile.Read(file, [])));
        await hub.WaitUntilFinishedAsync("small", Limit);

        Assert.Equal(await RealRun.AdapterAsync(), hub.Adapter("small"));

        // The services' decision log, followed by one process.
        await File.WriteAllBytesAsync(folder["journal.jsonl"], await hub["scheduler"].Client.GetByteArrayAsync("/runs/small/journal", TestContext.Current.CancellationToken), TestContext.Current.CancellationToken);
        await RealRun.SucceedAsync(file, "--out", folder["replay"], "--replay", folder["journal.jsonl"]);
        Assert.Equal(HubCluster.AdapterIn(folder["replay/adapter"]), hub.Adapter("small"));
        (int code, string error) = await RealRun.RunAsync(file, "--out", folder["other"], "--replay", folder["journal.jsonl"], "--set", "seed=4");
        Assert.Equal(3, code);
        Assert.StartsWith("ecolora: replay: expected ", error, StringComparison.Ordinal);
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
