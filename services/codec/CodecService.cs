using System.Collections.Concurrent;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Codec;

/// <summary>What a codec needs besides the bus.</summary>
/// <param name="Consumer">Its name on the bus, and its app id where it is a service of its own.</param>
/// <param name="SiteOf">The number of its site in a run; null for a run that it has no part in.</param>
/// <param name="Keep">Is given every accepted change before sparsification, or null; a change may come again after a crash.</param>
/// <param name="FetchChange">Asks the aggregator for the frame of a published change that was missed: (run, round); null where nobody can be asked.</param>
public sealed record CodecOptions(
    string Consumer, Func<RunPlan, int?> SiteOf, Action<AcceptedChange>? Keep = null, Func<string, int, CancellationToken, Task<byte[]?>>? FetchChange = null);

/// <summary>
/// A site's gateway to the broker: holds the site's copy of the published adapter and each client's residuals, encodes upward, decodes downward.
/// One download serves all clients of the site.
/// </summary>
public sealed class CodecService : ISiteCodec, IDisposable
{
    /// <summary>How long a version may be on its way.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);

    private readonly IMessageBus _bus;
    private readonly SitePlacement _place;
    private readonly CodecOptions _options;
    private readonly ConcurrentDictionary<ulong, SiteRun> _runs = new();
    private readonly SemaphoreSlim _opening = new(1, 1), _catchingUp = new(1, 1);
    private readonly StateSignal _signal = new();

    /// <summary>Subscribes to rounds and global changes.</summary>
    /// <param name="bus">The bus, not yet started.</param>
    /// <param name="store">Where it is written what counts.</param>
    /// <param name="folder">Where the site's copy, residuals and outbox live.</param>
    /// <param name="options">The rest.</param>
    public CodecService(IMessageBus bus, IStateStore store, DurableFolder folder, CodecOptions options)
    {
        (_bus, _options, _place) = (bus, options, new SitePlacement(store, folder, options.SiteOf, options.Keep));
        bus.Subscribe(Topics.Rounds, options.Consumer, HandleRoundAsync);
        bus.Subscribe(Topics.Global, options.Consumer, HandleGlobalAsync);
    }

    /// <summary>Messages that were refused, or came early or again.</summary>
    public Refusals Refused { get; init; } = new();

    /// <summary>Frames whose fate no closing message has told yet.</summary>
    public int Unsettled => _runs.Values.Sum(run => run.Unsettled);

    /// <inheritdoc/>
    public async Task<ReadOnlyMemory<float>> GetPublishedAsync(string run, int version, int? client, CancellationToken cancellation) =>
        await ReadPublishedAsync(run, version, client, Range.All, cancellation);

    /// <inheritdoc/>
    public async Task SubmitAsync(string run, LocalUpdate update, CancellationToken cancellation)
    {
        SiteRun site = await _signal.WaitForAsync(
            async () => await FindAsync(FrameHeader.KeyOf(run), cancellation) is { } found && await found.IsReadyForAsync(update, cancellation) ? found : null, cancellation);
        // What has begun is not left half done by a caller that goes away.
        (byte[]? frame, bool isLate) = await ForgetOnConflictAsync(site.Plan.Key, () => site.EncodeAsync(update, CancellationToken.None));
        if (isLate) Refused.Count("late", $"run {run}, round {update.Round}, client {update.Client}");
        if (frame is not null) await _bus.PublishAsync(Topics.Segments, $"{run}/{update.Client}", frame, CancellationToken.None);
    }

    /// <summary>Part of Q^version of the exchanged vector; waits until the site has received that version.</summary>
    /// <exception cref="VersionPassedException">The site is past that version: the round is over.</exception>
    internal async Task<float[]> ReadPublishedAsync(string run, int version, int? client, Range part, CancellationToken cancellation)
    {
        while (true)
        {
            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            waiting.CancelAfter(_patience);
            try
            {
                return await _signal.WaitForAsync(
                    async () => await FindAsync(FrameHeader.KeyOf(run), waiting.Token) is { } found ? await found.PublishedAtAsync(version, client, part, waiting.Token) : null, waiting.Token);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                await CatchUpAsync(run, version, cancellation);
            }
        }
    }

    /// <summary>A run that has been opened here; waits until it is.</summary>
    internal Task<SiteRun> GetRunAsync(string run, CancellationToken cancellation) =>
        _signal.WaitForAsync(() => FindAsync(FrameHeader.KeyOf(run), cancellation), cancellation);

