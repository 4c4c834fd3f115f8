using System.Runtime.InteropServices;
using System.Text.Json.Serialization;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Aggregator;

/// <summary>What became of a received frame.</summary>
internal enum FrameFate
{
    /// <summary>Durable, now or before.</summary>
    Stored,

    /// <summary>Its round has not been opened here yet.</summary>
    Early,

    /// <summary>Its round is closed: the sender keeps the change as residual.</summary>
    Late,
}

/// <summary>
/// One run at the aggregator: Q^t and S in <c>checkpoint.bin</c>, the open round's frames in <c>frames/</c>, the published chain in <c>chain/</c>.
/// Everything is durable before it is told to anyone.
/// </summary>
internal sealed class AggregatedRun
{
    private const string CheckpointFile = "checkpoint.bin";

    private readonly DurableFolder _folder, _frames, _chain;
    private readonly FederatedMethod _method;
    private readonly LoraLayout _adapter, _layout;
    private PublishedAdapter _published;
    private float[] _serverResidual;
    private RoundOpened? _open;
    private RoundAggregated? _lastReport;

    private AggregatedRun(RunPlan plan, DurableFolder folder)
    {
        Plan = plan;
        _folder = folder;
        _frames = folder.Folder("frames");
        _chain = folder.Folder("chain");
        _method = plan.FederatedMethod;
        _adapter = plan.AdapterLayout();
        _layout = _method.ExchangedLayout(_adapter);
        if (VectorFile.TryRead(folder, CheckpointFile, CheckpointJson.Default.Checkpoint, out Checkpoint checkpoint, out float[][] vectors))
        {
            _published = new PublishedAdapter(plan.Key, _layout, checkpoint.Version, vectors[0]);
            _serverResidual = vectors[1];
            _lastReport = checkpoint.Report;
        }
        else
        {
            _published = new PublishedAdapter(plan.Key, _layout, 0, _method.InitialReference(_adapter, plan.Seed));
            _serverResidual = new float[_layout.Length];
        }
    }

    public RunPlan Plan { get; }

    public static AggregatedRun Open(RunPlan plan, DurableFolder folder)
    {
        plan.Validate();
        return new AggregatedRun(plan, folder);
    }

    /// <summary>Q as the whole adapter.</summary>
    public float[] WholeAdapter() => _method.WholeAdapter(_adapter, Plan.Seed, _published.Values.Span);

    /// <summary>Digest of Q.</summary>
    public string Digest() => Frame.DigestOf(MemoryMarshal.AsBytes(_published.Values.Span));

    /// <summary>Accepts frames of the round from now on, and reports those that are stored already.</summary>
    public IReadOnlyList<SegmentStored> OpenRound(RoundOpened opened)
    {
        if (opened.Round != _published.Version) return [];
        _open = opened;
        var stored = new List<SegmentStored>();
        foreach (Participant participant in opened.Participants)
        {
            if (_frames.Read(FrameFile(opened.Round, participant.Client)) is not { } bytes) continue;
            var frame = Frame.Open(bytes, _layout);
            stored.Add(Report(bytes, frame.Header, frame.Measure()));
        }
        return stored;
    }

    /// <summary>Checks a frame against the open round and stores it.</summary>
    /// <exception cref="FrameException">The frame is not what this participant was asked for; nothing was stored.</exception>
    public FrameFate Store(FrameHeader header, ReadOnlyMemory<byte> bytes, out SegmentStored? report)
    {
        report = null;
        if (header.Kind != FrameKind.Segment) throw new FrameException("kind", "a segment", $"{header}");
        if (header.Round < _published.Version) return FrameFate.Late;
        if (_open is null || header.Round > _open.Round) return FrameFate.Early;
        Participant participant = _open.Participants.FirstOrDefault(p => p.Client == header.Client)
            ?? throw new FrameException("client", $"a participant of round {header.Round}", $"client {header.Client}");
        if (header.Segment != participant.Segment || header.Segments != Plan.Exchange.Segments)
            throw new FrameException("segment", $"{participant.Segment}/{Plan.Exchange.Segments}", $"{header.Segment}/{header.Segments}");
        if (header.BaseVersion != _published.Version) throw new FrameException("base version", $"{_published.Version}", $"{header.BaseVersion}");
        var frame = Frame.Open(bytes, _layout);
        FrameSizes sizes = frame.Measure(); // Every chunk is checked before the frame is stored.
        string file = FrameFile(header.Round, header.Client);
        if (_frames.Read(file) is { } stored)
        {
            if (!bytes.Span.SequenceEqual(stored))
                throw new FrameException("duplicate", $"the frame with digest {Frame.DigestOf(stored)}", Frame.DigestOf(bytes.Span));
        }
        else
        {
            _frames.Write(file, bytes);
        }
        report = Report(bytes.Span, frame.Header, sizes);
        return FrameFate.Stored;
    }

