using System.Net;
using EcoLora.DaprTestKit;

namespace EcoLora.DaprSidecar.Tests;

/// <summary>Faults on purpose: they happen, lose nothing, and follow from the seed.</summary>
public sealed class FaultTests(RedisFixture fixture, RabbitFixture rabbit)
{
    private static readonly string[] Flags =
    [
        "--fault-refuse-rate", "0.4", "--fault-duplicate-rate", "0.3", "--fault-reorder-rate", "0.3", "--fault-delay-rate", "0.2", "--fault-delay-ms", "20",
    ];

    [Fact]
    public async Task The_same_seed_gives_the_same_faults()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis, ("concurrency", "1"));
        List<string> runs = [];
        foreach ((string seed, int run) in new[] { ("1", 0), ("1", 1), ("2", 2) })
        {
            // The topic is part of what decides, so it stays the same; its stream starts anew.
            await redis.CallAsync("DEL", "faulty");
            await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("faulty", "/in")}]");
            await using SidecarProcess sidecar = await SidecarProcess.StartAsync($"faulty-{run}", app.Port, resources.Path, more: ["--seed", seed, .. Flags]);
            await sidecar.WaitUntilSubscribedAsync("faulty");
            List<byte> stored = [];
            for (byte i = 0; i < 30; i++)
                if (await sidecar.PublishRawAsync("faulty", [i]) == HttpStatusCode.NoContent)
                    stored.Add(i);
            await redis.WaitUntilSettledAsync("faulty", $"faulty-{run}", stored.Count);
            Assert.Equal(0, await sidecar.StopAsync());
            byte[] delivered = [.. app.To("/in").Select(r => r.Data[0])];
            Assert.InRange(stored.Count, 1, 29);
            Assert.Equal(stored, delivered.Distinct().Order());
            Assert.True(delivered.Length > stored.Count, "some come twice");
            Assert.NotEqual(delivered.Distinct().Order(), delivered.Distinct());
            runs.Add($"{string.Join(',', stored)} {string.Join(',', delivered.Order())}");
        }
        Assert.Equal(runs[0], runs[1]);
        Assert.NotEqual(runs[0], runs[2]);
    }

    [Fact]
    public async Task Faults_on_rabbitmq_lose_nothing_either()
    {
        // One after the other, all at hand: a message that is held back needs a next one to come after.
        using SidecarResources resources = new(fixture.Require(), await rabbit.RequireAsync(), ("concurrencyMode", "single"), ("deletedWhenUnused", "false"));
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("rabbit-faulty", "/in")}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("rabbit-faulty", app.Port, resources.Path, more: ["--seed", "1", .. Flags]);
        await sidecar.WaitUntilSubscribedAsync("rabbit-faulty");
        List<byte> stored = [];
        for (byte i = 0; i < 30; i++)
            if (await sidecar.PublishRawAsync("rabbit-faulty", [i]) == HttpStatusCode.NoContent)
                stored.Add(i);
        await Eventually.TrueAsync(() => app.To("/in").Select(r => r.Data[0]).Distinct().Count() == stored.Count, "all that was stored has come");
        Assert.Equal(0, await sidecar.StopAsync());
        byte[] delivered = [.. app.To("/in").Select(r => r.Data[0])];
        Assert.InRange(stored.Count, 1, 29);
        Assert.Equal(stored, delivered.Distinct().Order());
        Assert.True(delivered.Length > stored.Count, "some come twice");
        Assert.NotEqual(delivered.Distinct().Order(), delivered.Distinct());
        Assert.Equal(0u, await (await rabbit.RequireAsync()).WaitingAsync("rabbit-faulty-rabbit-faulty"));
    }
}
