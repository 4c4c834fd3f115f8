using System.Net;
using EcoLora.DaprTestKit;
using EcoLora.Hosting;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>Trainers on TorchSharp, in builds that have it (<c>-p:Torch=cpu</c>, docs/torch.md): the same adapter as the run in one process on as many threads, byte for byte.</summary>
public class TorchRunTests
{
    [Theory]
    [InlineData("federation.method=fedit")]
    [InlineData("federation.method=flora")]
    [InlineData("torch.precision=bfloat16", "recompute=true")]
    public async Task Trainers_on_TorchSharp_that_are_killed_and_ended_leave_the_bytes_of_one_process(params string[] options)
    {
        using var folder = new TemporaryFolder();
        string[] all = ["engine=torch", "federation.rounds=4", .. options];
        await using HubCluster hub = await HubCluster.StartAsync(settings: [("ECOLORA_TORCH_DEVICE", "cpu")]);
        Assert.Equal(HttpStatusCode.Accepted, await hub.SubmitAsync(RunFile.Read(RealRun.File(folder), all.Select(OptionOverride.Parse))));

        await UnderWayAsync(1);
        foreach (string trainer in (string[])["trainer-north-0", "trainer-south-0"])
        {
            await hub[trainer].KillAsync();
            hub[trainer].StartService();
        }
        await UnderWayAsync(2);
        // What is under way ends, and nothing of libtorch keeps the process.
        Assert.Equal(0, await hub["trainer-north-1"].StopAsync());
        hub["trainer-north-1"].StartService();
        await hub.WaitUntilFinishedAsync("small", HubRunTests.Limit);

        Assert.Equal(await RealRun.AdapterAsync([.. all, "threads=1", "torch.device=cpu"]), hub.Adapter("small"));

        Task UnderWayAsync(int version) =>
            Eventually.TrueAsync(async () => (await hub.StatusAsync("small"))?.GetProperty("published").GetInt32() >= version, $"version {version} is published", HubRunTests.Limit);
    }
}
