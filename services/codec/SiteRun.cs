using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Telemetry;
using Participant = EcoLora.Federation.Participant;

namespace EcoLora.Services.Codec;

/// <summary>Where a site keeps its runs.</summary>
/// <param name="Store">What counts.</param>
/// <param name="Root">The tensors.</param>
/// <param name="SiteOf">The number of the site in a run.</param>
/// <param name="Keep">Is given every accepted change, or null.</param>
internal sealed record SitePlacement(IStateStore Store, DurableFolder Root, Func<RunPlan, int?> SiteOf, Action<AcceptedChange>? Keep);

/// <summary>
/// One run at a site. Records in the state store say what counts (the version, each client's outbox and residuals); the volume holds the tensors that they name:
/// the site's copy of Q^t, a residual per client and segment, and frames whose fate no closing message has told yet.
/// </summary>
internal sealed partial class SiteRun : IDisposable
{
    private readonly DurableFolder _folder;
    private readonly LoraLayout _layout;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly StateRecord<SiteRecord> _record;
    private readonly Dictionary<int, StateRecord<ClientRecord>> _clients;
    private PublishedAdapter _published;
    private readonly Action<AcceptedChange>? _keep;

    private SiteRun(StateRecord<SiteRecord> record, Dictionary<int, StateRecord<ClientRecord>> clients, DurableFolder folder, Action<AcceptedChange>? keep)
    {
        (_record, _clients, _folder, _keep) = (record, clients, folder, keep);
        _layout = Plan.ExchangedLayout();
        if (Record.Version == 0)
        {
            _published = PublishedAdapter.Start(Plan);
            return;
        }
        string file = PublishedFile(Record.Version);
        if (!VectorFile.TryRead(folder, file, SiteJson.Default.PublishedHeader, out PublishedHeader header, out float[][] vectors) || header.Version != Record.Version)
            throw new StateFileException(folder.FileAt(file), $"version {Record.Version}, which the state names", "another, or none");
        _published = PublishedAdapter.Stored(Plan, header.Version, vectors);
    }

    public RunPlan Plan => Record.Plan;

    /// <summary>Layout of what a client sends.</summary>
    public LoraLayout LayoutOf(int client) => Plan.Ranks is null ? _layout : Plan.ExchangedLayout(client);

    /// <summary>Entries of Q^t, which is the exchanged vector or the change of the base.</summary>
    public int PublishedLength => _published.Values.Length;

    /// <summary>t of the site's Q^t.</summary>
    public int Version => Record.Version;

    /// <summary>Frames whose fate no closing message has told yet.</summary>
    public int Unsettled => _clients.Values.Count(record => record.Value?.Outbox is not null);

    /// <summary>Whether the site hosts a client.</summary>
    public bool Hosts(int client) => _clients.ContainsKey(client);

    /// <summary>Bytes of the frame that brought that version.</summary>
    public long Received => Record.Received;

    private SiteRecord Record => _record.Value!;

    /// <summary>Opens a run that is known, or null.</summary>
    public static async Task<SiteRun?> FindAsync(ulong run, SitePlacement place, CancellationToken cancellation)
    {
        StateRecord<SiteRecord> record = await StateRecord.ReadAsync(place.Store, KeyOf(run), SiteJson.Default.SiteRecord, cancellation);
        return record.Value is null ? null : await OpenAsync(record, place, cancellation);
    }

    /// <summary>Opens a run, which is known from now on.</summary>
    public static async Task<SiteRun> OpenAsync(RunPlan plan, SitePlacement place, CancellationToken cancellation)
    {
        StateRecord<SiteRecord> record = await StateRecord.ReadAsync(place.Store, KeyOf(plan.Key), SiteJson.Default.SiteRecord, cancellation);
        if (record.Value is null) await record.WriteAsync(new SiteRecord(plan, 0, 0, null, -1), cancellation);
        return await OpenAsync(record, place, cancellation);
    }

