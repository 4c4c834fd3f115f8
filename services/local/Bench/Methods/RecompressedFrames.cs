using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Local.Runs;
using EcoLora.Services.Scheduler;
using EcoLora.Services.Trainer;
using EcoLora.Telemetry;

namespace EcoLora.Local.Bench;

/// <summary>What a general compressor would make of a finished run's frames: each frame, as it was on the bus, compressed by itself. What the receivers get stays the same, and so does every loss.</summary>
internal sealed class RecompressedFrames
{
    private readonly string _folder;
    private readonly RunPlan _plan;
    private readonly IByteCompressor _compressor;
    private readonly Dictionary<int, RoundClosed> _closed;

    /// <summary>Reads which frames there were.</summary>
    /// <param name="file">The run.</param>
    /// <param name="folder">Its folder, made with <c>--keep-updates</c>.</param>
    /// <param name="compressor">The compressor.</param>
    public RecompressedFrames(RunFile file, string folder, IByteCompressor compressor)
    {
        (_folder, _compressor) = (folder, compressor);
        _plan = RunInput.Load(file).Plan(file.Name, file.Exchange);
        string journal = Path.Combine(folder, "state", _plan.Run, "scheduler", _plan.Run + ".journal.jsonl");
        _closed = Journal.Read(journal).OfType<Decided>().Select(entry => entry.Message).OfType<RoundClosed>().ToDictionary(closed => closed.Round);
    }

    /// <summary>Bytes of a round: its accepted segments, and its change once for every delivery.</summary>
    public (long Up, long Down) Of(RoundReport round)
    {
        byte[] change = File.ReadAllBytes(Path.Combine(_folder, "state", _plan.Run, "aggregator", _plan.Run, "chain", $"change-{round.Round:d5}.frame"));
        return (_closed[round.Round].Accepted.Sum(accepted => Size(FrameOf(round.Round, accepted))), round.Bytes.Down.Messages * Size(change));
    }

    /// <summary>Encodes a kept update again; the digest that the aggregator reported says that it is the frame that was sent.</summary>
    private byte[] FrameOf(int round, AcceptedSegment accepted)
    {
        string file = Path.Combine(_folder, KeptUpdate.Folder, KeptUpdate.NameOf(round, accepted.Client));
        LoraLayout layout = _plan.ExchangedLayout(accepted.Client);
        ExchangeOptions exchange = _plan.Exchange;
        var header = new FrameHeader(FrameKind.Segment, _plan.Key, round, accepted.Client, accepted.Segment, exchange.Segments, round, (uint)layout.Fingerprint);
        byte[] frame = FrameEncoder.Encode(header, layout, KeptUpdate.Read(file, layout, header.Range(layout)), exchange.Up(exchange.KMax, exchange.KMax));
        string digest = Frame.DigestOf(frame);
        return digest == accepted.Digest ? frame : throw new FormatException($"{file}: expected the update of the frame {accepted.Digest}, found that of {digest}");
    }

    private long Size(byte[] frame)
    {
        byte[] compressed = new byte[_compressor.MaximumSize(frame.Length)], again = new byte[frame.Length];
        int size = _compressor.Compress(frame, compressed);
        _compressor.Decompress(compressed.AsSpan(0, size), again);
        return again.AsSpan().SequenceEqual(frame) ? size : throw new InvalidOperationException("the compressor gave other bytes back");
    }
}
