using System.Net;
using EcoLora.Hosting;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>Services in processes of their own, real model and data: the same adapter as the run in one process, byte for byte.</summary>
public class HubRunTests
{
    internal static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Over_a_broker_a_run_ends_with_the_bytes_of_the_run_in_one_process(bool isOverRabbit)
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder);
        await using HubCluster hub = await HubCluster.StartAsync(isOverRabbit);

        Assert.Equal(HttpStatusCode.Accepted, await hub.SubmitAsync(RunFile.Read(file, [])));
        Assert.Equal(HttpStatusCode.OK, await hub.SubmitAsync(RunFile.Read(file, [])));
        await hub.WaitUntilFinishedAsync("small", Limit);

        await RealRun.SucceedAsync(file, "--out", folder["one-process"], "--force");
        Assert.Equal(HubCluster.AdapterIn(folder["one-process/adapter"]), hub.Adapter("small"));
    }
}
