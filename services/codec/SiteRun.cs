using System.Text.Json.Serialization;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Codec;

/// <summary>
/// One run at a site. Durable: the site's copy of Q^t (<c>published.bin</c>), each client's residual per segment
/// (<c>residual-client-segment.bin</c>), and the outbox: frames whose fate no closing message has told yet (<c>outbox-client.bin</c>).
/// </summary>
internal sealed class SiteRun
{
    private const string PublishedFile = "published.bin";

    private readonly DurableFolder _folder;
    private readonly LoraLayout _layout;
    private readonly Lock _lock = new();
    private readonly PublishedAdapter _published;
    private readonly Action<AcceptedChange>? _keep;
    private RoundOpened? _open;
    private int _lastClosed = -1;

    public SiteRun(RunPlan plan, DurableFolder folder, Action<AcceptedChange>? keep)
    {
        plan.Validate();
        Plan = plan;
        (_folder, _keep) = (folder, keep);
        LoraLayout adapter = plan.AdapterLayout();
        _layout = plan.FederatedMethod.ExchangedLayout(adapter);
        _published = VectorFile.TryRead(folder, PublishedFile, SiteJson.Default.PublishedHeader, out PublishedHeader header, out float[][] vectors)
            ? new PublishedAdapter(plan.Key, _layout, header.Version, vectors[0])
            : new PublishedAdapter(plan.Key, _layout, 0, plan.FederatedMethod.InitialReference(adapter, plan.Seed));
    }

    public RunPlan Plan { get; }

    /// <summary>t of the site's Q^t.</summary>
    public int Version
    {
        get { lock (_lock) return _published.Version; }
    }

    /// <summary>A copy of Q at that version, or null when the site is not there yet.</summary>
    /// <exception cref="VersionPassedException">The site is past it: the round is over.</exception>
    public float[]? PublishedAt(int version)
    {
        lock (_lock)
        {
            if (_published.Version > version) throw new VersionPassedException(Plan.Run, version, _published.Version);
            return _published.Version == version ? _published.Values.ToArray() : null;
        }
    }

    /// <summary>Q^{t+1} = Q^t + D, durable when this returns.</summary>
    /// <exception cref="FrameException">The frame is not the next change; nothing changed.</exception>
    public void Apply(ReadOnlyMemory<byte> change)
    {
        lock (_lock)
        {
            _published.Apply(change);
            VectorFile.Write(_folder, PublishedFile, new PublishedHeader(_published.Version), SiteJson.Default.PublishedHeader, _published.Values);
        }
    }

    public void OpenRound(RoundOpened opened)
    {
        lock (_lock) _open = opened;
    }

    /// <summary>
    /// Settles the outbox: an accepted frame's residual becomes R, a frame that was not accepted gives its change back (R ← ρR + Δ).
    /// </summary>
    public void CloseRound(RoundClosed closed)
    {
        lock (_lock)
        {
            _lastClosed = Math.Max(_lastClosed, closed.Round);
            foreach (string file in _folder.List("outbox-*.bin"))
            {
                if (!VectorFile.TryRead(_folder, file, SiteJson.Default.OutboxHeader, out OutboxHeader outbox, out float[][] vectors)) continue;
                if (outbox.Round != closed.Round) continue;
                bool accepted = closed.Accepted.Any(a => a.Client == outbox.Client && a.Digest == Frame.DigestOf(outbox.Frame));
                // Before the outbox is settled, so that a crash cannot lose it.
                if (accepted)
                    _keep?.Invoke(new AcceptedChange(outbox.Round, outbox.Client, outbox.Segment, Plan.Exchange.Segments, _layout, vectors[1]));
                string residualFile = ResidualFile(outbox.Client, outbox.Segment);
                VectorFile.Write(_folder, residualFile, new ResidualHeader(closed.Round), SiteJson.Default.ResidualHeader, vectors[accepted ? 0 : 1]);
                _folder.Delete(file);
            }
        }
    }

    /// <summary>True when this round's opening message is here and every earlier round of the client is settled.</summary>
    public bool IsReadyFor(LocalUpdate update)
    {
        lock (_lock)
        {
            if (_published.Version > update.Round) return true;
            return _open?.Round == update.Round && _published.Version == update.Round
                && (ReadOutbox(update.Client) is not { } outbox || outbox.Round == update.Round);
        }
    }

    /// <summary>The update's frame, durable in the outbox; the same one when asked again; null when the round is settled.</summary>
    public byte[]? Encode(LocalUpdate update)
    {
        lock (_lock)
        {
            if (ReadOutbox(update.Client) is { } outbox) return outbox.Round == update.Round ? outbox.Frame : null;
            if (_published.Version > update.Round || _lastClosed >= update.Round) return null;
            Participant participant = _open!.Participants.First(p => p.Client == update.Client);
            string residualFile = ResidualFile(update.Client, participant.Segment);
            bool hasResidual = VectorFile.TryRead(_folder, residualFile, SiteJson.Default.ResidualHeader, out ResidualHeader residual, out float[][] vectors);
            if (hasResidual && residual.Round >= update.Round) return null;

            var header = new FrameHeader(
                FrameKind.Segment, Plan.Key, update.Round, update.Client, participant.Segment, Plan.Exchange.Segments, _published.Version, (uint)_layout.Fingerprint);
            double feedback = Mixing.FeedbackShare(Plan.Exchange.Feedback, update.MixingWeight);
            var compression = new Compression(_open.KeepA, _open.KeepB, Plan.Exchange.Values, Plan.Exchange.Coding);
            ClientUpload upload = ClientUpload.Make(
                header, _layout, _published.Values.Span, update.Adapter.Span, hasResidual ? vectors[0] : [], feedback, compression);
            var outboxHeader = new OutboxHeader(update.Round, update.Client, participant.Segment, upload.Frame);
            VectorFile.Write(_folder, OutboxFile(update.Client), outboxHeader, SiteJson.Default.OutboxHeader, upload.Residual, upload.Unsent);
            return upload.Frame;
        }
    }

    private OutboxHeader? ReadOutbox(int client) =>
        VectorFile.TryRead(_folder, OutboxFile(client), SiteJson.Default.OutboxHeader, out OutboxHeader header, out _) ? header : null;

    private static string OutboxFile(int client) => $"outbox-{client:d5}.bin";

    private static string ResidualFile(int client, int segment) => $"residual-{client:d5}-{segment:d3}.bin";
}

/// <summary>Header of the site's copy; its vector is Q.</summary>
internal sealed record PublishedHeader(int Version);

/// <summary>Header of a residual; its vector is R of one segment.</summary>
/// <param name="Round">The round that settled it last.</param>
internal sealed record ResidualHeader(int Round);

/// <summary>Header of an outbox entry; its vectors are R if accepted and R if not.</summary>
internal sealed record OutboxHeader(int Round, int Client, int Segment, byte[] Frame);

/// <summary>The JSON of the site's state files.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PublishedHeader))]
[JsonSerializable(typeof(ResidualHeader))]
[JsonSerializable(typeof(OutboxHeader))]
internal sealed partial class SiteJson : JsonSerializerContext;