    private async Task<Verdict> HandleRoundAsync(BusMessage message, CancellationToken cancellation)
    {
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
        SiteRun? run = round is RunOpened opened ? await OpenAsync(opened.Plan, cancellation) : await FindAsync(FrameHeader.KeyOf(round.Run), cancellation);
        if (run is null) return Verdict.Retry;
        switch (round)
        {
            case RunOpened { Plan: var plan }:
                // Hosted clients may have come: what is in memory is made anew.
                if (await ForgetOnConflictAsync(plan.Key, () => run.GrowAsync(plan, cancellation))) _runs.TryRemove(plan.Key, out _);
                break;
            case RoundOpened open:
                await ForgetOnConflictAsync(run.Plan.Key, () => run.OpenRoundAsync(open, cancellation));
                break;
            case RoundClosed closed:
                await ForgetOnConflictAsync(run.Plan.Key, () => run.CloseRoundAsync(closed, cancellation));
                break;
            case Reminder reminder when _options.SiteOf(run.Plan) is { } site && reminder.Sites.Contains(site):
                if (run.Version == reminder.Round + 1) await ReportAsync(run, site, run.Version, run.Received, cancellation);
                else await CatchUpAsync(run, site, reminder.Round, cancellation);
                break;
        }
        _signal.Raise();
        return Verdict.Success;
    }

    private async Task<Verdict> HandleGlobalAsync(BusMessage message, CancellationToken cancellation)
    {
        try
        {
            FrameHeader header = Frame.ReadHeader(message.Payload.Span);
            if (await FindAsync(header.RunKey, cancellation) is not { } run) return Verdict.Retry;
            if (_options.SiteOf(run.Plan) is not { } site) return Verdict.Success; // A run of other sites.
            bool isKnown = header.BaseVersion < run.Version;
            if (!await ForgetOnConflictAsync(header.RunKey, () => run.ApplyAsync(header, message.Payload, cancellation)))
            {
                Refused.Count("early", $"{header}, {message.From}");
                return Verdict.Retry;
            }
            if (isKnown) Refused.Count("repeated", $"{header}, {message.From}");
            _signal.Raise();
            await ReportAsync(run, site, header.BaseVersion + 1, message.Payload.Length, cancellation);
            return Verdict.Success;
        }
        catch (FrameException exception)
        {
            return Refused.Drop(exception.Field, $"{exception.Message}; {message.From}");
        }
    }

    /// <summary>With a deadline the scheduler does not wait for this site: a version that is needed here and does not come is asked for here.</summary>
    private async Task CatchUpAsync(string run, int version, CancellationToken cancellation)
    {
        try
        {
            if (await FindAsync(FrameHeader.KeyOf(run), cancellation) is { Plan.Deadline: not null } found && _options.SiteOf(found.Plan) is { } site)
                await CatchUpAsync(found, site, version - 1, cancellation);
        }
        catch (IOException)
        {
            // The aggregator cannot be reached, or another message changed the run: the wait goes on.
        }
    }

    /// <summary>Asks the aggregator for the changes up to a round that the site has missed, and says that it holds them.</summary>
    private async Task CatchUpAsync(SiteRun run, int site, int round, CancellationToken cancellation)
    {
        // One at a time: what one participant waits for, the others wait for too.
        await _catchingUp.WaitAsync(cancellation);
        try
        {
            while (run.Version <= round)
            {
                int missing = run.Version;
                if (_options.FetchChange is null || await _options.FetchChange(run.Plan.Run, missing, cancellation) is not { } change) return;
                await ForgetOnConflictAsync(run.Plan.Key, () => run.ApplyAsync(Frame.ReadHeader(change), change, cancellation));
                _signal.Raise();
                if (run.Version == missing) return;
                await ReportAsync(run, site, missing + 1, change.Length, cancellation);
            }
        }
        finally
        {
            _catchingUp.Release();
        }
    }

    private Task ReportAsync(SiteRun run, int site, int version, long bytes, CancellationToken cancellation)
    {
        var report = new SiteUpdated(run.Plan.Run, site, version, bytes);
        return _bus.PublishAsync(Topics.Reports, report.Run, ProtocolJson.Write(report), cancellation);
    }

    private async Task<SiteRun> OpenAsync(RunPlan plan, CancellationToken cancellation)
    {
        if (_runs.TryGetValue(plan.Key, out SiteRun? known)) return known;
        await _opening.WaitAsync(cancellation);
        try
        {
            if (!_runs.TryGetValue(plan.Key, out SiteRun? run)) _runs[plan.Key] = run = await SiteRun.OpenAsync(plan, _place, cancellation);
            return run;
        }
        finally
        {
            _opening.Release();
        }
    }

    private async Task<SiteRun?> FindAsync(ulong key, CancellationToken cancellation)
    {
        if (_runs.TryGetValue(key, out SiteRun? known)) return known;
        await _opening.WaitAsync(cancellation);
        try
        {
            if (_runs.TryGetValue(key, out SiteRun? run)) return run;
            run = await SiteRun.FindAsync(key, _place, cancellation);
            if (run is not null) _runs[key] = run;
            return run;
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <summary>Lets go of a run whose records another process has changed: it is read anew when it is needed next.</summary>
    private async Task<T> ForgetOnConflictAsync<T>(ulong key, Func<Task<T>> act)
    {
        try
        {
            return await act();
        }
        catch (StateConflictException)
        {
            _runs.TryRemove(key, out _);
            throw;
        }
    }

    private Task ForgetOnConflictAsync(ulong key, Func<Task> act) => ForgetOnConflictAsync(key, async () =>
    {
        await act();
        return true;
    });

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SiteRun run in _runs.Values) run.Dispose();
        _opening.Dispose();
        _catchingUp.Dispose();
    }
}