    private static async Task<SiteRun> OpenAsync(StateRecord<SiteRecord> record, SitePlacement place, CancellationToken cancellation)
    {
        RunPlan plan = record.Value!.Plan;
        int[] hosted = [.. plan.Roster.Where(enrolment => enrolment.Site == place.SiteOf(plan)).Select(enrolment => enrolment.Client)];
        string[] keys = [.. hosted.Select(client => $"{KeyOf(plan.Key)}.client.{client}")];
        IReadOnlyList<StateRecord<ClientRecord>> clients = await StateRecord.ReadManyAsync(place.Store, keys, SiteJson.Default.ClientRecord, cancellation);
        return new SiteRun(record, hosted.Zip(clients).ToDictionary(), place.Root.Folder(plan.Run), place.Keep);
    }

    /// <summary>A copy of a part of Q at that version, or null when the site is not there yet.</summary>
    /// <param name="version">The version.</param>
    /// <param name="client">The participant that trains from it: with a deadline, only after its round's opening is here, so that Q is kept for its update. Null for an evaluation.</param>
    /// <param name="part">The part.</param>
    /// <param name="cancellation">Ends the wait for the turn.</param>
    /// <exception cref="VersionPassedException">The site is past it: the round is over.</exception>
    public Task<float[]?> PublishedAtAsync(int version, int? client, Range part, CancellationToken cancellation) => InTurnAsync(() =>
    {
        bool isOver = Record.Version > version, isWaiting = Record.Version < version;
        if (Plan.Deadline is not null && client is { } participant)
        {
            isOver |= IsOver(version);
            isWaiting |= AwaitedOf(participant)?.Round != version;
        }
        return Task.FromResult(isOver ? throw new VersionPassedException(Plan.Run, version, Record.Version) : isWaiting ? null : _published.Values.Span[part].ToArray());
    }, cancellation);

    /// <summary>Whether a hosted client takes part in a round: null while the round has not been opened here. With a deadline it still does after the round's close.</summary>
    /// <exception cref="VersionPassedException">The round is over.</exception>
    public Task<bool?> IsParticipantAsync(int round, int client, CancellationToken cancellation) => InTurnAsync(() => Task.FromResult<bool?>(
        AwaitedOf(client)?.Round == round ? true
        : Record.Version > round || Record.Open?.Round > round ? throw new VersionPassedException(Plan.Run, round, Record.Version)
        : Record.Open?.Round == round ? Hosts(client) && Record.Open.Participants.Any(participant => participant.Client == client)
        : null), cancellation);

    /// <summary>Q^{t+1} = Q^t + D, durable when this returns; nothing happens when the site is past t.</summary>
    /// <returns>False when the site is not at t yet.</returns>
    /// <exception cref="FrameException">The frame is not the next change; nothing changed.</exception>
    public Task<bool> ApplyAsync(FrameHeader header, ReadOnlyMemory<byte> change, CancellationToken cancellation) => InTurnAsync(async () =>
    {
        if (header.BaseVersion != _published.Version) return header.BaseVersion < _published.Version;
        PublishedAdapter next = _published.Copy();
        using (Measured work = Instruments.Code("decode", Plan.Run, header.Round, _layout.Length))
        {
            work.Span?.SetTag(Instruments.Bytes, change.Length);
            next.Apply(change);
        }
        string file = PublishedFile(next.Version);
        VectorFile.Write(_folder, file, new PublishedHeader(next.Version), SiteJson.Default.PublishedHeader, next.Vectors);
        await _record.WriteAsync(Record with { Version = next.Version, Received = change.Length }, cancellation);
        _published = next;
        HashSet<string> kept = [file, .. VersionsOfLate().Select(PublishedFile)];
        foreach (string other in _folder.List("published-*.bin").Where(name => !kept.Contains(name))) _folder.Delete(other);
        return true;
    }, cancellation);

    public Task OpenRoundAsync(RoundOpened opened, CancellationToken cancellation) => InTurnAsync(async () =>
    {
        // Messages come in any order: an earlier round's opening says nothing once a later one is open, but for who takes part in it where rounds overlap.
        bool isLater = opened.IsNewsAfter(Record.Open);
        IReadOnlyList<Participation>? awaited = AwaitedWith(opened);
        if (isLater || awaited != Record.Awaited) await _record.WriteAsync(Record with { Open = isLater ? opened : Record.Open, Awaited = awaited }, cancellation);
        return true;
    }, cancellation);

