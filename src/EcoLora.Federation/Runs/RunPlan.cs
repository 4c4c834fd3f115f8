using System.Text.Json.Serialization;
using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>A client as it enrolled: who hosts it, and the sample count that weighs it for the whole run.</summary>
/// <param name="Client">Number of the client, its index in the roster.</param>
/// <param name="Site">Number of the site that hosts it.</param>
/// <param name="Samples">n_i &gt; 0.</param>
public sealed record Enrolment(int Client, int Site, int Samples);

/// <summary>
/// All that the four services need to know about one run; with the sites' data it decides every byte of the outcome. It travels in the
/// message that opens the run.
/// </summary>
/// <param name="Run">Name, unique on the hub: [a-z0-9-]{1,63}.</param>
/// <param name="Seed">Seed of every named random stream.</param>
/// <param name="Method">Name of a <see cref="FederatedMethod"/>.</param>
/// <param name="Rounds">T ≥ 1.</param>
/// <param name="Participants">N_t, 1..clients.</param>
/// <param name="EvaluateEvery">Rounds between evaluations of the published adapter; the first and the last version are always evaluated.</param>
/// <param name="Exchange">How segments travel.</param>
/// <param name="Modules">The modules that carry LoRA, in the order of the vector.</param>
/// <param name="Roster">The clients, by number.</param>
public sealed record RunPlan(
    string Run,
    ulong Seed,
    string Method,
    int Rounds,
    int Participants,
    int EvaluateEvery,
    ExchangeOptions Exchange,
    IReadOnlyList<LoraModule> Modules,
    IReadOnlyList<Enrolment> Roster)
{
    /// <summary>Number of sites: one more than the largest site number.</summary>
    [JsonIgnore]
    public int Sites => Roster.Max(enrolment => enrolment.Site) + 1;

    /// <summary>The run's key in frames.</summary>
    [JsonIgnore]
    public ulong Key => FrameHeader.KeyOf(Run);

    /// <summary>The method.</summary>
    [JsonIgnore]
    public FederatedMethod FederatedMethod => FederatedMethod.Named(Method);

    /// <summary>Layout of the whole adapter, A and B of every module.</summary>
    public LoraLayout AdapterLayout() => LoraLayout.Of(Modules);

    /// <summary>Checks the plan as a whole.</summary>
    /// <exception cref="ArgumentException">What is wrong, with the option, its value and its limit.</exception>
    public void Validate()
    {
        bool isName = Run.Length is >= 1 and <= 63 && Run.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-');
        ExchangeOptions.Require(isName, "name", Run, "1 to 63 of a-z, 0-9 and -");
        _ = FederatedMethod;
        ExchangeOptions.Require(Rounds >= 1, "federation.rounds", Rounds, "1 or more");
        ExchangeOptions.Require(EvaluateEvery >= 1, "evaluation.every", EvaluateEvery, "1 or more");
        ExchangeOptions.Require(Roster.Count >= 1, "federation.clients", Roster.Count, "1 or more");
        ExchangeOptions.Require(Participants >= 1 && Participants <= Roster.Count, "federation.participants", Participants,
            $"1 to {Roster.Count} (federation.clients)");
        Exchange.Validate(Participants);
        CheckModules();
        for (int i = 0; i < Roster.Count; i++)
        {
            ExchangeOptions.Require(Roster[i] is not null, "roster", "null", $"client {i}");
            ExchangeOptions.Require(Roster[i].Client == i, "roster", Roster[i].Client, $"client {i}");
            ExchangeOptions.Require(Roster[i].Site >= 0 && Roster[i].Site < Roster.Count, $"site of client {i}", Roster[i].Site, $"0 to {Roster.Count - 1}");
            ExchangeOptions.Require(Roster[i].Samples >= 1, $"samples of client {i}", Roster[i].Samples, "1 or more");
        }
    }

    private void CheckModules()
    {
        ExchangeOptions.Require(Modules.Count >= 1, "lora modules", Modules.Count, "1 or more");
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (LoraModule module in Modules)
        {
            ExchangeOptions.Require(module is not null, "lora modules", "null", "a module");
            ExchangeOptions.Require(!string.IsNullOrEmpty(module!.Name) && names.Add(module.Name), "lora module", module.Name, "a name of its own");
            ExchangeOptions.Require(module.Rank >= 1, $"rank of {module.Name}", module.Rank, "1 or more");
            ExchangeOptions.Require(module is { Outputs: >= 1, Inputs: >= 1 }, $"shape of {module.Name}", $"[{module.Outputs}, {module.Inputs}]",
                "1 or more rows and columns");
        }
        int length = FederatedMethod.ExchangedLayout(AdapterLayout()).Length;
        ExchangeOptions.Require(Exchange.Segments <= length, "exchange.segments", Exchange.Segments,
            $"at most {length}, the number of entries that are exchanged");
    }
}
