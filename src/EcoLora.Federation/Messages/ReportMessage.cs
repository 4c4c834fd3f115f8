using System.Text.Json.Serialization;
using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>What the scheduler is told. A report said twice counts once.</summary>
/// <param name="Run">The run's name.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(TrainerEnrolled), "trainer-enrolled")]
[JsonDerivedType(typeof(TrainerDeclined), "trainer-declined")]
[JsonDerivedType(typeof(TrainerPresent), "trainer-present")]
[JsonDerivedType(typeof(ClientReport), "client")]
[JsonDerivedType(typeof(ClientMissed), "client-missed")]
[JsonDerivedType(typeof(SegmentReceived), "segment-received")]
[JsonDerivedType(typeof(RoundAggregated), "round-aggregated")]
[JsonDerivedType(typeof(SiteUpdated), "site-updated")]
[JsonDerivedType(typeof(Evaluated), "evaluated")]
[JsonDerivedType(typeof(AdapterWritten), "adapter-written")]
public abstract record ReportMessage(string Run);

/// <summary>A client as a trainer enrols it.</summary>
/// <param name="Client">Number of the client, 0 to the run's clients − 1.</param>
/// <param name="Samples">n_i, its training records; what it enrolled with first counts for the whole run.</param>
/// <param name="Rank">r of its adapter.</param>
public sealed record EnrolledClient(int Client, int Samples, int Rank);

/// <summary>Trainer: it hosts these clients of a run that was announced.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Site">Name of its site.</param>
/// <param name="Trainer">Its number at the site.</param>
/// <param name="Clients">Its clients.</param>
/// <param name="Modules">The model's modules that carry LoRA under the run's options; the same at every trainer.</param>
/// <param name="Evaluates">Whether it can evaluate on held-out records.</param>
public sealed record TrainerEnrolled(
    string Run, string Site, int Trainer, IReadOnlyList<EnrolledClient> Clients, IReadOnlyList<LoraModule> Modules, bool Evaluates) : ReportMessage(Run);

/// <summary>Trainer: it can take no part in a run that was announced, as it is set up now. No decision depends on it, so it is in no journal.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Site">Name of its site.</param>
/// <param name="Trainer">Its number at the site.</param>
/// <param name="Why">Why, in words that say nothing of the site's data, files and other names.</param>
public sealed record TrainerDeclined(string Run, string Site, int Trainer, string Why) : ReportMessage(Run);

/// <summary>Trainer, with a deadline: it is there. Said again and again while the run goes on; the scheduler samples from those who are there.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Site">Name of its site.</param>
/// <param name="Trainer">Its number at the site.</param>
/// <param name="Seconds">How long this counts unless it is said again; 0 when it leaves.</param>
public sealed record TrainerPresent(string Run, string Site, int Trainer, int Seconds) : ReportMessage(Run);

/// <summary>Trainer, with a deadline: the round was over before the participant began; it has not trained and will not.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Round">t.</param>
/// <param name="Client">Number of the client.</param>
/// <param name="Site">Number of its site.</param>
public sealed record ClientMissed(string Run, int Round, int Client, int Site) : ReportMessage(Run);

/// <summary>Trainer: a participant has trained, or its update is refused. With a deadline it may be told after the round's close.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Round">t.</param>
/// <param name="Client">Number of the client.</param>
/// <param name="Site">Number of its site.</param>
/// <param name="Samples">n_i, as at enrolment.</param>
/// <param name="Loss">Mean loss measured in local training; null when refused.</param>
/// <param name="Refused">Why there is no update, such as a loss that is not finite; null when there is one.</param>
public sealed record ClientReport(string Run, int Round, int Client, int Site, int Samples, double? Loss = null, string? Refused = null) : ReportMessage(Run);

/// <summary>
/// Aggregator: a participant's frame has come, and is stored durably unless it is refused. With a deadline also said of a frame that came after the close. A frame
/// that is not kept was sent all the same, and its bytes count.
/// </summary>
/// <param name="Run">The run's name.</param>
/// <param name="Round">t.</param>
/// <param name="Client">Number of the client.</param>
/// <param name="Segment">The segment.</param>
/// <param name="Digest">Digest of the frame's bytes.</param>
/// <param name="Sizes">Its sizes by stage.</param>
/// <param name="Refused">Why it will not be summed, such as a norm over the run's limit; null when it may be. The round does not wait for another one.</param>
public sealed record SegmentReceived(string Run, int Round, int Client, int Segment, string Digest, FrameSizes Sizes, string? Refused = null) : ReportMessage(Run);

/// <summary>Aggregator: the round's change is published.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Round">t; the new version is t + 1.</param>
/// <param name="Coverage">How many participants delivered each segment.</param>
/// <param name="Digest">Digest of the global frame's bytes.</param>
/// <param name="Sizes">Its sizes by stage.</param>
/// <param name="ServerResidualNorm">‖S‖₂ after publishing.</param>
public sealed record RoundAggregated(string Run, int Round, IReadOnlyList<int> Coverage, string Digest, FrameSizes Sizes, double ServerResidualNorm)
    : ReportMessage(Run);

/// <summary>Codec: a site has received and applied a version.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Site">Number of the site.</param>
/// <param name="Version">The version that it now holds.</param>
/// <param name="Bytes">Bytes of the frame that brought it.</param>
public sealed record SiteUpdated(string Run, int Site, int Version, long Bytes) : ReportMessage(Run);

/// <summary>Held-out results of one category.</summary>
/// <param name="Category">Its name.</param>
/// <param name="Records">Number of held-out records.</param>
/// <param name="Loss">Mean negative log-likelihood per answer token; of preference pairs, the mean DPO loss per pair.</param>
/// <param name="Correct">Records whose greedy answer equals the reference; null when exact match was not asked for.</param>
/// <param name="Preferred">Pairs whose chosen answer has the larger reward; null where there are no pairs.</param>
/// <param name="RewardMargin">Mean of the chosen answer's reward less the rejected one's; null where there are no pairs.</param>
public sealed record CategoryScore(string Category, int Records, double Loss, int? Correct = null, int? Preferred = null, double? RewardMargin = null);

/// <summary>Held-out results of an adapter.</summary>
/// <param name="Loss">Mean negative log-likelihood per answer token; of preference pairs, the mean DPO loss per pair.</param>
/// <param name="Records">Number of held-out records.</param>
/// <param name="Tokens">Number of answer tokens.</param>
/// <param name="Correct">Exact matches; null when not asked for.</param>
/// <param name="Categories">The same by category, in ordinal order.</param>
/// <param name="Preferred">Pairs whose chosen answer has the larger reward; null where there are no pairs.</param>
/// <param name="RewardMargin">Mean of the chosen answer's reward less the rejected one's; null where there are no pairs.</param>
public sealed record HeldOutScore(
    double Loss,
    int Records,
    long Tokens,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] int? Correct,
    IReadOnlyList<CategoryScore> Categories,
    int? Preferred = null,
    double? RewardMargin = null);

/// <summary>Trainer: a version of the published adapter is evaluated.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Site">Number of the site that evaluated.</param>
/// <param name="Version">t of Q^t.</param>
/// <param name="Score">The results.</param>
public sealed record Evaluated(string Run, int Site, int Version, HeldOutScore Score) : ReportMessage(Run);

/// <summary>Aggregator: the adapter is written.</summary>
/// <param name="Run">The run's name.</param>
/// <param name="Version">T.</param>
/// <param name="Digest">Digest of Q^T.</param>
public sealed record AdapterWritten(string Run, int Version, string Digest) : ReportMessage(Run);
