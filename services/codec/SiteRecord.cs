using System.Text.Json.Serialization;
using EcoLora.Federation;

namespace EcoLora.Services.Codec;

/// <summary>What counts of a run at a site; the site's copy of Q^t lies in <c>published-t.bin</c>.</summary>
/// <param name="Plan">The plan.</param>
/// <param name="Version">t of the site's Q^t.</param>
/// <param name="Received">Bytes of the frame that brought it; 0 for version 0, which follows from the seed.</param>
/// <param name="Open">The last round that was opened, or null.</param>
/// <param name="Closed">The last round that was closed here, −1 before the first.</param>
/// <param name="Awaited">With a deadline: the last round of each hosted client that has taken part; null in strict mode.</param>
/// <param name="Residuals">The site's own residuals, by segment, where it is the site that has them (<see cref="ResidualHolder.Site"/>).</param>
internal sealed record SiteRecord(
    RunPlan Plan, int Version, long Received, RoundOpened? Open, int Closed, IReadOnlyList<Participation>? Awaited = null, IReadOnlyList<ResidualEntry>? Residuals = null)
{
    /// <summary>The site's residual of a segment, or null.</summary>
    public ResidualEntry? ResidualOf(int segment) => Residuals?.FirstOrDefault(residual => residual.Segment == segment);
}

/// <summary>A hosted client's part in a round, which may come after the round's close.</summary>
/// <param name="Client">The client.</param>
/// <param name="Round">t.</param>
/// <param name="Segment">The segment.</param>
internal sealed record Participation(int Client, int Round, int Segment);

/// <summary>What counts of a client at its site.</summary>
/// <param name="Outbox">Its frame whose fate no closing message has told yet, or null.</param>
/// <param name="Residuals">Its residuals, by segment.</param>
internal sealed record ClientRecord(OutboxEntry? Outbox, IReadOnlyList<ResidualEntry> Residuals)
{
    /// <summary>A client that never took part.</summary>
    public static ClientRecord New { get; } = new(null, []);

    /// <summary>True when the client's update of that round, or of a later one, is in its outbox or residuals.</summary>
    public bool Has(int round) => Outbox?.Round >= round || Residuals.Any(residual => residual.Round >= round);

    /// <summary>The residual of a segment, or null.</summary>
    public ResidualEntry? ResidualOf(int segment) => Residuals.FirstOrDefault(residual => residual.Segment == segment);
}

/// <summary>A frame under way.</summary>
/// <param name="Round">t.</param>
/// <param name="Segment">The segment.</param>
/// <param name="Digest">Digest of the frame's bytes.</param>
/// <param name="File">The file with the frame, and R if it is accepted and R if it is not.</param>
/// <param name="Carries">Whether the site's residual is in it.</param>
internal sealed record OutboxEntry(int Round, int Segment, string Digest, string File, bool Carries = false);

/// <summary>R of one segment.</summary>
/// <param name="Segment">The segment.</param>
/// <param name="Round">The round that settled it last.</param>
/// <param name="File">Its file.</param>
internal sealed record ResidualEntry(int Segment, int Round, string File);

/// <summary>Header of the site's copy; its vectors are those of the published adapter.</summary>
internal sealed record PublishedHeader(int Version);

/// <summary>Header of a residual; its vector is R of one segment.</summary>
internal sealed record ResidualHeader(int Round);

/// <summary>Header of an outbox entry; its vectors are R if accepted and R if not.</summary>
internal sealed record OutboxHeader(int Round, int Client, byte[] Frame);

/// <summary>The site's JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SiteRecord))]
[JsonSerializable(typeof(ClientRecord))]
[JsonSerializable(typeof(PublishedHeader))]
[JsonSerializable(typeof(ResidualHeader))]
[JsonSerializable(typeof(OutboxHeader))]
internal sealed partial class SiteJson : JsonSerializerContext;
