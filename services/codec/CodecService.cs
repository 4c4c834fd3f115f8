using System.Collections.Concurrent;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Codec;

/// <summary>
/// A site's gateway to the broker: holds the site's copy of the published adapter and each client's residuals, encodes upward, decodes downward.
/// One download serves all clients of the site.
/// </summary>
public sealed class CodecService : ISiteCodec
{
    private readonly IMessageBus _bus;
    private readonly DurableFolder _folder;
    private readonly int _site;
    private readonly Action<AcceptedChange>? _keep;
    private readonly ConcurrentDictionary<string, SiteRun> _runs = new();
    private readonly ConcurrentDictionary<string, long> _refused = new();
    private readonly StateSignal _signal = new();

    /// <summary>Subscribes to rounds and global changes.</summary>
    /// <param name="bus">The bus, not yet started.</param>
    /// <param name="folder">Where the site's copy, residuals and outbox live.</param>
    /// <param name="site">Number of the site.</param>
    /// <param name="keep">Is given every accepted change before sparsification, or null; a change may come again after a crash.</param>
    public CodecService(IMessageBus bus, DurableFolder folder, int site, Action<AcceptedChange>? keep = null)
    {
        (_bus, _folder, _site, _keep) = (bus, folder, site, keep);
        bus.Subscribe(Topics.Rounds, $"codec-{site}", HandleRoundAsync);
        bus.Subscribe(Topics.Global, $"codec-{site}", HandleGlobalAsync);
    }

    /// <summary>Global frames that were refused, by reason.</summary>
    public IReadOnlyDictionary<string, long> Refused => _refused;

    /// <inheritdoc/>
    public async Task<ReadOnlyMemory<float>> GetPublishedAsync(string run, int version, CancellationToken cancellation)
    {
        float[] values = await _signal.WaitForAsync(() => Find(run)?.PublishedAt(version), cancellation);
        return values;
    }

    /// <inheritdoc/>
    public async Task SubmitAsync(string run, LocalUpdate update, CancellationToken cancellation)
    {
        SiteRun site = await _signal.WaitForAsync(() => Find(run) is { } found && found.IsReadyFor(update) ? found : null, cancellation);
        if (site.Encode(update) is { } frame) await _bus.PublishAsync(Topics.Segments, $"{run}/{update.Client}", frame, cancellation);
    }

    private SiteRun? Find(string run) => _runs.GetValueOrDefault(run);

    private Task<Verdict> HandleRoundAsync(BusMessage message, CancellationToken cancellation)
    {
        RoundMessage round;
        try
        {
            round = ProtocolJson.ReadRound(message.Payload.Span);
        }
        catch (MessageException)
        {
            return Task.FromResult(Refuse("malformed message"));
        }
        if (round is RunOpened opened && Find(opened.Run) is null) _runs[opened.Run] = new SiteRun(opened.Plan, _folder.Folder(opened.Run), _keep);
        if (Find(round.Run) is not { } run) return Task.FromResult(Verdict.Retry);
        if (round is RoundOpened open) run.OpenRound(open);
        if (round is RoundClosed closed) run.CloseRound(closed);
        _signal.Raise();
        return Task.FromResult(Verdict.Success);
    }

    private async Task<Verdict> HandleGlobalAsync(BusMessage message, CancellationToken cancellation)
    {
        try
        {
            FrameHeader header = Frame.ReadHeader(message.Payload.Span);
            if (_runs.Values.FirstOrDefault(r => r.Plan.Key == header.RunKey) is not { } run) return Verdict.Retry;
            if (header.BaseVersion > run.Version) return Verdict.Retry;
            if (header.BaseVersion == run.Version) run.Apply(message.Payload);
            _signal.Raise();
            var report = new SiteUpdated(run.Plan.Run, _site, header.BaseVersion + 1, message.Payload.Length);
            await _bus.PublishAsync(Topics.Reports, report.Run, ProtocolJson.Write(report), cancellation);
            return Verdict.Success;
        }
        catch (FrameException exception)
        {
            return Refuse(exception.Field);
        }
    }

    private Verdict Refuse(string reason)
    {
        _refused.AddOrUpdate(reason, 1, (_, count) => count + 1);
        return Verdict.Drop;
    }
}
