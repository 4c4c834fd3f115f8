using System.Text.Json;
using System.Text.Json.Serialization;

namespace EcoLora.Telemetry;

/// <summary>What an arm sends.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Exchange>))]
public enum Exchange
{
    /// <summary>Compressed segments. Written <c>ecolora</c>.</summary>
    [JsonStringEnumMemberName("ecolora")] EcoLora,

    /// <summary>All parameters in FP16. Written <c>dense-fp16</c>.</summary>
    [JsonStringEnumMemberName("dense-fp16")] DenseFp16,

    /// <summary>All parameters in FP32. Written <c>dense-fp32</c>.</summary>
    [JsonStringEnumMemberName("dense-fp32")] DenseFp32,

    /// <summary>Another exchange to compare with, which the arm's name tells. Written <c>other</c>.</summary>
    [JsonStringEnumMemberName("other")] Other,
}

/// <summary>What became of a participant's update.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ParticipantStatus>))]
public enum ParticipantStatus
{
    /// <summary>It is in the aggregate. Written <c>accepted</c>.</summary>
    [JsonStringEnumMemberName("accepted")] Accepted,

    /// <summary>It arrived and was refused, such as for a loss that is not finite. Written <c>refused</c>.</summary>
    [JsonStringEnumMemberName("refused")] Refused,

    /// <summary>It did not arrive before the round closed. Written <c>absent</c>.</summary>
    [JsonStringEnumMemberName("absent")] Absent,
}

/// <summary>The model that was fine-tuned.</summary>
/// <param name="Name">A name, not a path of this machine.</param>
/// <param name="Parameters">Parameters of the frozen base; null where it is not known, as at the hub.</param>
/// <param name="LoraParameters">|P| of the full layout, A and B.</param>
/// <param name="Rank">r.</param>
/// <param name="Alpha">α; ΔW = (α/r)·B·A.</param>
/// <param name="TargetModules">Short names of the layers that carry LoRA, such as <c>q_proj</c>.</param>
public sealed record ModelFacts(string Name, long? Parameters, long LoraParameters, int Rank, double Alpha, IReadOnlyList<string> TargetModules);

/// <summary>One client's share of the data.</summary>
/// <param name="Client">The client.</param>
/// <param name="Site">The site that hosts it.</param>
/// <param name="Records">Training records.</param>
/// <param name="PerCategory">Training records per category, in the order of <see cref="DataFacts.Categories"/>.</param>
public sealed record ClientData(string Client, string Site, int Records, IReadOnlyList<int> PerCategory);

/// <summary>The data set and how it was split.</summary>
/// <param name="Name">A name, not a path of this machine.</param>
/// <param name="Records">Usable records, training and held-out.</param>
/// <param name="HeldOut">Records that no client trains on; null where it is not known, as at the hub before the first evaluation.</param>
/// <param name="Dropped">Records left out for want of an answer, or of two that differ; null where it is not known.</param>
/// <param name="Partition">How the clients were filled, such as <c>dirichlet(0.5)</c>.</param>
/// <param name="Categories">The categories in a fixed order; may be empty.</param>
/// <param name="Clients">The clients in their order.</param>
public sealed record DataFacts(
    string Name, int Records, int? HeldOut, int? Dropped, string Partition, IReadOnlyList<string> Categories, IReadOnlyList<ClientData> Clients);

/// <summary>A category's part of an evaluation.</summary>
/// <param name="Category">The category.</param>
/// <param name="Records">Held-out records of it.</param>
/// <param name="Loss">Mean loss per answer token, or per preference pair, in nats; null when not measured.</param>
/// <param name="ExactMatch">Share of exactly right answers in [0, 1]; null when not measured.</param>
/// <param name="RewardAccuracy">Share of pairs whose chosen answer has the larger reward; null, and left out, without pairs.</param>
/// <param name="RewardMargin">Mean reward of the chosen answers less that of the rejected ones; null, and left out, without pairs.</param>
public sealed record CategoryScore(
    string Category, int Records, double? Loss, double? ExactMatch,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? RewardAccuracy = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? RewardMargin = null);

/// <summary>The published adapter on held-out data.</summary>
/// <param name="Records">Held-out records.</param>
/// <param name="Loss">Mean loss per answer token, or per preference pair, in nats; null when not finite.</param>
/// <param name="ExactMatch">Share of exactly right answers in [0, 1]; null when not measured.</param>
/// <param name="PerCategory">Per category, in a fixed order; may be empty.</param>
/// <param name="RewardAccuracy">Share of pairs whose chosen answer has the larger reward; null, and left out, without pairs.</param>
/// <param name="RewardMargin">Mean reward of the chosen answers less that of the rejected ones; null, and left out, without pairs.</param>
public sealed record Evaluation(
    int Records, double? Loss, double? ExactMatch, IReadOnlyList<CategoryScore> PerCategory,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? RewardAccuracy = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? RewardMargin = null)
{
    /// <summary>The share of answers that are as they should be: of pairs the reward accuracy, otherwise exact match.</summary>
    [JsonIgnore]
    public double? Right => RewardAccuracy ?? ExactMatch;
}

