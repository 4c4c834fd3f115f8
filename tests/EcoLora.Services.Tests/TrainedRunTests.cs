using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Services.Trainer;
using EcoLora.TestKit;

namespace EcoLora.Services.Tests;

/// <summary>What a trainer keeps of its clients.</summary>
public sealed class TrainedRunTests
{
    private static readonly RunPlan _plan = new(
        "run-1", 11, "fedit", 500, 1, 2, new ExchangeOptions { Segments = 1, Coding = LosslessCoding.Golomb }, [new LoraModule("q", 12, 16, 4)], [new Enrolment(0, 0, 1)]);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_jobs_that_read_a_clients_record_at_once_each_sees_what_the_other_writes()
    {
        using var folder = new TemporaryFolder();
        var root = new DurableFolder(folder.Path);
        var state = new FolderStateStore(root.Folder("state"));
        TrainedRun former = await TrainedRun.OpenAsync(_plan, state, root.Folder("volume"), Cancellation);
        await former.ReadLocalAsync(0, Cancellation);
        await former.WriteLocalAsync(0, new LocalAdapter(1, 1, 0, [1]), Cancellation);

        // The process begins anew, and two jobs of the client with it: while the first has read the record, the second goes on.
        TrainedRun run = null!;
        var store = new OvertakenStore(state, async () =>
        {
            Assert.Equal(1, (await run.ReadLocalAsync(0, Cancellation))!.Round);
            await run.WriteLocalAsync(0, new LocalAdapter(3, 1, 0, [3]), Cancellation);
        })
        { Key = $"{TrainedRun.KeyOf(_plan.Key)}.client.0" };
        run = await TrainedRun.OpenAsync(_plan, store, root.Folder("volume"), Cancellation);
        Assert.Equal(3, (await run.ReadLocalAsync(0, Cancellation))!.Round);
    }

    [Fact]
    public async Task A_job_of_an_earlier_round_that_is_said_again_reads_what_a_later_one_replaces()
    {
        using var folder = new TemporaryFolder();
        var root = new DurableFolder(folder.Path);
        TrainedRun run = await TrainedRun.OpenAsync(_plan, new FolderStateStore(root.Folder("state")), root.Folder("volume"), Cancellation);
        await run.ReadLocalAsync(0, Cancellation);
        Task later = Task.Run(async () =>
        {
            for (int round = 0; round < _plan.Rounds; round++) await run.WriteLocalAsync(0, new LocalAdapter(round, 1, 0, [round]), Cancellation);
        }, Cancellation);
        Task[] earlier = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            int last = -1;
            while (!later.IsCompleted)
            {
                if (await run.ReadLocalAsync(0, Cancellation) is not { } local) continue;
                Assert.Equal([local.Round], local.Values);
                Assert.InRange(local.Round, last, _plan.Rounds);
                last = local.Round;
            }
        }, Cancellation))];
        await Task.WhenAll([later, .. earlier]);
        Assert.Equal(_plan.Rounds - 1, (await run.ReadLocalAsync(0, Cancellation))!.Round);

        File.Delete(Directory.GetFiles(Path.Combine(folder.Path, "volume", "run-1"), "local-*.bin").Single());
        StateFileException lost = await Assert.ThrowsAsync<StateFileException>(() => run.ReadLocalAsync(0, Cancellation));
        Assert.Contains("expected the local adapter of round 499 that the state names", lost.Message, StringComparison.Ordinal);
    }
}
