using EcoLora.DaprTestKit;
using EcoLora.Hosting;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>The services by Dapr's SDK, in builds that have it (<c>-p:Feed=full</c>).</summary>
public class SdkRunTests
{
    private const string Sidecar = "ECOLORA_SIDECAR", BySdk = "dapr-sdk", Longer = "federation.rounds=30";

    [Theory]
    [InlineData(HubBroker.Redis)]
    [InlineData(HubBroker.RabbitMq)]
    [InlineData(HubBroker.Kafka)]
    public async Task By_Daprs_sdk_a_run_ends_with_the_bytes_of_the_run_in_one_process(HubBroker broker)
    {
        using var folder = new TemporaryFolder();
        await using HubCluster hub = await HubCluster.StartAsync(broker, settings: [(Sidecar, BySdk)]);
        await hub.SubmitAsync(RunFile.Read(RealRun.File(folder), []));
        await hub.WaitUntilFinishedAsync("small", HubRunTests.Limit);
        Assert.All(hub.Apps, app => Assert.Contains($"{Sidecar}={BySdk}", app.Output, StringComparison.Ordinal));
        Assert.Equal(await RealRun.AdapterAsync(), hub.Adapter("small"));
    }

    [Fact]
    public async Task Services_of_both_ways_understand_each_other_and_go_on_from_each_others_state()
    {
        using var folder = new TemporaryFolder();
        await using HubCluster hub = await HubCluster.StartAsync();
        await hub.SubmitAsync(RunFile.Read(RealRun.File(folder), [OptionOverride.Parse(Longer)]));
        await Eventually.TrueAsync(async () => (await hub.StatusAsync("small"))?.GetProperty("published").GetInt32() >= 1, "the run is under way", HubRunTests.Limit);
        // Every second service changes its way in the middle of the run, and all of them do before the next.
        HubApp[] apps = [.. hub.Apps];
        await SwitchAsync(hub, apps.Where((_, i) => i % 2 == 0), BySdk);
        Assert.NotEqual("finished", (await hub.StatusAsync("small"))!.Value.GetProperty("state").GetString());
        await hub.WaitUntilFinishedAsync("small", HubRunTests.Limit);
        Assert.Equal(await RealRun.AdapterAsync(Longer), hub.Adapter("small"));

        await SwitchAsync(hub, apps.Where((_, i) => i % 2 == 0), "dapr");
        await SwitchAsync(hub, apps.Where((_, i) => i % 2 == 1), BySdk);
        await hub.SubmitAsync(RunFile.Read(RealRun.File(folder), [OptionOverride.Parse("name=again"), OptionOverride.Parse(Longer)]));
        await hub.WaitUntilFinishedAsync("again", HubRunTests.Limit);
        Assert.Equal(hub.Adapter("small").Values, hub.Adapter("again").Values);
    }

    private static async Task SwitchAsync(HubCluster hub, IEnumerable<HubApp> apps, string way)
    {
        foreach (HubApp app in apps)
        {
            Assert.Equal(0, await app.StopAsync());
            await app.Sidecar.KillAsync();
            app.Settings[Sidecar] = way;
            app.StartService();
            await app.Sidecar.StartAgainAsync();
        }
        await hub.WaitUntilReadyAsync();
    }
}
