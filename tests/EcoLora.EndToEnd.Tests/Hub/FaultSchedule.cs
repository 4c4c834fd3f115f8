using System.Globalization;
using EcoLora.DaprTestKit;
using EcoLora.Numerics;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>What is killed while a run is under way: three strikes at points of its journal, all drawn from a seed.</summary>
internal sealed class FaultSchedule
{
    private const int Strikes = 3, JournalLength = 50;

    private readonly List<(int Entry, Target Target, int App, int PauseMilliseconds)> _strikes = [];

    public FaultSchedule(ulong seed, HubCluster hub)
    {
        var random = new RandomStream(seed, "faults");
        for (int i = 0; i < Strikes; i++)
            _strikes.Add((1 + random.NextInt32(JournalLength), (Target)random.NextInt32(Enum.GetValues<Target>().Length), random.NextInt32(hub.Apps.Count), random.NextInt32(400)));
        _strikes.Sort((x, y) => x.Entry.CompareTo(y.Entry));
    }

    private enum Target
    {
        Service,
        Sidecar,
        Both,
        EveryService,
        Broker,
        Term,
    }

    /// <summary>Strikes as the run reaches each point, and starts again what was struck.</summary>
    /// <returns>How many strikes fell before the run was over.</returns>
    public async Task<int> StrikeAsync(HubCluster hub, string run)
    {
        int hits = 0;
        foreach ((int entry, Target target, int app, int pause) in _strikes)
        {
            bool isOver = false;
            await Eventually.TrueAsync(async () =>
            {
                if (await hub.StatusAsync(run) is not { } status) return false;
                isOver = status.GetProperty("state").GetString() == "finished";
                return isOver || status.GetProperty("entries").GetInt32() >= entry;
            }, $"run {run} reaches entry {entry}", HubRunTests.Limit);
            if (isOver) return hits;
            await StrikeAsync(hub, target, hub.Apps.ElementAt(app), pause);
            hits++;
        }
        return hits;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join("; ", _strikes.Select(strike =>
        string.Create(CultureInfo.InvariantCulture, $"entry {strike.Entry}: {strike.Target} (app {strike.App}), again after {strike.PauseMilliseconds} ms")));

    private static async Task StrikeAsync(HubCluster hub, Target target, HubApp app, int pause)
    {
        switch (target)
        {
            case Target.Service:
                await app.KillAsync();
                await Task.Delay(pause);
                app.StartService();
                break;
            case Target.Sidecar:
                await app.Sidecar.KillAsync();
                await Task.Delay(pause);
                await app.Sidecar.StartAgainAsync();
                break;
            case Target.Both:
                await Task.WhenAll(app.KillAsync(), app.Sidecar.KillAsync());
                await Task.Delay(pause);
                app.StartService();
                await app.Sidecar.StartAgainAsync();
                break;
            case Target.EveryService:
                await Task.WhenAll(hub.Apps.Select(each => each.KillAsync()));
                await Task.Delay(pause);
                foreach (HubApp each in hub.Apps) each.StartService();
                break;
            case Target.Broker when hub.Rabbit is { } rabbit:
                await rabbit.KillAsync();
                await rabbit.StartAgainAsync();
                break;
            case Target.Broker:
                await hub.Redis.KillAsync();
                await Task.Delay(pause);
                await hub.Redis.StartAgainAsync();
                break;
            default:
                Assert.Equal(0, await app.StopAsync());
                app.StartService();
                break;
        }
    }
}
