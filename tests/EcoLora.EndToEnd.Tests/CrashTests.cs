using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests;

/// <summary>A run that is stopped anywhere and gone on with ends with the same bytes.</summary>
public class CrashTests
{
    [Theory]
    [InlineData("fedit")]
    [InlineData("flora")]
    [InlineData("site residuals")]
    public async Task A_stop_after_any_journal_entry_is_healed(string method)
    {
        RunPlan plan = method switch
        {
            "flora" => MadeUpRun.Flora(rounds: 2, ranks: [4, 2, 1, 6]),
            "fedit" => MadeUpRun.Plan(rounds: 2),
            _ => MadeUpRun.Plan(rounds: 2, exchange: MadeUpRun.SiteResiduals),
        };
        float[] reference = MadeUpRun.Reference(plan);
        string[] journal;
        using (var folder = new TemporaryFolder())
        {
            await MadeUpRun.RunAsync(plan, folder.Path);
            journal = Journal(folder);
        }
        for (int stop = 1; stop <= journal.Length; stop++)
        {
            using var folder = new TemporaryFolder();
            Assert.False(await RunUntilAsync(plan, folder, stop));
            (RunState state, float[] adapter) = await MadeUpRun.RunAsync(plan, folder.Path);
            Assert.Equal(reference, adapter);
            Assert.Equal(journal.Order(), Journal(folder).Order());
            Assert.True(state.IsFinished);
        }
    }

    [Theory]
    [InlineData(0, ResidualHolder.Client)]
    [InlineData(0.5, ResidualHolder.Client)]
    [InlineData(0.2, ResidualHolder.Site)]
    public async Task A_run_that_stops_again_and_again_still_ends_the_same(double momentum, ResidualHolder residuals)
    {
        RunPlan plan = MadeUpRun.Plan(rounds: 3, exchange: MadeUpRun.Plan().Exchange with { ServerMomentum = momentum, Sums = CoverageScale.Senders, Residuals = residuals });
        using var folder = new TemporaryFolder();
        int stops = 0;
        while (!await RunUntilAsync(plan, folder, stopAfter: 3, bus => new UnreliableBus(bus, (ulong)stops))) stops++;
        Assert.InRange(stops, 10, 100);

        (_, float[] adapter) = await MadeUpRun.RunAsync(plan, folder.Path);

        Assert.Equal(MadeUpRun.Reference(plan), adapter);
    }

    [Fact]
    public async Task A_finished_run_is_told_again_without_training()
    {
        RunPlan plan = MadeUpRun.Plan(rounds: 2);
        using var folder = new TemporaryFolder();
        await MadeUpRun.RunAsync(plan, folder.Path);
        string[] journal = Journal(folder);

        (RunState state, _) = await MadeUpRun.RunAsync(plan, folder.Path);

        Assert.True(state.IsFinished);
        Assert.Equal(journal, Journal(folder));
    }

    [Fact]
    public async Task A_journal_line_that_was_cut_off_is_written_again()
    {
        RunPlan plan = MadeUpRun.Plan(rounds: 2);
        using var folder = new TemporaryFolder();
        Assert.False(await RunUntilAsync(plan, folder, stopAfter: 12));
        using (FileStream journal = File.OpenWrite(JournalFile(folder))) journal.SetLength(journal.Length - 5);

        (_, float[] adapter) = await MadeUpRun.RunAsync(plan, folder.Path);

        Assert.Equal(MadeUpRun.Reference(plan), adapter);
    }

    [Fact]
    public async Task A_replay_follows_the_journal_and_refuses_another_run()
    {
        RunPlan plan = MadeUpRun.Plan(rounds: 2);
        using TemporaryFolder first = new(), second = new(), third = new();
        await MadeUpRun.RunAsync(plan, first.Path);
        IReadOnlyList<JournalEntry> entries = Services.Scheduler.Journal.Read(JournalFile(first));

        (_, float[] adapter) = await MadeUpRun.RunAsync(plan, second.Path, options => options with { Replay = new Services.Scheduler.DecisionReplay(entries) });
        Assert.Equal(MadeUpRun.Reference(plan), adapter);

        await Assert.ThrowsAsync<Services.Scheduler.ReplayException>(() => MadeUpRun.RunAsync(plan with { Seed = 12 }, third.Path, options => options with { Replay = new Services.Scheduler.DecisionReplay(entries) }));
    }

    /// <summary>
    /// Runs until that many entries were added to the journal, then stops as a crash does: the last entry is durable, nobody is told of it, and no
    /// message that is under way arrives.
    /// </summary>
    /// <returns>True when the run ended before.</returns>
    private static async Task<bool> RunUntilAsync(RunPlan plan, TemporaryFolder folder, int stopAfter, Func<IMessageBus, IMessageBus>? wrap = null)
    {
        using var crash = new CancellationTokenSource();
        int known = File.Exists(JournalFile(folder)) ? Journal(folder).Length : 0, seen = 0;
        try
        {
            await MadeUpRun.RunAsync(plan, folder.Path, options => options with
            {
                Wrap = bus => new CrashingBus(wrap?.Invoke(bus) ?? bus, crash.Token),
                Observer = (_, _) =>
                {
                    if (++seen == known + stopAfter) crash.Cancel();
                },
            }, crash.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static string JournalFile(TemporaryFolder folder) => folder["scheduler/made-up.journal.jsonl"];

    private static string[] Journal(TemporaryFolder folder) => File.ReadAllLines(JournalFile(folder));

    private sealed class CrashingBus(IMessageBus inner, CancellationToken crashed) : IMessageBus
    {
        public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
        {
            crashed.ThrowIfCancellationRequested();
            return inner.PublishAsync(topic, key, payload, cancellation);
        }

        public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler) =>
            inner.Subscribe(topic, consumer, (message, cancellation) => crashed.IsCancellationRequested ? Task.FromResult(Verdict.Retry) : handler(message, cancellation));
    }
}