    /// <summary>Eq. 2 over the accepted frames, then D = C(U + S): the new version is durable when this returns.</summary>
    /// <returns>The report and D's frame; null for a round before the last, which every site has.</returns>
    public (RoundAggregated Report, byte[] Change)? CloseRound(RoundClosed closed)
    {
        if (closed.Round < _published.Version - 1) return null;
        if (closed.Round == _published.Version - 1 && _lastReport is { } last) return (last, _chain.Read(ChainFile(closed.Round))!);
        if (closed.Round != _published.Version) throw new InvalidOperationException($"round {closed.Round} closed at version {_published.Version}");

        List<AcceptedFrame> accepted = [.. closed.Accepted.Select(Load)];
        double[] update = _method.Aggregate(accepted, _layout.Length);
        float[] residual = [.. _serverResidual];
        var header = new FrameHeader(
            FrameKind.GlobalChange, Plan.Key, closed.Round, FrameHeader.Aggregator, Segment: 0, Segments: 1, _published.Version, (uint)_layout.Fingerprint);
        byte[] change = Aggregation.Publish(header, _layout, update, residual, new Compression(closed.KeepA, closed.KeepB, Plan.Exchange.Values, Plan.Exchange.Coding));

        var next = new PublishedAdapter(Plan.Key, _layout, _published.Version, _published.Values.ToArray());
        next.Apply(change);
        int[] coverage = Aggregation.Coverage(closed.Accepted.Select(a => a.Segment), Plan.Exchange.Segments);
        double norm = Math.Sqrt(residual.Sum(value => (double)value * value));
        var report = new RoundAggregated(Plan.Run, closed.Round, coverage, Frame.DigestOf(change), Frame.Open(change, _layout).Measure(), norm);

        _chain.Write(ChainFile(closed.Round), change);
        VectorFile.Write(_folder, CheckpointFile, new Checkpoint(next.Version, report), CheckpointJson.Default.Checkpoint, next.Values, residual);
        (_published, _serverResidual, _lastReport, _open) = (next, residual, report, null);
        foreach (string file in _frames.List("*.frame")) _frames.Delete(file);
        return (report, change);
    }

    private AcceptedFrame Load(AcceptedSegment accepted)
    {
        string file = FrameFile(_published.Version, accepted.Client);
        byte[] bytes = _frames.Read(file) ?? throw new StateFileException(_frames.FileAt(file), "the frame that was accepted", "no file");
        if (Frame.DigestOf(bytes) != accepted.Digest) throw new StateFileException(_frames.FileAt(file), $"digest {accepted.Digest}", Frame.DigestOf(bytes));
        return new AcceptedFrame(accepted.Slot, Plan.Roster[accepted.Client].Samples, Frame.Open(bytes, _layout));
    }

    private SegmentStored Report(ReadOnlySpan<byte> bytes, FrameHeader header, FrameSizes sizes) =>
        new(Plan.Run, header.Round, header.Client, header.Segment, Frame.DigestOf(bytes), sizes);

    private static string FrameFile(int round, int client) => $"round-{round:d5}-client-{client:d5}.frame";

    private static string ChainFile(int round) => $"change-{round:d5}.frame";
}

/// <summary>Header of the checkpoint; its vectors are Q and S.</summary>
/// <param name="Version">t of Q^t.</param>
/// <param name="Report">The report of the round that made it.</param>
internal sealed record Checkpoint(int Version, RoundAggregated Report);

/// <summary>The checkpoint's JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Checkpoint))]
internal sealed partial class CheckpointJson : JsonSerializerContext;
