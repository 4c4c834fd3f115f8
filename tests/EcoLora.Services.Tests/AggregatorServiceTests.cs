using System.Buffers.Binary;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Numerics;
using EcoLora.Services.Aggregator;
using EcoLora.TestKit;

namespace EcoLora.Services.Tests;

/// <summary>What an aggregator takes, and from whom. Site a has clients 0 and 1, site b client 2.</summary>
public sealed class AggregatorServiceTests : IDisposable
{
    private static readonly Signer _a = new("a"), _b = new("b");

    private static readonly RunPlan _plan = new(
        "run-1", 11, "fedit", 2, 2, 2, new ExchangeOptions { Segments = 1, Coding = LosslessCoding.Golomb }, [new LoraModule("q", 12, 16, 4)],
        [new Enrolment(0, 0, 1), new Enrolment(1, 0, 2), new Enrolment(2, 1, 3)])
    {
        Places = [new SitePlace("a", [0]), new SitePlace("b", [0])],
        Evaluator = "trainer-a-0",
    };

    private static readonly LoraLayout _layout = _plan.AdapterLayout();
    private static readonly RoundOpened _round = new("run-1", 0, [new Participant(0, 0, 0), new Participant(2, 1, 0)], 1, 1, false);

    private readonly TemporaryFolder _folder = new();
    private readonly HandBus _bus = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_frame_above_its_share_of_the_budget_is_refused()
    {
        byte[] frame = Frame(client: 0);
        foreach (int room in new[] { frame.Length - 1, frame.Length })
        {
            using var folder = new TemporaryFolder();
            var bus = new HandBus();
            using AggregatorService aggregator = await OpenAsync(_plan, bus, folder, _round with { FrameBytes = room });
            Assert.Equal(room < frame.Length ? Verdict.Drop : Verdict.Success, await bus.DeliverAsync(Topics.Segments, frame, _a));
            Assert.Equal(room < frame.Length ? 1 : 0, aggregator.Refused["length"]);
        }
    }

    [Fact]
    public async Task A_frame_counts_once_and_what_is_wrong_with_others_changes_nothing()
    {
        using AggregatorService aggregator = await OpenAsync(_plan);
        byte[] frame = Frame(client: 0), infinite = WithInfinity(Frame(client: 2, values: ValueMode.Fp32));
        (string Reason, Verdict Verdict, byte[] Frame, Signer Signer)[] wrong =
        [
            ("another site's client", Verdict.Drop, frame, _b),
            ("not a site's", Verdict.Drop, frame, Signer.Hub),
            ("client", Verdict.Drop, Frame(client: 1), _a), // Its own client, which does not take part.
            ("base version", Verdict.Drop, Frame(client: 0, version: 1), _a),
            ("early", Verdict.Retry, Frame(client: 0, round: 1, version: 1), _a),
            ("unknown run", Verdict.Retry, Frame(client: 0, run: "run-2"), _a),
            ("value", Verdict.Drop, infinite, _b),
        ];
        foreach ((string reason, Verdict verdict, byte[] bytes, Signer signer) in wrong)
        {
            Assert.Equal((reason, verdict), (reason, await _bus.DeliverAsync(Topics.Segments, bytes, signer)));
            Assert.True(aggregator.Refused[reason] == 1, $"{reason}: {aggregator.Refused}");
        }
        Assert.Empty(_bus.Published);

        Assert.Equal(Verdict.Success, await _bus.DeliverAsync(Topics.Segments, frame, _a));
        Assert.Equal(Verdict.Success, await _bus.DeliverAsync(Topics.Segments, frame, _a));
        Assert.Equal(1, aggregator.Refused["repeated"]);
        foreach (BusMessage said in _bus.Published) Assert.Equal((0, frame.Length), (Stored(said).Client, Stored(said).Sizes.Framed));
        Assert.Equal(Verdict.Drop, await _bus.DeliverAsync(Topics.Segments, Frame(client: 0, scale: 2), _a));
        Assert.Equal(1, aggregator.Refused["another frame of a client"]);

        await _bus.DeliverAsync(Topics.Segments, Frame(client: 2), _b);
        AcceptedSegment[] accepted = [.. _bus.Published.Select(Stored).DistinctBy(stored => stored.Client).Select((stored, slot) => new AcceptedSegment(stored.Client, slot, 0, stored.Digest))];
        var closed = new RoundClosed("run-1", 0, accepted, 1, 1);
        Assert.Equal(Verdict.Drop, await _bus.DeliverAsync(Topics.Rounds, ProtocolJson.Write(closed), _b));
        Assert.Equal(1, aggregator.Refused["not the hub's"]);
        Assert.Null(await aggregator.ChangeAsync("run-1", 0, null, TestContext.Current.CancellationToken));
        await _bus.DecideAsync(closed, Signer.Hub);
        byte[] change = _bus.Published.Single(message => message.Topic == Topics.Global).Payload.ToArray();
        Assert.Equal(change, await aggregator.ChangeAsync("run-1", 0, null, TestContext.Current.CancellationToken));

        // A frame of a round that is over.
        Assert.Equal(Verdict.Success, await _bus.DeliverAsync(Topics.Segments, frame, _a));
        Assert.Equal(1, aggregator.Refused["late"]);
    }

