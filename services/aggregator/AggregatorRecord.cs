using System.Text.Json.Serialization;
using EcoLora.Federation;
using EcoLora.Hosting;

namespace EcoLora.Services.Aggregator;

/// <summary>What counts of a run at the aggregator; it names the files that hold the rest.</summary>
/// <param name="Plan">The plan.</param>
/// <param name="Version">t of Q^t.</param>
/// <param name="Announced">The version whose change and report were published for sure.</param>
/// <param name="Checkpoint">File of Q^t, V where there is momentum, and S; null for version 0, which follows from the seed.</param>
/// <param name="Report">The report of the round that made it; null for version 0.</param>
/// <param name="Open">The open round, if there is one.</param>
/// <param name="Frames">Its stored frames.</param>
internal sealed record AggregatorRecord(
    RunPlan Plan, int Version, int Announced, string? Checkpoint, RoundAggregated? Report, RoundOpened? Open, IReadOnlyList<StoredFrame> Frames);

/// <summary>A stored frame of the open round.</summary>
/// <param name="Client">Its sender.</param>
/// <param name="Digest">Digest of its bytes.</param>
internal sealed record StoredFrame(int Client, string Digest);

/// <summary>Header of a checkpoint; its vectors are those of the published adapter, then S.</summary>
/// <param name="Version">t of Q^t.</param>
internal sealed record Checkpoint(int Version);

/// <summary>The aggregator's JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(AggregatorRecord))]
[JsonSerializable(typeof(Checkpoint))]
[JsonSerializable(typeof(IReadOnlyList<ExportedFile>))]
internal sealed partial class AggregatorJson : JsonSerializerContext;
