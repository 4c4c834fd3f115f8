using System.Text.Json;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Services.Scheduler;
using EcoLora.TestKit;

namespace EcoLora.Services.Tests;

/// <summary>What the clock makes of a run with a deadline: three clients of two trainers, two segments.</summary>
public sealed class ScheduledDeadlineTests : IDisposable
{
    private const string North = "trainer-north-0", South = "trainer-south-0";

    private static readonly RunPlan _draft = new("run-1", 11, "fedit", 4, 2, 2, new ExchangeOptions { Segments = 2 }, [], []) { Deadline = new DeadlineOptions(60) };

    private readonly TemporaryFolder _folder = new();
    private readonly HandClock _clock = new();
    private readonly SaidBus _bus = new();
    private readonly SchedulerService _scheduler;

    public ScheduledDeadlineTests() => _scheduler = Scheduler();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _scheduler.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_deadline_is_written_down_before_it_closes_the_round()
    {
        ScheduledRun run = await OpenAsync(_scheduler);
        RoundOpened opened = run.History.Run!.Rounds[0].Opened;
        foreach (Participant participant in opened.Participants) await HearAsync(run, Stored(participant));
        await HearAsync(run, Report(opened.Participants[0].Client));
        _clock.Pass(59);
        await run.TickAsync(Cancellation);
        Assert.False(run.History.Run.Rounds[0].IsOverdue);
        _clock.Pass(2);
        await run.TickAsync(Cancellation);
        // One segment has no answer: the third client is asked too.
        Assert.Equal(3, run.History.Run.Rounds[0].Opened.Participants.Count);
        Assert.Equal(["DeadlinePassed", "Decided"], (await JournalAsync()).TakeLast(2).Select(entry => entry.GetType().Name));
        Assert.Equal(3, Assert.IsType<RoundOpened>(_bus.Said[^1]).Participants.Count);
        _clock.Pass(59);
        await run.TickAsync(Cancellation);
        Assert.False(run.History.Run.Rounds[0].IsOverdue);
    }

    [Fact]
    public async Task A_scheduler_that_comes_back_gives_the_open_round_its_whole_time_again()
    {
        await OpenAsync(_scheduler);
        _clock.Pass(50);
        using SchedulerService other = Scheduler();
        ScheduledRun run = await other.StartAsync(History(), null, Cancellation);
        _clock.Pass(50);
        await run.TickAsync(Cancellation);
        Assert.False(run.History.Run!.Rounds[0].IsOverdue);
        _clock.Pass(11);
        await run.TickAsync(Cancellation);
        Assert.Contains(await JournalAsync(), entry => entry is DeadlinePassed);
    }

    [Fact]
    public async Task Who_is_not_heard_of_has_left_when_its_lease_is_over_and_has_arrived_when_it_is_heard_again()
    {
        ScheduledRun run = await OpenAsync(_scheduler);
        await run.TickAsync(Cancellation);
        await HearAsync(run, Present("north", 30));
        _clock.Pass(29);
        await run.TickAsync(Cancellation);
        Assert.Equal([North, South], run.History.Present);
        _clock.Pass(2);
        await run.TickAsync(Cancellation);
        // The other has not been heard of at all: it has a minute.
        Assert.Equal([South], run.History.Present);
        await HearAsync(run, Present("north", 30));
        Assert.Equal([North, South], run.History.Present);
        await HearAsync(run, Present("north", 0));
        Assert.Equal([South], run.History.Present);
        Assert.Equal(
            ["left trainer-north-0", "arrived trainer-north-0", "left trainer-north-0"],
            (await JournalAsync()).OfType<PresenceChanged>().Select(entry => entry.Left.Count > 0 ? $"left {entry.Left[0]}" : $"arrived {entry.Arrived[0]}"));
    }

    [Theory]
    [InlineData("nowhere", 0, 30, "no news")]
    [InlineData("north", 7, 30, "no news")]
    [InlineData("north", 0, -1, "presence")]
    [InlineData("north", 0, 3601, "presence")]
    public async Task A_heartbeat_of_nobody_or_for_ever_does_not_count(string site, int trainer, int seconds, string refusal)
    {
        ScheduledRun run = await OpenAsync(_scheduler);
        int entries = run.Entries;
        Assert.Equal(refusal, await run.HearAsync(new TrainerPresent("run-1", site, trainer, seconds), 80, Cancellation));
        Assert.Equal(entries, run.Entries);
    }

    [Fact]
    public async Task Heartbeats_are_counted_once_with_the_round_that_they_came_in()
    {
        ScheduledRun run = await OpenAsync(_scheduler);
        long before = run.History.Run!.Rounds[0].Control[0].Up;
        for (int i = 0; i < 3; i++) await HearAsync(run, Present("north", 30));
        foreach (Participant participant in run.History.Run.Rounds[0].Opened.Participants)
        {
            await HearAsync(run, Report(participant.Client));
            await HearAsync(run, Stored(participant));
        }
        Assert.NotNull(run.History.Run.Rounds[0].Closed);
        PresenceChanged counted = Assert.Single((await JournalAsync()).OfType<PresenceChanged>());
        Assert.Equal(new Dictionary<string, long> { ["north"] = 3 * 80 }, counted.Heartbeats);
        Assert.True(run.History.Run.Rounds[0].Control[0].Up >= before + 3 * 80);
    }

    private SchedulerService Scheduler() => new(_bus, name => new FileJournal(_folder[name + ".jsonl"]), null, _clock);

    private static RunHistory History() => new(new RunAnnounced("run-1", JsonSerializer.SerializeToElement(new { name = "run-1" })), new RosterState(_draft, 3));

    private static async Task<ScheduledRun> OpenAsync(SchedulerService scheduler)
    {
        ScheduledRun run = await scheduler.StartAsync(History(), null, Cancellation);
        LoraModule[] modules = [new("q", 4, 6, 2)];
        await HearAsync(run, new TrainerEnrolled("run-1", "north", 0, [new(0, 1, 2), new(1, 2, 2)], modules, true));
        await HearAsync(run, new TrainerEnrolled("run-1", "south", 0, [new(2, 3, 2)], modules, true));
        Assert.Single(run.History.Run!.Rounds);
        return run;
    }

    private static async Task HearAsync(ScheduledRun run, ReportMessage report) => Assert.Null(await run.HearAsync(report, 80, Cancellation));

    private static ClientReport Report(int client) => new("run-1", 0, client, client / 2, client + 1, 1.5);

    private static SegmentReceived Stored(Participant participant) =>
        new("run-1", 0, participant.Client, participant.Segment, "digest", new FrameSizes(12, 6, 8, 4, 40, 60, 30, 24, 90));

    private static TrainerPresent Present(string site, int seconds) => new("run-1", site, 0, seconds);

    private Task<IReadOnlyList<JournalEntry>> JournalAsync() => Task.FromResult(Journal.Read(_folder["run-1.jsonl"]));

    /// <summary>Keeps what is said.</summary>
    private sealed class SaidBus : IMessageBus
    {
        public List<RoundMessage> Said { get; } = [];

        public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
        {
            Said.Add(ProtocolJson.ReadRound(payload.Span));
            return Task.CompletedTask;
        }

        public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler)
        {
            // Reports are handed over directly.
        }
    }
}
