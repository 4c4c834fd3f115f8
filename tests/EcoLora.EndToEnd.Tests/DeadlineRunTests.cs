using System.Collections.Concurrent;
using EcoLora.Federation;
using EcoLora.Numerics;
using EcoLora.Services.Scheduler;
using EcoLora.Services.Trainer;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests;

/// <summary>
/// Runs whose rounds close at a deadline. What they come to depends on time, so it is held to their own journal: to the computation of
/// <see cref="JournalReference"/>, and to a replay.
/// </summary>
public class DeadlineRunTests
{
    [Theory]
    [InlineData("fedit")]
    [InlineData("flora")] // Its residual counts for nothing: the next round's adapter is a fresh one.
    public async Task A_straggler_s_update_is_kept_as_its_residual_and_the_run_goes_on_without_it(string method)
    {
        RunPlan plan = (method == "flora" ? MadeUpRun.Flora(rounds: 8) : MadeUpRun.Plan(rounds: 8)) with { Deadline = new DeadlineOptions(0.1) };
        int straggler = RoundRobinSchedule.Sample(plan.Seed, 0, plan.Roster.Select(enrolment => enrolment.Client), plan.Participants)[1];
        using var folder = new TemporaryFolder();
        using var isPast = new ManualResetEventSlim();
        // It trains its first round until two more have been closed, and the others wait for it before the last ones.
        using var hasCome = new ManualResetEventSlim();
        var engine = new GatedEngine((client, round, cancellation) =>
        {
            if ((client, round) == (straggler, 0)) isPast.Wait(cancellation);
            else if (round > 2) hasCome.Wait(cancellation);
        });

        (RunState state, float[] adapter) = await MadeUpRun.RunAsync(plan, folder.Path, options => options with
        {
            Engine = engine,
            Threads = 8,
            Observer = (_, entry) =>
            {
                if (entry is Decided { Message: RoundClosed { Round: 2 } }) isPast.Set();
                if (entry is Heard { Report: ClientReport report } && (report.Client, report.Round) == (straggler, 0)) hasCome.Set();
            },
        });

        IReadOnlyList<JournalEntry> journal = Read(folder);
        int reported = IndexOf(journal, entry => entry is Heard { Report: ClientReport report } && (report.Client, report.Round) == (straggler, 0));
        Assert.InRange(reported, IndexOf(journal, entry => entry is Decided { Message: RoundClosed { Round: 2 } }), journal.Count);
        Assert.False(state.Rounds[0].IsAccepted(straggler));
        Assert.Contains(state.Rounds.Skip(3), round => round.Opened.Participants.Any(p => p.Client == straggler));
        Assert.All(state.Rounds.Skip(1).Take(2), round => Assert.DoesNotContain(straggler, round.Opened.Participants.Select(p => p.Client)));
        Assert.Equal(JournalReference.Run(plan, journal), adapter);
        await ReplaysAsync(plan, journal, adapter);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Slow_clients_an_unreliable_bus_and_stops_leave_a_journal_that_tells_the_whole_story(int seed)
    {
        RunPlan plan = MadeUpRun.Plan(rounds: 6) with { Deadline = new DeadlineOptions(0.3, 1, 0.4), Seed = (ulong)seed };
        using var folder = new TemporaryFolder();
        // Half of the clients are slow: they come when their round is closed or its time is over.
        var late = new ConcurrentDictionary<int, TaskCompletionSource>();
        TaskCompletionSource Late(int round) => late.GetOrAdd(round, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        var engine = new GatedEngine((client, round, cancellation) =>
        {
            if (new RandomStream((ulong)seed, "slow", client, round).NextInt32(2) == 0) Late(round).Task.Wait(cancellation);
        });
        int stops = 0;
        float[]? adapter = null;
        while (adapter is null)
        {
            using var crash = new CancellationTokenSource();
            int entries = 0;
            try
            {
                (_, adapter) = await MadeUpRun.RunAsync(plan, folder.Path, options => options with
                {
                    Engine = engine,
                    Threads = 8,
                    Wrap = bus => new UnreliableBus(bus, (ulong)(100 * seed + stops)),
                    Observer = (_, entry) =>
                    {
                        if (entry is DeadlinePassed passed) Late(passed.Round).TrySetResult();
                        if (entry is Decided { Message: RoundClosed closed }) Late(closed.Round).TrySetResult();
                        // What was in the journal before is told again.
                        if (++entries == 40 * (stops + 1)) crash.Cancel();
                    },
                }, crash.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.InRange(++stops, 1, 30);
            }
        }

        IReadOnlyList<JournalEntry> journal = Read(folder);
        Assert.InRange(stops, 1, 30);
        Assert.Contains(journal, entry => entry is DeadlinePassed);
        Assert.Equal(JournalReference.Run(plan, journal), adapter);
        await ReplaysAsync(plan, journal, adapter);
    }

    [Fact]
    public async Task A_journal_that_was_changed_is_not_followed()
    {
        RunPlan plan = MadeUpRun.Plan(rounds: 2) with { Deadline = new DeadlineOptions(5) };
        using TemporaryFolder folder = new(), second = new(), third = new();
        await MadeUpRun.RunAsync(plan, folder.Path);
        JournalEntry[] journal = [.. Read(folder)];
        int closed = IndexOf(journal, entry => entry is Decided { Message: RoundClosed });
        var decision = (RoundClosed)((Decided)journal[closed]).Message;
        JournalEntry[] other = [.. journal];
        other[closed] = new Decided(decision with { Accepted = [.. decision.Accepted.Skip(1)] }, 1);

        // One participant less is summed: the change is another than the journal says.
        ReplayException refused = await Assert.ThrowsAsync<ReplayException>(() => FollowAsync(plan, other, second));
        Assert.StartsWith("replay: expected a report of the journal, found {\"type\":\"round-aggregated\"", refused.Message, StringComparison.Ordinal);
        // The end is missing.
        refused = await Assert.ThrowsAsync<ReplayException>(() => FollowAsync(plan, [.. journal.TakeWhile(entry => entry is not Decided { Message: RunEnding })], third));
        Assert.StartsWith("replay: expected the journal of a finished run", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_everybody_in_time_a_deadline_changes_no_byte()
    {
        RunPlan plan = MadeUpRun.Plan();
        using var folder = new TemporaryFolder();

        (_, float[] adapter) = await MadeUpRun.RunAsync(plan with { Deadline = new DeadlineOptions(600) }, folder.Path);

        Assert.Equal(MadeUpRun.Reference(plan), adapter);
    }

    private static async Task ReplaysAsync(RunPlan plan, IReadOnlyList<JournalEntry> journal, float[] adapter)
    {
        using var folder = new TemporaryFolder();
        Assert.Equal(adapter, await FollowAsync(plan, journal, folder));
    }

    private static async Task<float[]> FollowAsync(RunPlan plan, IReadOnlyList<JournalEntry> journal, TemporaryFolder folder)
    {
        (_, float[] adapter) = await MadeUpRun.RunAsync(plan, folder.Path, options => options with { Replay = new DecisionReplay(journal), Wrap = bus => new UnreliableBus(bus, 77) });
        return adapter;
    }

    private static IReadOnlyList<JournalEntry> Read(TemporaryFolder folder) => Journal.Read(folder["scheduler/made-up.journal.jsonl"]);

    private static int IndexOf(IReadOnlyList<JournalEntry> journal, Predicate<JournalEntry> match) => journal.ToList().FindIndex(match);

    /// <summary>The made-up engine, held up before it trains.</summary>
    private sealed class GatedEngine(Action<int, int, CancellationToken> wait) : ITrainingEngine
    {
        private readonly MadeUpEngine _engine = new();

        public TrainingOutcome Train(RunPlan plan, int client, int round, float[] adapter, ReadOnlyMemory<float> baseChange, CancellationToken cancellation)
        {
            wait(client, round, cancellation);
            return _engine.Train(plan, client, round, adapter, baseChange, cancellation);
        }

        public HeldOutScore Evaluate(RunPlan plan, ReadOnlySpan<float> adapter, ReadOnlyMemory<float> baseChange, CancellationToken cancellation) => _engine.Evaluate(plan, adapter, baseChange, cancellation);
    }
}