    /// <summary>Takes a plan whose roster has grown.</summary>
    /// <returns>True when it has: the run is to be read anew.</returns>
    public Task<bool> GrowAsync(RunPlan plan, CancellationToken cancellation) => InTurnAsync(async () =>
    {
        if (plan.Roster.Count <= Plan.Roster.Count) return false;
        await _record.WriteAsync(Record with { Plan = plan }, cancellation);
        return true;
    }, cancellation);

    /// <summary>
    /// Settles the outbox: an accepted frame's residual becomes R, a frame that was not accepted gives its change back (R ← ρR + Δ).
    /// </summary>
    public Task CloseRoundAsync(RoundClosed closed, CancellationToken cancellation) => InTurnAsync(async () =>
    {
        if (IsResidualOfSite)
        {
            await SettleTogetherAsync(closed, cancellation);
            return true;
        }
        foreach ((int client, StateRecord<ClientRecord> record) in _clients)
            if (record.Value?.Outbox is { } outbox && outbox.Round == closed.Round)
            {
                await WriteResidualAsync(record, new Participation(client, outbox.Round, outbox.Segment), LeftBy(client, outbox, closed), cancellation);
                _folder.Delete(outbox.File);
            }
        if (closed.Round > Record.Closed) await _record.WriteAsync(Record with { Closed = closed.Round }, cancellation);
        return true;
    }, cancellation);

    /// <summary>True when this round's opening message is here and every earlier round of the residual's holder, the client or the site, is settled.</summary>
    public Task<bool> IsReadyForAsync(LocalUpdate update, CancellationToken cancellation) => InTurnAsync(() =>
    {
        IEnumerable<StateRecord<ClientRecord>> holders = IsResidualOfSite ? _clients.Values : [_clients[update.Client]];
        bool isSettled = !holders.Any(record => record.Value?.Outbox?.Round < update.Round);
        return Task.FromResult(Plan.Deadline is null
            ? Record.Version > update.Round || (Record.Open?.Round == update.Round && Record.Version == update.Round && isSettled)
            : AwaitedOf(update.Client) is { } awaited && (awaited.Round > update.Round || (awaited.Round == update.Round && Record.Version >= update.Round && isSettled)));
    }, cancellation);

