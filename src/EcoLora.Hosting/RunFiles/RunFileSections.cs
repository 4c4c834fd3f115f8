using EcoLora.Federation;

namespace EcoLora.Hosting;

/// <summary>Section <c>data</c>: the instruction records.</summary>
public sealed record DataOptions
{
    /// <summary>Full paths of the files; empty when none was given.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>Held-out records: a share of all when below 1, else their number.</summary>
    public required double HeldOut { get; init; }

    /// <summary>Name of the prompt template, such as <c>plain</c>.</summary>
    public required string Template { get; init; }

    /// <summary>Most tokens of a record, prompt and answer together.</summary>
    public required int Window { get; init; }
}

/// <summary>Section <c>partition</c>: how the training records are spread over the clients.</summary>
public sealed record PartitionOptions
{
    /// <summary><c>iid</c>, <c>dirichlet</c>, <c>category</c> or <c>file</c>.</summary>
    public required string Scheme { get; init; }

    /// <summary>α of the Dirichlet scheme, above 0: the smaller, the more one category fills a client.</summary>
    public required double Alpha { get; init; }

    /// <summary>Fewest records of a client, ≥ 1.</summary>
    public required int Minimum { get; init; }
}

/// <summary>Section <c>lora</c>: the adapter, ΔW = (α/r)·B·A.</summary>
public sealed record LoraOptions
{
    /// <summary>r ≥ 1.</summary>
    public required int Rank { get; init; }

    /// <summary>α above 0.</summary>
    public required double Alpha { get; init; }

    /// <summary>Share of the adapter's inputs set to zero in training, in [0, 1).</summary>
    public required double Dropout { get; init; }

    /// <summary>Names of the linear layers that carry an adapter, such as <c>q_proj</c>; each once.</summary>
    public required IReadOnlyList<string> Targets { get; init; }

    /// <summary>Scale by α/√r instead of α/r.</summary>
    public required bool Rslora { get; init; }

    /// <summary>Ranks of the clients, i's at i mod count; empty for <see cref="Rank"/> for everybody.</summary>
    public IReadOnlyList<int> Ranks { get; init; } = [];

    /// <summary>r of a client.</summary>
    public int RankOf(int client) => Ranks.Count == 0 ? Rank : Ranks[client % Ranks.Count];
}

/// <summary>Section <c>training</c>: one client's local training in one round.</summary>
public sealed record TrainingOptions
{
    /// <summary>Optimizer steps per round, or null when <see cref="Epochs"/> says how long.</summary>
    public required int? Steps { get; init; }

    /// <summary>Passes over the client's records per round, or null when <see cref="Steps"/> says how long.</summary>
    public required int? Epochs { get; init; }

    /// <summary>Records per step.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Largest learning rate.</summary>
    public required double LearningRate { get; init; }

    /// <summary><c>constant</c> or <c>cosine</c>, after the warm-up.</summary>
    public required string Schedule { get; init; }

    /// <summary>Steps over which the learning rate rises from 0.</summary>
    public required int WarmupSteps { get; init; }

    /// <summary>AdamW's decoupled weight decay.</summary>
    public required double WeightDecay { get; init; }

    /// <summary>AdamW's β₁, in [0, 1).</summary>
    public required double Beta1 { get; init; }

    /// <summary>AdamW's β₂, in [0, 1).</summary>
    public required double Beta2 { get; init; }

    /// <summary>AdamW's ε, above 0.</summary>
    public required double Epsilon { get; init; }

    /// <summary>Largest Euclidean norm of a step's gradient, or null for no clipping.</summary>
    public required double? ClipNorm { get; init; }
}

/// <summary>Section <c>dpo</c>: training on preferences.</summary>
public sealed record DpoOptions
{
    /// <summary>β above 0.</summary>
    public required double Beta { get; init; }
}

/// <summary>Section <c>federation</c>: who takes part.</summary>
public sealed record FederationOptions
{
    /// <summary>Name of a <see cref="FederatedMethod"/>.</summary>
    public required string Method { get; init; }

    /// <summary>Clients in all.</summary>
    public required int Clients { get; init; }

    /// <summary>Clients sampled in each round, N_t.</summary>
    public required int Participants { get; init; }

    /// <summary>Rounds.</summary>
    public required int Rounds { get; init; }

    /// <summary>Sites that host the clients; one download of a round serves all clients of a site.</summary>
    public required int Sites { get; init; }

    /// <summary>When rounds close without all participants; null in strict mode.</summary>
    public required DeadlineOptions? Deadline { get; init; }
}

/// <summary>Section <c>evaluation</c>: what is measured on the held-out records.</summary>
public sealed record EvaluationOptions
{
    /// <summary>Rounds between evaluations; the first and the last version are always evaluated.</summary>
    public required int Every { get; init; }

    /// <summary>Also generate answers and count those that equal the record's.</summary>
    public required bool ExactMatch { get; init; }

    /// <summary>Most tokens of a generated answer.</summary>
    public required int MaxNewTokens { get; init; }

    /// <summary>Most held-out records to use, or null for all.</summary>
    public required int? Records { get; init; }
}