    [Fact]
    public async Task An_update_that_would_outweigh_the_others_is_refused()
    {
        // Entries are ±0.01·scale.
        double norm = 0.01 * Math.Sqrt(_layout.Length);
        using AggregatorService aggregator = await OpenAsync(_plan with { Exchange = _plan.Exchange with { MaxNorm = 1.5 * norm } });
        Assert.Equal(Verdict.Drop, await _bus.DeliverAsync(Topics.Segments, Frame(client: 0, scale: 2), _a));
        Assert.Equal(1, aggregator.Refused["norm"]);
        // The round need not wait for it.
        SegmentReceived refused = Stored(_bus.Published.Single());
        Assert.Equal(0, refused.Client);
        Assert.StartsWith($"norm: expected at most {1.5 * norm} (exchange.max_norm), found 0.21", refused.Refused, StringComparison.Ordinal);
        Assert.Contains("of client 0, round 0, base version 0, segments, signed by site a", aggregator.Refused.All.Single().About, StringComparison.Ordinal);
        Assert.Equal(Verdict.Success, await _bus.DeliverAsync(Topics.Segments, Frame(client: 0), _a));
    }

    [Fact]
    public async Task With_a_deadline_the_frame_of_one_who_joins_may_come_before_the_word_of_it()
    {
        using AggregatorService aggregator = await OpenAsync(_plan with { Deadline = new DeadlineOptions(1) });
        byte[] joining = Frame(client: 1);
        Assert.Equal(Verdict.Retry, await _bus.DeliverAsync(Topics.Segments, joining, _a));
        Assert.Equal(1, aggregator.Refused["early"]);
        Assert.Empty(_bus.Published);
        await _bus.DecideAsync(_round with { Participants = [.. _round.Participants, new Participant(1, 2, 0)] }, Signer.Hub);
        Assert.Equal(Verdict.Success, await _bus.DeliverAsync(Topics.Segments, joining, _a));
        Assert.Equal(1, Stored(_bus.Published.Single()).Client);
    }

    [Fact]
    public async Task A_change_that_is_fetched_in_pieces_is_signed_once()
    {
        using AggregatorService aggregator = await OpenAsync(_plan);
        await _bus.DecideAsync(new RoundClosed("run-1", 0, [], 1, 1), Signer.Hub);
        int signed = 0;
        byte[] Sign(byte[] change) => [(byte)++signed, .. change];
        byte[]? first = await aggregator.ChangeAsync("run-1", 0, Sign, TestContext.Current.CancellationToken);
        Assert.Equal(first, await aggregator.ChangeAsync("run-1", 0, Sign, TestContext.Current.CancellationToken));
        Assert.Equal(1, signed);
    }

    private Task<AggregatorService> OpenAsync(RunPlan plan) => OpenAsync(plan, _bus, _folder, _round);

    private static async Task<AggregatorService> OpenAsync(RunPlan plan, HandBus bus, TemporaryFolder place, RoundOpened round)
    {
        var folder = new DurableFolder(place.Path);
        var aggregator = new AggregatorService(bus, new FolderStateStore(folder.Folder("state")), folder.Folder("volume"), (_, _, _) => { });
        await bus.DecideAsync(new RunOpened("run-1", plan), Signer.Hub);
        await bus.DecideAsync(round, Signer.Hub);
        return aggregator;
    }

    private static SegmentReceived Stored(BusMessage message) => Assert.IsType<SegmentReceived>(ProtocolJson.ReadReport(message.Payload.Span));

    private static byte[] Frame(int client, int round = 0, int version = 0, double scale = 1, string run = "run-1", ValueMode values = ValueMode.Fp16)
    {
        float[] change = [.. Enumerable.Range(0, _layout.Length).Select(i => (float)(0.01 * scale * (i % 2 == 0 ? 1 : -1)))];
        var header = new FrameHeader(FrameKind.Segment, FrameHeader.KeyOf(run), round, client, 0, 1, version, (uint)_layout.Fingerprint);
        return FrameEncoder.Encode(header, _layout, change, new Compression(1, 1, values, LosslessCoding.Golomb));
    }

    /// <summary>A frame with an infinity that no encoder makes, and a checksum that holds.</summary>
    private static byte[] WithInfinity(byte[] frame)
    {
        int chunk = 44;
        while (BinaryPrimitives.ReadUInt32LittleEndian(frame.AsSpan(chunk)) != Crc32C.Of(frame.AsSpan(chunk + 4))) chunk++;
        // FORMAT.md: binary32 values are as they are, in mode 0 the last entry's at the end. The other value modes have no code for an infinity.
        BinaryPrimitives.WriteSingleLittleEndian(frame.AsSpan(frame.Length - 4), float.PositiveInfinity);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(chunk), Crc32C.Of(frame.AsSpan(chunk + 4)));
        return frame;
    }
}
