using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Services.Codec;
using EcoLora.TestKit;

namespace EcoLora.Services.Tests;

public sealed class CodecServiceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a", Verdict.Success, 1)]
    [InlineData("elsewhere", Verdict.Success, 0)] // Not to be delivered again and again.
    public async Task A_change_is_applied_at_the_sites_of_its_run_and_done_with_at_others(string name, Verdict verdict, int reports)
    {
        var bus = new HandBus();
        var folder = new DurableFolder(_folder.Path);
        using var codec = new CodecService(bus, new FolderStateStore(folder.Folder("state")), folder.Folder("volume"), new CodecOptions("codec", plan => plan.SiteOf(name)));
        Assert.Equal(Verdict.Retry, await bus.DeliverAsync(Topics.Global, MadeUpSite.Change()));
        Assert.Equal(Verdict.Success, await bus.DeliverAsync(Topics.Rounds, ProtocolJson.Write(MadeUpSite.Opened)));
        Assert.Equal(verdict, await bus.DeliverAsync(Topics.Global, MadeUpSite.Change()));
        Assert.Equal(reports, bus.Published.Count);
        if (reports > 0) Assert.Equal(MadeUpSite.Next(), (await codec.GetPublishedAsync("run-1", 1, null, Cancellation)).ToArray());
    }

    [Fact]
    public async Task A_late_update_is_kept_against_the_version_that_it_was_trained_from_and_its_next_frame_brings_it()
    {
        var bus = new HandBus();
        RunPlan plan = MadeUpSite.Plan with { Deadline = new DeadlineOptions(60) };
        RoundOpened later = MadeUpSite.Round with { Round = 1, Participants = [new Participant(1, 0, 1)] };
        byte[] frame;
        using (CodecService codec = Codec(bus))
        {
            await bus.DecideAsync(new RunOpened("run-1", plan));
            Task<ReadOnlyMemory<float>> early = codec.GetPublishedAsync("run-1", 0, 1, Cancellation);
            Assert.False(early.IsCompleted); // Only who is known to take part may train from it.
            await bus.DecideAsync(MadeUpSite.Round);
            Assert.Equal(MadeUpSite.Initial, (await early).ToArray());
            await bus.DecideAsync(new RoundClosed("run-1", 0, [], 0.5, 0.25));
            await Assert.ThrowsAsync<VersionPassedException>(() => codec.GetPublishedAsync("run-1", 0, 0, Cancellation));
            await bus.DeliverAsync(Topics.Global, MadeUpSite.Change());
        }
        using (CodecService codec = Codec(bus = new HandBus()))
        {
            await codec.SubmitAsync("run-1", MadeUpSite.Update, Cancellation);
            await codec.SubmitAsync("run-1", MadeUpSite.Update, Cancellation); // Handed over again: nothing changes.
            Assert.Empty(bus.Published);
            Assert.Equal(1, codec.Refused["late"]);

            await bus.DecideAsync(later);
            float[] local = [.. MadeUpSite.Next().Select((value, i) => value - 0.02f * (i % 5 - 2))];
            await codec.SubmitAsync("run-1", new LocalUpdate(1, 1, 0.5, local), Cancellation);
            frame = Assert.Single(bus.Published).Payload.ToArray();

            float[] late = ClientUpload.WithResidual(
                Segmentation.Range(1, 2, MadeUpSite.Layout.Length), MadeUpSite.Initial, MadeUpSite.Update.Adapter.Span, [], Mixing.FeedbackShare(plan.Exchange.Feedback, 0.25));
            var header = new FrameHeader(FrameKind.Segment, plan.Key, 1, 1, 1, 2, 1, (uint)MadeUpSite.Layout.Fingerprint);
            ClientUpload expected = ClientUpload.Make(
                header, MadeUpSite.Layout, MadeUpSite.Next(), local, late, Mixing.FeedbackShare(plan.Exchange.Feedback, 0.5), new Compression(0.5, 0.25, plan.Exchange.Values, plan.Exchange.Coding));
            Assert.Equal(expected.Frame, frame);
        }
    }

    [Fact]
    public async Task The_version_of_a_participant_that_may_still_come_is_kept_and_no_longer()
    {
        RunPlan plan = MadeUpSite.Plan with { Deadline = new DeadlineOptions(60) };
        var bus = new HandBus();
        var chain = new PublishedAdapter(plan.Key, MadeUpSite.Layout, 0, MadeUpSite.Initial);
        using CodecService codec = Codec(bus);
        await bus.DecideAsync(new RunOpened("run-1", plan));
        for (int round = 0; round < 4; round++)
        {
            // Client 0 takes part in round 1 and does not come; client 1 in the others, of which nothing comes either but no longer can.
            await bus.DecideAsync(MadeUpSite.Round with { Round = round, Participants = [new Participant(round == 1 ? 0 : 1, 0, 0)] });
            var header = new FrameHeader(FrameKind.GlobalChange, plan.Key, round, FrameHeader.Aggregator, 0, 1, round, (uint)MadeUpSite.Layout.Fingerprint);
            byte[] change = Aggregation.Publish(header, MadeUpSite.Layout, new double[MadeUpSite.Layout.Length], new float[MadeUpSite.Layout.Length], new Compression(0.5, 0.25, ValueMode.Fp16));
            Assert.Equal(Verdict.Success, await bus.DeliverAsync(Topics.Global, change));
        }
        string[] kept = [.. Directory.EnumerateFiles(Path.Combine(_folder.Path, "volume", "run-1"), "published-*.bin").Select(path => Path.GetFileName(path)).Order()];
        Assert.Equal(["published-00001.bin", "published-00003.bin", "published-00004.bin"], kept);
    }

    [Fact]
    public async Task A_version_that_is_needed_and_does_not_come_is_asked_for()
    {
        RunPlan plan = MadeUpSite.Plan with { Deadline = new DeadlineOptions(60) };
        var bus = new HandBus();
        int asked = 0;
        using CodecService codec = Codec(bus, (_, round, _) =>
        {
            Interlocked.Increment(ref asked);
            return Task.FromResult<byte[]?>(round == 0 ? MadeUpSite.Change() : null);
        });
        await bus.DecideAsync(new RunOpened("run-1", plan));
        await bus.DecideAsync(MadeUpSite.Round with { Round = 1 });

        ReadOnlyMemory<float>[] read = await Task.WhenAll(codec.GetPublishedAsync("run-1", 1, 0, Cancellation), codec.GetPublishedAsync("run-1", 1, 1, Cancellation));

        Assert.All(read, published => Assert.Equal(MadeUpSite.Next(), published.ToArray()));
        Assert.Equal(1, asked);
        Assert.Equal(new SiteUpdated("run-1", 0, 1, MadeUpSite.Change().Length), ProtocolJson.ReadReport(Assert.Single(bus.Published).Payload.Span));
    }

    [Fact]
    public async Task A_site_that_joins_later_hosts_its_clients_from_then_on()
    {
        RunPlan plan = MadeUpSite.Plan with { Deadline = new DeadlineOptions(60) };
        var bus = new HandBus();
        using CodecService codec = Codec(bus);
        await bus.DecideAsync(new RunOpened("run-1", plan with { Places = [new SitePlace("b", [0])], Roster = [new Enrolment(2, 0, 3), new Enrolment(3, 0, 4)] }));
        await bus.DecideAsync(new RunOpened("run-1", plan with { Places = [new SitePlace("b", [0]), new SitePlace("a", [0])], Roster = [new(0, 1, 1), new(1, 1, 2), new(2, 0, 3), new(3, 0, 4)] }));
        await bus.DecideAsync(MadeUpSite.Round);
        await codec.SubmitAsync("run-1", MadeUpSite.Update, Cancellation);
        Assert.Equal(MadeUpSite.Frame(), Assert.Single(bus.Published).Payload.ToArray());
    }

    private CodecService Codec(IMessageBus bus, Func<string, int, CancellationToken, Task<byte[]?>>? fetch = null)
    {
        var folder = new DurableFolder(_folder.Path);
        return new CodecService(bus, new FolderStateStore(folder.Folder("state")), folder.Folder("volume"), new CodecOptions("codec", plan => plan.SiteOf("a"), null, fetch));
    }
}
