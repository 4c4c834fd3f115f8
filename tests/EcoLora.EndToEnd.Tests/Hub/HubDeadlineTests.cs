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
    private static readonly string[] _options = ["federation.deadline=2", "federation.rounds=14", "federation.over_sampling=0.25", "evaluation.every=1000", "baselines=[]"];
    private static readonly string[] _north = ["trainer-north-0", "trainer-north-1"];

    [Fact]
    public async Task Who_comes_later_joins_who_says_goodbye_is_gone_at_once_and_who_is_killed_after_a_while()
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder);
        await using HubCluster hub = await HubCluster.StartAsync(later: ["codec-south", "trainer-south-0"]);
        await hub.SubmitAsync(RunFile.Read(file, _options.Select(OptionOverride.Parse)));
        await WaitAsync(hub, "it runs with one site", status => Published(status) >= 1);
        Assert.Equal([5, 6, 7], (await StatusAsync(hub)).GetProperty("missing").EnumerateArray().Select(client => client.GetInt32()));

        await StopNorthAsync(hub);
        await hub.StartLaterAsync("codec-south", "trainer-south-0");
        int alone = Published(await StatusAsync(hub));
        await WaitAsync(hub, "rounds go on with the other site alone", status => Published(status) >= alone + 2);
        foreach (string trainer in _north) hub[trainer].StartService();
        await WaitAsync(hub, "both are there", status => Present(status).Count() == 3);
        await hub["trainer-south-0"].KillAsync();
        await WaitAsync(hub, "one is gone again", status => !Present(status).Contains("trainer-south-0"));
        int left = Published(await StatusAsync(hub));
        await WaitAsync(hub, "rounds go on without it", status => Published(status) >= left + 2);
        await StopNorthAsync(hub);
        hub["trainer-south-0"].StartService();
        await WaitAsync(hub, "it is back", status => Present(status).Contains("trainer-south-0"));
        foreach (string trainer in _north) hub[trainer].StartService();
        await hub.WaitUntilFinishedAsync("small", HubRunTests.Limit);

        IReadOnlyList<JournalEntry> journal = await JournalAsync(hub, folder);
        RunPlan[] plans = [.. journal.OfType<Decided>().Select(decided => decided.Message).OfType<RunOpened>().Select(opened => opened.Plan)];
        Assert.Equal([5, 8], plans.Select(plan => plan.Roster.Count));
        Assert.Equal(["north", "south"], plans[^1].Places!.Select(place => place.Name));
        int gone = IndexOf(journal, entry => entry is PresenceChanged presence && presence.Left.Contains("trainer-south-0"));
        int back = IndexOf(journal, entry => entry is PresenceChanged presence && presence.Arrived.Contains("trainer-south-0"));
        Assert.InRange(back, gone + 1, journal.Count);
        // Clients 5 to 7 are south's.
        Assert.Contains(Added(journal, ..gone), client => client > 4);
        Assert.DoesNotContain(Added(journal, gone..back), client => client > 4);
        Assert.Contains(Added(journal, back..), client => client > 4);
        await ReplaysAsync(hub, file, folder);
    }

    /// <summary>Stops both trainers of a site by SIGTERM: nobody is there, and the run waits. Their leases would last for a minute.</summary>
    private static async Task StopNorthAsync(HubCluster hub)
    {
        int[] codes = await Task.WhenAll(_north.Select(trainer => hub[trainer].StopAsync()));
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

    /// <summary>Clients that entries of the journal sample; a round that is opened again with more names those of before too.</summary>
    private static HashSet<int> Added(IReadOnlyList<JournalEntry> journal, Range range)
    {
        (int start, int count) = range.GetOffsetAndLength(journal.Count);
        var added = new HashSet<int>();
        RoundOpened? before = null;
        for (int i = 0; i < start + count; i++)
        {
            if (journal[i] is not Decided { Message: RoundOpened opened }) continue;
            if (i >= start) added.UnionWith(opened.Participants.Skip(before?.Round == opened.Round ? before.Participants.Count : 0).Select(participant => participant.Client));
            before = opened;
        }
        return added;
    }

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
