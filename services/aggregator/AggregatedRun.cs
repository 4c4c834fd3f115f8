using System.Diagnostics;
using System.Runtime.InteropServices;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Telemetry;

namespace EcoLora.Services.Aggregator;

/// <summary>What became of a received frame.</summary>
internal enum FrameFate
{
    /// <summary>Durable now.</summary>
    Stored,

    /// <summary>Durable before; it has come again.</summary>
    Repeated,

    /// <summary>Its round, or its participation, has not been opened here yet.</summary>
    Early,

    /// <summary>Its round is closed: the sender keeps the change as residual.</summary>
    Late,

    /// <summary>It is what was asked for, but outweighs the others: the sender keeps the change as residual.</summary>
    TooLarge,
}

/// <summary>
/// One run at the aggregator. The record in the state store says what counts: version, the open round, the frames that are stored; the volume holds Q^t and S in
/// <c>checkpoint-t.bin</c>, the open round's frames in <c>frames/</c>, the published chain in <c>chain/</c>. Everything is durable before it is told to anyone.
/// </summary>
internal sealed class AggregatedRun
{
    private readonly DurableFolder _folder, _frames, _chain;
    private readonly StateRecord<AggregatorRecord> _record;
    private readonly FederatedMethod _method;
    private readonly LoraLayout _layout;
    private PublishedAdapter _published;
    private float[] _serverResidual;

    private AggregatedRun(StateRecord<AggregatorRecord> record, DurableFolder folder)
    {
        (_record, _folder, _frames, _chain) = (record, folder, folder.Folder("frames"), folder.Folder("chain"));
        RunPlan plan = Plan;
        _method = plan.FederatedMethod;
        _layout = plan.ExchangedLayout();
        if (Record.Checkpoint is { } file)
        {
            if (!VectorFile.TryRead(folder, file, AggregatorJson.Default.Checkpoint, out Checkpoint checkpoint, out float[][] vectors) || checkpoint.Version != Record.Version)
                throw new StateFileException(folder.FileAt(file), $"the checkpoint of version {Record.Version} that the state names", "another, or none");
            (_published, _serverResidual) = (PublishedAdapter.Stored(plan, checkpoint.Version, vectors), vectors[^1]);
        }
        else
        {
            _published = PublishedAdapter.Start(plan);
            _serverResidual = _method.MergesIntoBase ? [] : new float[_layout.Length];
        }
    }

    public RunPlan Plan => Record.Plan;

    /// <summary>True when the last published change was not announced, as far as is known.</summary>
    public bool IsUnannounced => Record.Report is not null && Record.Announced < Record.Version;

    private AggregatorRecord Record => _record.Value!;

    /// <summary>Key of a run's record.</summary>
    public static string KeyOf(ulong run) => $"run.{run:x16}";

    /// <summary>Opens a run that is known, or null.</summary>
    public static async Task<AggregatedRun?> FindAsync(ulong run, IStateStore store, DurableFolder root, CancellationToken cancellation)
    {
        StateRecord<AggregatorRecord> record = await StateRecord.ReadAsync(store, KeyOf(run), AggregatorJson.Default.AggregatorRecord, cancellation);
        return record.Value is { } value ? new AggregatedRun(record, root.Folder(value.Plan.Run)) : null;
    }

    /// <summary>Opens a run, which is known from now on.</summary>
    public static async Task<AggregatedRun> OpenAsync(RunPlan plan, IStateStore store, DurableFolder root, CancellationToken cancellation)
    {
        StateRecord<AggregatorRecord> record = await StateRecord.ReadAsync(store, KeyOf(plan.Key), AggregatorJson.Default.AggregatorRecord, cancellation);
        if (record.Value is null) await record.WriteAsync(new AggregatorRecord(plan, 0, 0, null, null, null, []), cancellation);
        return new AggregatedRun(record, root.Folder(plan.Run));
    }

    /// <summary>Q as the whole adapter, or the change of the base.</summary>
    public float[] Outcome() => Plan.Outcome(_published.Values.Span);

    /// <summary>The published chain, one message after the other.</summary>
    public IEnumerable<byte[]> Chain() =>
        Enumerable.Range(0, Record.Version).Select(round => ChangeOf(round) ?? throw new StateFileException(_chain.FileAt(ChainFile(round)), "the change that was published", "no file"));

    /// <summary>Digest of Q.</summary>
    public string Digest() => Frame.DigestOf(MemoryMarshal.AsBytes(_published.Values.Span));

    /// <summary>Takes a plan whose roster has grown.</summary>
    public async Task GrowAsync(RunPlan plan, CancellationToken cancellation)
    {
        if (plan.Roster.Count > Plan.Roster.Count) await _record.WriteAsync(Record with { Plan = plan }, cancellation);
    }

