using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;

namespace EcoLora.Services.Aggregator;

/// <summary>Writes what a finished run comes to, atomically; may be called again with the same.</summary>
/// <param name="plan">The run.</param>
/// <param name="outcome">The whole adapter, or the change of the base.</param>
/// <param name="chain">The published chain, read from the disk as it is enumerated.</param>
public delegate void AdapterWriter(RunPlan plan, float[] outcome, IEnumerable<byte[]> chain);

/// <summary>
/// Owns the published adapter: stores frames as they come, sums the accepted ones when the round closes, publishes the change and keeps what did
/// not fit.
/// </summary>
public sealed class AggregatorService : IDisposable
{
    private readonly IMessageBus _bus;
    private readonly IStateStore _store;
    private readonly DurableFolder _folder;
    private readonly AdapterWriter _writeAdapter;
    private readonly Dictionary<ulong, AggregatedRun> _runs = [];
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>Subscribes to rounds and segments.</summary>
    /// <param name="bus">The bus, not yet started.</param>
    /// <param name="store">Where it is written what counts.</param>
    /// <param name="folder">Where frames and checkpoints live.</param>
    /// <param name="writeAdapter">Writes what a finished run comes to.</param>
    public AggregatorService(IMessageBus bus, IStateStore store, DurableFolder folder, AdapterWriter writeAdapter)
    {
        (_bus, _store, _folder, _writeAdapter) = (bus, store, folder, writeAdapter);
        bus.Subscribe(Topics.Rounds, "aggregator", HandleRoundAsync);
        bus.Subscribe(Topics.Segments, "aggregator", HandleSegmentAsync);
    }

    /// <summary>Frames that were refused, or came late, early or again.</summary>
    public Refusals Refused { get; init; } = new();

    /// <summary>The frame of a published change, for a site that has missed it; null where there is none.</summary>
    /// <param name="run">The run's name.</param>
    /// <param name="round">The round that made the change.</param>
    /// <param name="sign">Signs it, or null; what was signed once stays, since a site asks for it in pieces.</param>
    /// <param name="cancellation">Ends waiting for one's turn.</param>
    public async Task<byte[]?> ChangeAsync(string run, int round, Func<byte[], byte[]>? sign, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            return (await FindAsync(FrameHeader.KeyOf(run), cancellation))?.ChangeOf(round, sign);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<Verdict> HandleRoundAsync(BusMessage message, CancellationToken cancellation)
    {
        if (Authorship.RefusalOfHubMessage(message.Signer) is { } refusal) return Refused.Drop(refusal, message.From);
        RoundMessage round;
        try
        {
            round = ProtocolJson.ReadRound(message.Payload.Span);
        }
        catch (MessageException)
        {
            return Refused.Drop("malformed message", message.From);
        }
        if (round is RunAnnounced) return Verdict.Success;
        await _turn.WaitAsync(cancellation);
        try
        {
            AggregatedRun? run = await FindAsync(FrameHeader.KeyOf(round.Run), cancellation);
            if (run is null && round is RunOpened opened)
                _runs.Add(opened.Plan.Key, run = await AggregatedRun.OpenAsync(opened.Plan, _store, _folder, cancellation));
            if (run is null) return Verdict.Retry;
            await HandleAsync(run, round, cancellation);
            return Verdict.Success;
        }
        catch (StateConflictException)
        {
            // What is in memory is behind what is stored; the message comes again to what is read anew.
            _runs.Remove(FrameHeader.KeyOf(round.Run));
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>What a scheduler's message makes the aggregator do; the same message again changes nothing.</summary>
    private async Task HandleAsync(AggregatedRun run, RoundMessage message, CancellationToken cancellation)
    {
        switch (message)
        {
            case RunOpened opened:
                await run.GrowAsync(opened.Plan, cancellation);
                break;
            case RoundOpened opened:
                await run.OpenRoundAsync(opened, cancellation);
                break;
            case RoundClosed closed:
                await run.CloseRoundAsync(closed, cancellation);
                if (run.IsUnannounced) await AnnounceAsync(run, closed.Round, cancellation);
                break;
            case RunEnding ending:
                _writeAdapter(run.Plan, run.Outcome(), run.Chain());
                await ReportAsync(new AdapterWritten(run.Plan.Run, ending.Version, run.Digest()), cancellation);
                break;
            case Reminder reminder:
                foreach (SegmentReceived stored in run.StoredOf(reminder.Round, reminder.Clients)) await ReportAsync(stored, cancellation);
                if (reminder.Change) await AnnounceAsync(run, reminder.Round, cancellation);
                break;
        }
    }

    private async Task AnnounceAsync(AggregatedRun run, int round, CancellationToken cancellation)
    {
        if (run.LastChange(round) is not { } last) return;
        await _bus.PublishAsync(Topics.Global, run.Plan.Run, last.Change, cancellation);
        await ReportAsync(last.Report, cancellation);
        await run.AnnouncedAsync(cancellation);
    }

    private async Task<Verdict> HandleSegmentAsync(BusMessage message, CancellationToken cancellation)
    {
        FrameHeader header;
        try
        {
            header = Frame.ReadHeader(message.Payload.Span);
        }
        catch (FrameException exception)
        {
            return Refused.Drop(exception.Field, $"{exception.Message}; {message.From}");
        }
        string about = $"{header}, {message.From}";
        await _turn.WaitAsync(cancellation);
        try
        {
            if (await FindAsync(header.RunKey, cancellation) is not { } run)
            {
                Refused.Count("unknown run", about);
                return Verdict.Retry;
            }
            about = $"run {run.Plan.Run}, {about}";
            if (Authorship.RefusalOf(header, run.Plan, message.Signer) is { } refusal) return Refused.Drop(refusal, about);
            (FrameFate fate, SegmentReceived? report) = await run.StoreAsync(header, message.Payload, cancellation);
            switch (fate)
            {
                case FrameFate.Early:
                    Refused.Count("early", about);
                    return Verdict.Retry;
                case FrameFate.Late:
                    Refused.Count("late", about);
                    if (report is not null) await ReportAsync(report, cancellation);
                    return Verdict.Success;
                case FrameFate.TooLarge:
                    await ReportAsync(report!, cancellation);
                    return Refused.Drop("norm", $"{report!.Refused}; {about}");
                default:
                    if (fate == FrameFate.Repeated) Refused.Count("repeated", about);
                    await ReportAsync(report!, cancellation);
                    return Verdict.Success;
            }
        }
        catch (FrameException exception)
        {
            return Refused.Drop(exception.Field, $"{exception.Message}; {about}");
        }
        catch (StateConflictException)
        {
            _runs.Remove(header.RunKey);
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<AggregatedRun?> FindAsync(ulong key, CancellationToken cancellation)
    {
        if (_runs.TryGetValue(key, out AggregatedRun? run)) return run;
        run = await AggregatedRun.FindAsync(key, _store, _folder, cancellation);
        if (run is not null) _runs.Add(key, run);
        return run;
    }

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    private Task ReportAsync(ReportMessage report, CancellationToken cancellation) =>
        _bus.PublishAsync(Topics.Reports, report.Run, ProtocolJson.Write(report), cancellation);
}
