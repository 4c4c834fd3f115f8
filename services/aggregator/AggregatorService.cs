using System.Collections.Concurrent;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Aggregator;

/// <summary>
/// Owns the published adapter: stores frames as they come, sums the accepted ones when the round closes, publishes the change and keeps what did
/// not fit.
/// </summary>
public sealed class AggregatorService : IDisposable
{
    private readonly IMessageBus _bus;
    private readonly DurableFolder _folder;
    private readonly Action<RunPlan, float[]> _writeAdapter;
    private readonly Dictionary<ulong, AggregatedRun> _runs = [];
    private readonly ConcurrentDictionary<string, long> _refused = new();
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>Subscribes to rounds and segments.</summary>
    /// <param name="bus">The bus, not yet started.</param>
    /// <param name="folder">Where frames and checkpoints live.</param>
    /// <param name="writeAdapter">Writes a finished run's whole adapter, atomically; may be called again with the same.</param>
    public AggregatorService(IMessageBus bus, DurableFolder folder, Action<RunPlan, float[]> writeAdapter)
    {
        (_bus, _folder, _writeAdapter) = (bus, folder, writeAdapter);
        bus.Subscribe(Topics.Rounds, "aggregator", HandleRoundAsync);
        bus.Subscribe(Topics.Segments, "aggregator", HandleSegmentAsync);
    }

    /// <summary>Frames that were refused or came late, by reason.</summary>
    public IReadOnlyDictionary<string, long> Refused => _refused;

    private async Task<Verdict> HandleRoundAsync(BusMessage message, CancellationToken cancellation)
    {
        RoundMessage round;
        try
        {
            round = ProtocolJson.ReadRound(message.Payload.Span);
        }
        catch (MessageException)
        {
            return Refuse("malformed message");
        }
        await _turn.WaitAsync(cancellation);
        try
        {
            if (round is RunOpened opened && !_runs.ContainsKey(opened.Plan.Key))
                _runs.Add(opened.Plan.Key, AggregatedRun.Open(opened.Plan, _folder.Folder(opened.Run)));
            if (!_runs.TryGetValue(FrameHeader.KeyOf(round.Run), out AggregatedRun? run)) return Verdict.Retry;
            foreach (ReportMessage report in Handle(run, round, out byte[]? change))
            {
                if (change is not null) await _bus.PublishAsync(Topics.Global, round.Run, change, cancellation);
                change = null;
                await ReportAsync(report, cancellation);
            }
            return Verdict.Success;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>What a scheduler's message makes the aggregator answer; the same message again gives the same answer.</summary>
    private IReadOnlyList<ReportMessage> Handle(AggregatedRun run, RoundMessage message, out byte[]? change)
    {
        change = null;
        switch (message)
        {
            case RoundOpened opened:
                return run.OpenRound(opened);
            case RoundClosed closed:
                if (run.CloseRound(closed) is not { } aggregated) return [];
                change = aggregated.Change;
                return [aggregated.Report];
            case RunEnding ending:
                _writeAdapter(run.Plan, run.WholeAdapter());
                return [new AdapterWritten(run.Plan.Run, ending.Version, run.Digest())];
            default:
                return [];
        }
    }

    private async Task<Verdict> HandleSegmentAsync(BusMessage message, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            FrameHeader header = Frame.ReadHeader(message.Payload.Span);
            if (!_runs.TryGetValue(header.RunKey, out AggregatedRun? run)) return Verdict.Retry;
            switch (run.Store(header, message.Payload, out SegmentStored? report))
            {
                case FrameFate.Early:
                    return Verdict.Retry;
                case FrameFate.Late:
                    _refused.AddOrUpdate("late", 1, (_, count) => count + 1);
                    return Verdict.Success;
                default:
                    await ReportAsync(report!, cancellation);
                    return Verdict.Success;
            }
        }
        catch (FrameException exception)
        {
            return Refuse(exception.Field);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    private Verdict Refuse(string reason)
    {
        _refused.AddOrUpdate(reason, 1, (_, count) => count + 1);
        return Verdict.Drop;
    }

    private Task ReportAsync(ReportMessage report, CancellationToken cancellation) =>
        _bus.PublishAsync(Topics.Reports, report.Run, ProtocolJson.Write(report), cancellation);
}
