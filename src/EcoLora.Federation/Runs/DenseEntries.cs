namespace EcoLora.Federation;

/// <summary>Entries that a run's method would send in full, for what is compared with dense exchange.</summary>
/// <param name="plan">The run.</param>
public sealed class DenseEntries(RunPlan plan)
{
    private readonly int _common = plan.ExchangedLayout().Length;

    /// <summary>|P_k|: a client's upload.</summary>
    public long Up(int client) => plan.Ranks is null ? _common : plan.Modules.Sum(module => (long)plan.RankOf(client) * (module.Inputs + module.Outputs));

    /// <summary>What a closed round's change has for each site: |P|, or where adapters are stacked those of all accepted participants, Σ |P_k|.</summary>
    public long Down(RoundRecord round) => plan.FederatedMethod.MergesIntoBase ? round.Closed!.Accepted.Sum(accepted => Up(accepted.Client)) : _common;
}