/// <summary>A client in a round.</summary>
/// <param name="Client">The client.</param>
/// <param name="Site">The site that hosts it.</param>
/// <param name="Slot">Rank by client id among the participants, from 0.</param>
/// <param name="Segment">The segment that it sent; null when it sent the whole vector.</param>
/// <param name="Samples">n_i, training samples.</param>
/// <param name="Loss">Mean training loss in nats; null when absent or not finite.</param>
/// <param name="Status">What became of its update.</param>
/// <param name="Reason">Why it was refused or absent, otherwise null.</param>
public sealed record Participant(
    string Client, string Site, int Slot, int? Segment, long Samples, double? Loss, ParticipantStatus Status, string? Reason = null)
{
    /// <summary>Framed bytes that the client sent in the round. <see cref="ArmReport.Of"/> fills it from the ledger.</summary>
    public long UpBytes { get; init; }

    /// <summary>Framed bytes that its site received in the round, shared by the site's clients. <see cref="ArmReport.Of"/> fills it from the ledger.</summary>
    public long DownBytes { get; init; }
}

/// <summary>What the caller knows about a round; the rest of its report comes from the ledger.</summary>
/// <param name="Round">Round, from 0.</param>
/// <param name="Participants">The sampled clients in slot order.</param>
/// <param name="TrainLoss">L_t, the sample-weighted mean training loss of the accepted participants in nats; null when there was none.</param>
/// <param name="KA">Scheduled fraction of A entries kept, in (0, 1]; null when nothing is sparsified or A is not exchanged.</param>
/// <param name="KB">Scheduled fraction of B entries kept, in (0, 1]; null when nothing is sparsified.</param>
/// <param name="HeldOut">The version that this round produced on held-out data; null when this round was not evaluated.</param>
/// <param name="ServerResidual">‖S‖₂ after publishing, or null.</param>
public sealed record RoundFacts(
    int Round, IReadOnlyList<Participant> Participants, double? TrainLoss, double? KA, double? KB, Evaluation? HeldOut, double? ServerResidual = null);

/// <summary>What the caller knows about an arm: the method itself or one of its baselines.</summary>
/// <param name="Name">Such as <c>fedit + ecolora</c> or <c>fedit dense fp16</c>; unique in a run.</param>
/// <param name="Method">Such as <c>fedit</c>: which baseline belongs to which arm.</param>
/// <param name="Exchange">What is sent.</param>
/// <param name="Parameters">|P| that the method exchanges (FFA-LoRA: only B).</param>
/// <param name="Segments">N_s; 1 for a dense exchange.</param>
/// <param name="Before">The adapter before the first round on held-out data.</param>
/// <param name="Rounds">The rounds in their order.</param>
/// <param name="Ledger">All rows of the arm's ledger, in any order.</param>
/// <param name="AdapterDigest">SHA-256 of the exported adapter file in hex, or null.</param>
public sealed record ArmFacts(
    string Name, string Method, Exchange Exchange, long Parameters, int Segments, Evaluation? Before,
    IReadOnlyList<RoundFacts> Rounds, IReadOnlyList<LedgerRow> Ledger, string? AdapterDigest = null);

/// <summary>The decision log in short.</summary>
/// <param name="Mode"><c>strict</c>, <c>deadline</c> or <c>replay</c>.</param>
/// <param name="Entries">Decisions in the log.</param>
/// <param name="Digest">SHA-256 of the log in hex: equal digests are equal runs. Null when not known.</param>
public sealed record DecisionFacts(string Mode, int Entries, string? Digest);

/// <summary>What a clock or the machine says about an arm.</summary>
/// <param name="Arm">The arm's name.</param>
/// <param name="Seconds">Wall time of the arm.</param>
public sealed record ArmTiming(string Arm, double Seconds);

/// <summary>Everything that two equal runs may differ in: clock, machine, threads. Nothing else of a report depends on them.</summary>
/// <param name="Started">When the run began, UTC.</param>
/// <param name="Seconds">Wall time of the run.</param>
/// <param name="Threads">Compute threads.</param>
/// <param name="PeakMemoryBytes">Peak resident memory, or null when not known.</param>
/// <param name="Arms">Wall time per arm.</param>
public sealed record RunTiming(DateTimeOffset Started, double Seconds, int Threads, long? PeakMemoryBytes, IReadOnlyList<ArmTiming> Arms);

/// <summary>What the caller knows about a run, its arms apart.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Seed">The run's seed.</param>
/// <param name="ProductVersion">The product's version.</param>
/// <param name="Options">The effective options, a JSON object in the order to show. Leave out what does not change the result (threads, output folder).</param>
/// <param name="Model">The model.</param>
/// <param name="Data">The data.</param>
/// <param name="Decisions">The decision log in short, or null.</param>
public sealed record RunFacts(
    string Run, ulong Seed, string ProductVersion, JsonElement Options, ModelFacts Model, DataFacts Data, DecisionFacts? Decisions = null);
