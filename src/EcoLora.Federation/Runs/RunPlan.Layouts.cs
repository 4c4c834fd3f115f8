using EcoLora.Codec;

namespace EcoLora.Federation;

/// <content>What travels, and what it is measured against: by method, and by client where ranks differ.</content>
public sealed partial record RunPlan
{
    /// <summary>Most entries of ΔW: a checkpoint of it is one file of less than 2 GiB.</summary>
    public const int LargestBaseChange = 500_000_000;

    /// <summary>
    /// The scale s of B·A, α/r or α/√r, with which a method that merges into the base adds its products (FLoRA); the same for every client, whatever its rank. Null for
    /// the other methods, which never multiply B by A.
    /// </summary>
    public double? Scale { get; init; }

    /// <summary>Ranks of the clients, where they differ: client i has <c>Ranks[i mod count]</c> in every module. Null: the modules' own.</summary>
    public IReadOnlyList<int>? Ranks { get; init; }

    /// <summary>r of a client's adapter; the largest where the modules' own ranks differ.</summary>
    public int RankOf(int client) => Ranks is { } ranks ? ranks[client % ranks.Count] : Modules.Max(module => module.Rank);

    /// <summary>Layout of a client's whole adapter.</summary>
    public LoraLayout AdapterLayout(int client) =>
        Ranks is null ? AdapterLayout() : LoraLayout.Of(Modules.Select(module => module with { Rank = RankOf(client) }));

    /// <summary>Layout of what travels, in the modules' own ranks.</summary>
    public LoraLayout ExchangedLayout() => FederatedMethod.ExchangedLayout(AdapterLayout());

    /// <summary>Layout of what a client sends.</summary>
    public LoraLayout ExchangedLayout(int client) => FederatedMethod.ExchangedLayout(AdapterLayout(client));

    /// <summary>The fresh adapter of a round, where the rounds are merged into the base.</summary>
    public float[] FreshAdapter(int round, int client) => LoraInitialization.Fresh(AdapterLayout(client), Seed, round, client);

    /// <summary>What a participant's change is measured against: Q^t, or the fresh adapter that it began with.</summary>
    /// <param name="round">t.</param>
    /// <param name="client">Number of the client.</param>
    /// <param name="published">Q^t; not read where the adapter is fresh.</param>
    public ReadOnlySpan<float> Reference(int round, int client, ReadOnlySpan<float> published) =>
        FederatedMethod.MergesIntoBase ? FreshAdapter(round, client) : published;

    /// <summary>What a run comes to: the whole adapter, or the change of the base.</summary>
    /// <param name="published">Q^T, or ΔW^T.</param>
    public float[] Outcome(ReadOnlySpan<float> published) =>
        FederatedMethod.MergesIntoBase ? published.ToArray() : FederatedMethod.WholeAdapter(AdapterLayout(), Seed, published);

    private void CheckMerging()
    {
        if (!FederatedMethod.MergesIntoBase)
        {
            ExchangeOptions.Require(Ranks is null, "lora.ranks", Ranks is null ? "none" : $"[{string.Join(", ", Ranks)}]", $"none with federation.method {Method}");
            ExchangeOptions.Require(Scale is null, "scale", Scale, $"none with federation.method {Method}");
            return;
        }
        ExchangeOptions.Require(Exchange.ServerMomentum == 0, "exchange.server_momentum", Exchange.ServerMomentum, $"0 with federation.method {Method}, whose stack is merged as it is");
        ExchangeOptions.Require(Exchange == FederatedMethod.Effective(Exchange), "exchange", "others", $"no mixing, feedback or downlink of its own with federation.method {Method}");
        ExchangeOptions.Require(Scale is > 0 and < double.PositiveInfinity, "scale", Scale, $"above 0 with federation.method {Method}");
        foreach (int rank in Ranks ?? []) ExchangeOptions.Require(rank is >= 1 and <= 1024, "lora.ranks", rank, "1 to 1024");
        ExchangeOptions.Require(Ranks is null or { Count: >= 1 }, "lora.ranks", "none", "1 or more");
        long entries = Modules.Sum(module => (long)module.Outputs * module.Inputs);
        ExchangeOptions.Require(entries <= LargestBaseChange, "lora.targets", $"{entries} weights", $"layers of at most {LargestBaseChange} weights with federation.method {Method}, which keeps a change of each");
    }
}