    /// <summary>
    /// The update's frame, durable in the outbox; the same one when asked again; null when the round is settled. With a deadline an update whose round is closed
    /// becomes residual: R ← ρR + Δ against the Q^t from which it was trained.
    /// </summary>
    public Task<(byte[]? Frame, bool IsLate)> EncodeAsync(LocalUpdate update, CancellationToken cancellation) => InTurnAsync<(byte[]?, bool)>(async () =>
    {
        StateRecord<ClientRecord> record = _clients[update.Client];
        ClientRecord client = RecordOf(update.Client);
        if (client.Outbox is { } known) return (known.Round == update.Round ? ReadOutbox(known).Header.Frame : null, false);
        if (client.Has(update.Round)) return (null, false);
        if (IsOver(update.Round))
        {
            if (AwaitedOf(update.Client) is not { } late || late.Round != update.Round) return (null, false);
            await KeepLateAsync(record, client, late, update, cancellation);
            return (null, true);
        }
        Participant participant = Record.Open!.Participants.First(p => p.Client == update.Client);
        bool carries = IsResidualOfSite && update.Client == Record.Open.Participants.First(p => p.Segment == participant.Segment && Hosts(p.Client)).Client;
        ResidualEntry? residual = carries ? Record.ResidualOf(participant.Segment) : client.ResidualOf(participant.Segment);
        LoraLayout layout = LayoutOf(update.Client);
        var header = new FrameHeader(
            FrameKind.Segment, Plan.Key, update.Round, update.Client, participant.Segment, Plan.Exchange.Segments, Record.Version, (uint)layout.Fingerprint);
        double feedback = Mixing.FeedbackShare(Plan.Exchange.Feedback, update.MixingWeight);
        Compression compression = Plan.Exchange.Up(Record.Open.KeepA, Record.Open.KeepB);
        float[] before = residual is null ? [] : ReadResidual(residual);
        ClientUpload upload;
        using (Measured work = Instruments.Code("encode", Plan.Run, update.Round, header.Range(layout).Length))
        {
            upload = ClientUpload.Make(header, layout, Plan.Reference(update.Round, update.Client, _published.Values.Span), update.Adapter.Span, before, feedback, compression, Record.Open.FrameBytes);
            work.Span?.SetTag(Instruments.Client, update.Client).SetTag(Instruments.Bytes, upload.Frame.Length);
        }
        var outbox = new OutboxEntry(update.Round, participant.Segment, Frame.DigestOf(upload.Frame), $"outbox-{update.Client:d5}-{update.Round:d5}.bin", carries);
        var outboxHeader = new OutboxHeader(update.Round, update.Client, upload.Frame);
        VectorFile.Write(_folder, outbox.File, outboxHeader, SiteJson.Default.OutboxHeader, upload.Residual, upload.Unsent);
        await record.WriteAsync(client with { Outbox = outbox }, cancellation);
        return (upload.Frame, false);
    }, cancellation);

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    /// <summary>What a participant leaves for later: what its frame had no room for, or all of its change where the frame was not accepted.</summary>
    private float[] LeftBy(int client, OutboxEntry outbox, RoundClosed closed)
    {
        (_, float[] ifAccepted, float[] ifNot) = ReadOutbox(outbox);
        if (!closed.Accepted.Any(a => a.Client == client && a.Digest == outbox.Digest)) return ifNot;
        // Before the outbox is settled, so that a crash cannot lose it.
        _keep?.Invoke(new AcceptedChange(outbox.Round, client, outbox.Segment, Plan.Exchange.Segments, LayoutOf(client), ifNot));
        return ifAccepted;
    }

    /// <summary>R of a client's segment as a round leaves it; what was in the outbox is settled with it.</summary>
    private async Task WriteResidualAsync(StateRecord<ClientRecord> record, Participation of, float[] values, CancellationToken cancellation)
    {
        var residual = new ResidualEntry(of.Segment, of.Round, $"residual-{of.Client:d5}-{of.Segment:d3}-{of.Round:d5}.bin");
        VectorFile.Write(_folder, residual.File, new ResidualHeader(of.Round), SiteJson.Default.ResidualHeader, values);
        Instruments.Left(Plan.Run, values);
        ClientRecord client = record.Value ?? ClientRecord.New;
        ResidualEntry? former = client.ResidualOf(of.Segment);
        await record.WriteAsync(new ClientRecord(null, [.. client.Residuals.Where(r => r.Segment != of.Segment), residual]), cancellation);
        if (former is not null && former.File != residual.File) _folder.Delete(former.File);
    }

    private (OutboxHeader Header, float[] IfAccepted, float[] IfNot) ReadOutbox(OutboxEntry entry) =>
        VectorFile.TryRead(_folder, entry.File, SiteJson.Default.OutboxHeader, out OutboxHeader header, out float[][] vectors)
            ? (header, vectors[0], vectors[1])
            : throw new StateFileException(_folder.FileAt(entry.File), "the outbox entry that the state names", "no file");

    private float[] ReadResidual(ResidualEntry entry) =>
        VectorFile.TryRead(_folder, entry.File, SiteJson.Default.ResidualHeader, out ResidualHeader header, out float[][] vectors) && header.Round == entry.Round
            ? vectors[0]
            : throw new StateFileException(_folder.FileAt(entry.File), $"the residual of round {entry.Round} that the state names", "another, or none");

    private async Task<T> InTurnAsync<T>(Func<Task<T>> act, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            return await act();
        }
        finally
        {
            _turn.Release();
        }
    }

    private static string KeyOf(ulong run) => $"run.{run:x16}";

    private static string PublishedFile(int version) => $"published-{version:d5}.bin";
}