    /// <summary>Accepts frames of the round from now on, or of further participants of the open round.</summary>
    public async Task OpenRoundAsync(RoundOpened opened, CancellationToken cancellation)
    {
        if (opened.Round != Record.Version || !opened.IsNewsAfter(Record.Open)) return;
        await _record.WriteAsync(Record with { Open = opened, Frames = Record.Open is null ? [] : Record.Frames }, cancellation);
    }

    /// <summary>Checks a frame against the open round, and stores it unless its fate is another.</summary>
    /// <exception cref="FrameException">The frame is not what this participant was asked for; nothing was stored.</exception>
    public async Task<(FrameFate Fate, SegmentReceived? Report)> StoreAsync(FrameHeader header, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        if (header.Kind != FrameKind.Segment) throw new FrameException("kind", "a segment", $"{header}");
        if (header.Round < Record.Version) return (FrameFate.Late, ReportOfLate(header, bytes));
        if (Record.Open is not { } open || header.Round > open.Round) return (FrameFate.Early, null);
        if (open.Participants.FirstOrDefault(p => p.Client == header.Client) is not { } participant)
        {
            // With a deadline others join a round that is open, and the frame of one may come before the word of it.
            return Plan.Deadline is not null ? (FrameFate.Early, null) : throw new FrameException("client", $"a participant of round {header.Round}", $"client {header.Client}");
        }
        if (header.Segment != participant.Segment || header.Segments != Plan.Exchange.Segments)
            throw new FrameException("segment", $"{participant.Segment}/{Plan.Exchange.Segments}", $"{header.Segment}/{header.Segments}");
        if (bytes.Length > open.FrameBytes) throw new FrameException("length", $"at most {open.FrameBytes} bytes, by exchange.budget", $"{bytes.Length}");
        if (header.BaseVersion != Record.Version) throw new FrameException("base version", $"{Record.Version}", $"{header.BaseVersion}");
        // With a deadline the plan that has a new client may come after the round that it takes part in.
        if (Plan.FindEnrolment(header.Client) is null) return (FrameFate.Early, null);
        var frame = Frame.Open(bytes, LayoutOf(header.Client));
        FrameSizes sizes = frame.Measure(); // Every chunk is checked before the frame is stored; a number that is not finite has no code.
        string digest = Frame.DigestOf(bytes.Span);
        var report = new SegmentReceived(Plan.Run, header.Round, header.Client, header.Segment, digest, sizes);
        if (Record.Frames.FirstOrDefault(f => f.Client == header.Client) is { } stored)
        {
            if (stored.Digest != digest) throw new FrameException("another frame of a client", $"the frame with digest {stored.Digest}", digest);
            return (FrameFate.Repeated, report);
        }
        if (Plan.Exchange.MaxNorm is { } limit && Aggregation.Norm(frame) is var norm && norm > limit)
            return (FrameFate.TooLarge, report with { Refused = FormattableString.Invariant($"norm: expected at most {limit} (exchange.max_norm), found {norm:g6}") });
        using Activity? span = RoundTrace.Start("store", Plan.Run, header.Round)?.SetTag(Instruments.Client, header.Client).SetTag(Instruments.Bytes, bytes.Length);
        _frames.Write(FrameFile(header.Round, header.Client), bytes);
        await _record.WriteAsync(Record with { Frames = [.. Record.Frames, new StoredFrame(header.Client, digest)] }, cancellation);
        return (FrameFate.Stored, report);
    }

    /// <summary>With a deadline the bytes of a late frame count; whether the client took part, the scheduler knows.</summary>
    private SegmentReceived? ReportOfLate(FrameHeader header, ReadOnlyMemory<byte> bytes) => Plan.Deadline is null
        ? null
        : new SegmentReceived(Plan.Run, header.Round, header.Client, header.Segment, Frame.DigestOf(bytes.Span), Frame.Open(bytes, LayoutOf(header.Client)).Measure());

    /// <summary>The reports of those of the clients whose frames of the open round are stored.</summary>
    public IReadOnlyList<SegmentReceived> StoredOf(int round, IReadOnlyList<int> clients)
    {
        if (Record.Open?.Round != round) return [];
        var reports = new List<SegmentReceived>();
        foreach (StoredFrame stored in Record.Frames.Where(frame => clients.Contains(frame.Client)))
        {
            Frame frame = Load(stored.Client, stored.Digest);
            reports.Add(new SegmentReceived(Plan.Run, round, stored.Client, frame.Header.Segment, stored.Digest, frame.Measure()));
        }
        return reports;
    }

