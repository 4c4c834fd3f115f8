using System.Text.Json;
using EcoLora.DaprTestKit;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Services.Scheduler;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>
/// Trainers come and go while a run with a deadline is under way. What it comes to depends on time; the run in one process that follows its journal must come to
/// the same bytes.
/// </summary>
public class HubDeadlineTests
{
    private static readonly string[] _options = ["federation.deadline=2", "federation.rounds=16", "federation.over_sampling=0.25", "evaluation.every=1000", "baselines=[]"];
    private static readonly string[] _trainers = ["trainer-north-0", "trainer-north-1", "trainer-south-0"];

    [Fact]
    public async Task Who_is_killed_is_not_sampled_until_it_is_back_and_who_says_goodbye_is_gone_at_once()
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder);
        await using HubCluster hub = await HubCluster.StartAsync();
        await hub.SubmitAsync(RunFile.Read(file, _options.Select(OptionOverride.Parse)));
        await WaitAsync(hub, "two rounds are published", status => Published(status) >= 2);

        await hub["trainer-south-0"].KillAsync();
        await WaitAsync(hub, "it is gone", status => !Present(status).Contains("trainer-south-0"));
        int left = Published(await StatusAsync(hub));
        await WaitAsync(hub, "rounds go on without it", status => Published(status) >= left + 3);
        await StopNorthAsync(hub);
        foreach (string trainer in _trainers) hub[trainer].StartService();
        await hub.WaitUntilFinishedAsync("small", HubRunTests.Limit);

        IReadOnlyList<JournalEntry> journal = await JournalAsync(hub, folder);
        int gone = IndexOf(journal, entry => entry is PresenceChanged presence && presence.Left.Contains("trainer-south-0"));
        int back = IndexOf(journal, entry => entry is PresenceChanged presence && presence.Arrived.Contains("trainer-south-0"));
        Assert.InRange(back, gone + 1, journal.Count);
        Assert.DoesNotContain(Sampled(journal.Take(back).Skip(gone)), client => client > 4);
        Assert.Contains(Sampled(journal.Skip(back)), client => client > 4);
        await ReplaysAsync(hub, file, folder);
    }

    [Fact]
    public async Task Who_comes_later_joins_the_run()
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder);
        await using HubCluster hub = await HubCluster.StartAsync(later: ["codec-south", "trainer-south-0"]);
        await hub.SubmitAsync(RunFile.Read(file, _options.Select(OptionOverride.Parse)));
        await WaitAsync(hub, "it runs with one site", status => Published(status) >= 1);
        Assert.Equal([5, 6, 7], (await StatusAsync(hub)).GetProperty("missing").EnumerateArray().Select(client => client.GetInt32()));

        await StopNorthAsync(hub);
        await hub.StartLaterAsync("codec-south", "trainer-south-0");
        int joined = Published(await StatusAsync(hub));
        await WaitAsync(hub, "rounds go on with the other site alone", status => Published(status) >= joined + 2);
        foreach (string trainer in _trainers.Take(2)) hub[trainer].StartService();
        await hub.WaitUntilFinishedAsync("small", HubRunTests.Limit);

        IReadOnlyList<JournalEntry> journal = await JournalAsync(hub, folder);
        RunPlan[] plans = [.. journal.OfType<Decided>().Select(decided => decided.Message).OfType<RunOpened>().Select(opened => opened.Plan)];
        Assert.Equal([5, 8], plans.Select(plan => plan.Roster.Count));
        Assert.Equal(["north", "south"], plans[^1].Places!.Select(place => place.Name));
        Assert.Contains(Sampled(journal), client => client > 4);
        await ReplaysAsync(hub, file, folder);
    }

    /// <summary>Stops both trainers of a site by SIGTERM: nobody is there, and the run waits. Their leases would last for a minute.</summary>
    private static async Task StopNorthAsync(HubCluster hub)
    {
        int[] codes = await Task.WhenAll(_trainers.Take(2).Select(trainer => hub[trainer].StopAsync()));
        Assert.Equal([0, 0], codes);
        await Eventually.TrueAsync(async () => !Present(await StatusAsync(hub)).Any(), "nobody is there");
    }

    private static async Task ReplaysAsync(HubCluster hub, string file, TemporaryFolder folder)
    {
        await RealRun.SucceedAsync([file, "--out", folder["replay"], "--replay", folder["journal.jsonl"], .. _options.SelectMany(option => new[] { "--set", option })]);
        Assert.Equal(HubCluster.AdapterIn(folder["replay/adapter"]), hub.Adapter("small"));
    }

    private static async Task<IReadOnlyList<JournalEntry>> JournalAsync(HubCluster hub, TemporaryFolder folder)
    {
        byte[] journal = await hub["scheduler"].Client.GetByteArrayAsync("/runs/small/journal", TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(folder["journal.jsonl"], journal, TestContext.Current.CancellationToken);
        return Journal.Read(folder["journal.jsonl"]);
    }

    private static IEnumerable<int> Sampled(IEnumerable<JournalEntry> journal) =>
        journal.OfType<Decided>().Select(decided => decided.Message).OfType<RoundOpened>().SelectMany(opened => opened.Participants).Select(participant => participant.Client);

    private static int IndexOf(IReadOnlyList<JournalEntry> journal, Predicate<JournalEntry> match) => journal.ToList().FindIndex(match);

    private static async Task WaitAsync(HubCluster hub, string what, Func<JsonElement, bool> holds)
    {
        try
        {
            await Eventually.TrueAsync(async () => await hub.StatusAsync("small") is { } status && holds(status), what, HubRunTests.Limit);
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"{exception.Message}\n{await hub.StatusAsync("small")}\n{string.Join("\n\n", hub.Apps.Select(app => $"{app.Sidecar.AppId}\n{app.Output}"))}");
        }
    }

    private static async Task<JsonElement> StatusAsync(HubCluster hub) => (await hub.StatusAsync("small"))!.Value;

    private static int Published(JsonElement status) => status.GetProperty("published").GetInt32();

    private static IEnumerable<string?> Present(JsonElement status) =>
        status.TryGetProperty("present", out JsonElement present) ? present.EnumerateArray().Select(trainer => trainer.GetString()) : [];
}
