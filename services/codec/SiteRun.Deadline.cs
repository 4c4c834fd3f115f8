using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Codec;

/// <content>What a site keeps of updates that may come after their round's close.</content>
internal sealed partial class SiteRun
{
    /// <summary>Versions from which a hosted client may have trained an update that has not come.</summary>
    private IEnumerable<int> VersionsOfLate() => Plan.FederatedMethod.MergesIntoBase ? [] : (Record.Awaited ?? []).Where(awaited => !RecordOf(awaited.Client).Has(awaited.Round)).Select(awaited => awaited.Round);

    /// <summary>The last round of each hosted client, with those that a round opens for; the list as it is where that changes nothing, as always in strict mode.</summary>
    private IReadOnlyList<Participation>? AwaitedWith(RoundOpened opened)
    {
        if (Plan.Deadline is null) return Record.Awaited;
        Participation[] own = [.. opened.Participants.Where(p => Hosts(p.Client) && (AwaitedOf(p.Client)?.Round ?? -1) < opened.Round).Select(p => new Participation(p.Client, opened.Round, p.Segment))];
        return own.Length == 0 ? Record.Awaited : [.. (Record.Awaited ?? []).Where(before => own.All(now => now.Client != before.Client)), .. own];
    }

    /// <summary>R ← ρR + Δ, with Δ against the version that the update was trained from.</summary>
    private async Task KeepLateAsync(StateRecord<ClientRecord> record, ClientRecord client, Participation late, LocalUpdate update, CancellationToken cancellation)
    {
        SegmentRange range = LayoutOf(late.Client).Range(late.Segment, Plan.Exchange.Segments);
        ResidualEntry? residual = client.ResidualOf(late.Segment);
        double feedback = Mixing.FeedbackShare(Plan.Exchange.Feedback, update.MixingWeight);
        float[] unsent = ClientUpload.WithResidual(range, ReferenceOf(late), update.Adapter.Span, residual is null ? [] : ReadResidual(residual), feedback);
        int index = Array.FindIndex(unsent, value => !float.IsFinite(value));
        if (index >= 0) throw new ArgumentException($"late update of client {late.Client}: expected finite changes, found {unsent[index]} at entry {range.Start + index}");
        await WriteResidualAsync(record, late, unsent, cancellation);
    }

    private ReadOnlySpan<float> ReferenceOf(Participation late) =>
        Plan.FederatedMethod.MergesIntoBase ? Plan.Reference(late.Round, late.Client, []) : ReadPublished(late.Round);

    /// <summary>Q^version, which is kept while an update that was trained from it may come.</summary>
    private ReadOnlySpan<float> ReadPublished(int version)
    {
        if (version == _published.Version) return _published.Values.Span;
        if (version == 0) return Plan.FederatedMethod.InitialReference(Plan.AdapterLayout(), Plan.Seed);
        return VectorFile.TryRead(_folder, PublishedFile(version), SiteJson.Default.PublishedHeader, out PublishedHeader header, out float[][] vectors) && header.Version == version
            ? vectors[0]
            : throw new StateFileException(_folder.FileAt(PublishedFile(version)), $"version {version}, from which a client trained", "another, or none");
    }

    /// <summary>True when a round is closed, as far as the site knows.</summary>
    private bool IsOver(int round) => Record.Version > round || Record.Closed >= round || Record.Open?.Round > round;

    private Participation? AwaitedOf(int client) => Record.Awaited?.FirstOrDefault(awaited => awaited.Client == client);

    private ClientRecord RecordOf(int client) => _clients[client].Value ?? ClientRecord.New;
}