    /// <summary>Eq. 2 over the accepted frames, then D = C(U + S), or their stack: the new version is durable when this returns. A round that is closed stays as it is.</summary>
    public async Task CloseRoundAsync(RoundClosed closed, CancellationToken cancellation)
    {
        if (closed.Round < Record.Version) return;
        if (closed.Round != Record.Version) throw new InvalidOperationException($"round {closed.Round} closed at version {Record.Version}");

        List<AcceptedFrame> accepted =
            [.. closed.Accepted.Select(a => new AcceptedFrame(a.Slot, Plan.EnrolmentOf(a.Client).Samples, Load(a.Client, a.Digest)))];
        float[] residual = [.. _serverResidual];
        byte[] change = _method.MergesIntoBase ? StackedChange.Write(Plan, closed.Round, accepted) : Sum(closed, accepted, residual);
        PublishedAdapter next = _published.Copy();
        next.Apply(change);
        FrameSizes sizes = _method.MergesIntoBase ? StackedChange.Sizes(accepted, change.Length) : Frame.Open(change, _layout).Measure();
        int[] coverage = Aggregation.Coverage(closed.Accepted.Select(a => a.Segment), Plan.Exchange.Segments);
        double norm = Math.Sqrt(residual.Sum(value => (double)value * value));
        var report = new RoundAggregated(Plan.Run, closed.Round, coverage, Frame.DigestOf(change), sizes, norm);

        _chain.Write(ChainFile(closed.Round), change);
        string checkpoint = $"checkpoint-{next.Version:d5}.bin";
        VectorFile.Write(_folder, checkpoint, new Checkpoint(next.Version), AggregatorJson.Default.Checkpoint, [.. next.Vectors, residual]);
        await _record.WriteAsync(Record with { Version = next.Version, Checkpoint = checkpoint, Report = report, Open = null, Frames = [] }, cancellation);
        (_published, _serverResidual) = (next, residual);
        foreach (string file in _folder.List("checkpoint-*.bin").Where(file => file != checkpoint)) _folder.Delete(file);
        foreach (string file in _frames.List("*.frame")) _frames.Delete(file);
    }

    /// <summary>D = C(U + S).</summary>
    /// <param name="closed">The round.</param>
    /// <param name="accepted">Its frames.</param>
    /// <param name="residual">S on entry, the new S on return.</param>
    private byte[] Sum(RoundClosed closed, List<AcceptedFrame> accepted, float[] residual)
    {
        double[] update;
        using (Instruments.Code("aggregate", Plan.Run, closed.Round, accepted.Sum(frame => (long)frame.Frame.Range.Length))) update = Aggregation.WeightedMean(accepted, _layout.Length, Plan.Exchange.Sums);
        var header = new FrameHeader(
            FrameKind.GlobalChange, Plan.Key, closed.Round, FrameHeader.Aggregator, Segment: 0, Segments: 1, Record.Version, (uint)_layout.Fingerprint);
        using Measured work = Instruments.Code("encode", Plan.Run, closed.Round, _layout.Length);
        byte[] change = Aggregation.Publish(header, _layout, update, residual, Plan.Exchange.Down(closed.KeepA, closed.KeepB), closed.FrameBytes);
        work.Span?.SetTag(Instruments.Bytes, change.Length);
        return change;
    }

    /// <summary>The last published change and its report; null before the first, and for another round.</summary>
    public (RoundAggregated Report, byte[] Change)? LastChange(int round) =>
        Record.Report is { } report && report.Round == round && ChangeOf(round) is { } change ? (report, change) : null;

    /// <summary>The frame of a published change, signed when asked so, or null.</summary>
    public byte[]? ChangeOf(int round, Func<byte[], byte[]>? sign = null)
    {
        if (round < 0 || round >= Record.Version) return null;
        if (sign is null) return _chain.Read(ChainFile(round));
        if (_chain.Read(SignedFile(round)) is { } known) return known;
        if (_chain.Read(ChainFile(round)) is not { } change) return null;
        byte[] signed = sign(change);
        _chain.Write(SignedFile(round), signed);
        return signed;
    }

    /// <summary>Remembers that the last change was published.</summary>
    public Task AnnouncedAsync(CancellationToken cancellation) => _record.WriteAsync(Record with { Announced = Record.Version }, cancellation);

    private Frame Load(int client, string digest)
    {
        string file = FrameFile(Record.Version, client);
        byte[] bytes = _frames.Read(file) ?? throw new StateFileException(_frames.FileAt(file), "the frame that was accepted", "no file");
        if (Frame.DigestOf(bytes) != digest) throw new StateFileException(_frames.FileAt(file), $"digest {digest}", Frame.DigestOf(bytes));
        return Frame.Open(bytes, LayoutOf(client));
    }

    private LoraLayout LayoutOf(int client) => Plan.Ranks is null ? _layout : Plan.ExchangedLayout(client);

    private static string FrameFile(int round, int client) => $"round-{round:d5}-client-{client:d5}.frame";

    private static string SignedFile(int round) => $"change-{round:d5}.signed";

    private static string ChainFile(int round) => $"change-{round:d5}.frame";
}
