using System.Reflection;
using System.Security.Cryptography;
using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Telemetry;

namespace EcoLora.Hosting;

/// <summary>The report of a run whose services are elsewhere: from its journal alone, finished or not. What only the sites know of model and data is left open.</summary>
public static class JournalReport
{
    /// <summary>The product's version.</summary>
    public static string ProductVersion { get; } =
        typeof(JournalReport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    /// <summary>Makes the report.</summary>
    /// <param name="state">The run, which is open.</param>
    /// <param name="entries">Its journal.</param>
    /// <param name="file">Its run file, as it was announced.</param>
    public static RunReport Of(RunState state, IReadOnlyList<JournalEntry> entries, RunFile file)
    {
        Arm arm = ArmOf(state.Plan);
        JsonElement options = state.Plan.Options ?? JsonSerializer.SerializeToElement(file.Values.ToJson());
        var facts = new RunFacts(state.Plan.Run, state.Plan.Seed, ProductVersion, options, ModelOf(state.Plan, file), DataOf(state, file), DecisionsOf(entries, state.Plan));
        return RunReport.Of(facts, [ArmFactsOf.Journal(arm, state)], timing: null);
    }

    /// <summary>The rounds that are complete, in numbers.</summary>
    public static ArmReport ArmReportOf(RunState state) => ArmReport.Of(ArmFactsOf.Journal(ArmOf(state.Plan), state));

    /// <summary>The ledger of the rounds that are complete.</summary>
    public static IReadOnlyList<LedgerRow> LedgerOf(RunState state) => ArmFactsOf.Journal(ArmOf(state.Plan), state).Ledger;

    /// <summary>The decisions alone: the reports between them come in the order of their arrival, which no result depends on.</summary>
    public static DecisionFacts DecisionsOf(IReadOnlyList<JournalEntry> entries, RunPlan plan)
    {
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        int count = 0;
        foreach (Decided decided in entries.OfType<Decided>())
        {
            digest.AppendData(ProtocolJson.Write(decided.Message));
            digest.AppendData("\n"u8);
            count++;
        }
        return new DecisionFacts(plan.Deadline is null ? "strict" : "deadline", count, Convert.ToHexStringLower(digest.GetHashAndReset()));
    }

    private static Arm ArmOf(RunPlan plan) => Arm.Of(plan.Options is { } options ? AnnouncedOptions.Read(options).Preset : ExchangePreset.EcoLora, plan);

    private static ModelFacts ModelOf(RunPlan plan, RunFile file)
    {
        Training.LoraOptions lora = OptionMap.LoraOf(file.Lora);
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(file.Model ?? ""));
        return new ModelFacts(name, Parameters: null, plan.AdapterLayout().Length, lora.Rank, lora.Alpha, lora.TargetNames);
    }

    private static DataFacts DataOf(RunState state, RunFile file)
    {
        RunPlan plan = state.Plan;
        int? heldOut = state.Evaluations.Count > 0 ? state.Evaluations.Values.First().Score.Records : null;
        return new DataFacts(
            string.Join(", ", file.Data.Files.Select(Path.GetFileName)), plan.Roster.Sum(enrolment => enrolment.Samples) + (heldOut ?? 0), heldOut, Dropped: null, PartitionOf(file), [],
            [.. plan.Roster.Select(enrolment => new ClientData(ArmFactsOf.ClientName(enrolment.Client), ArmFactsOf.SiteName(plan, enrolment.Site), enrolment.Samples, []))]);
    }

    /// <summary>How the clients were filled.</summary>
    public static string PartitionOf(RunFile file) =>
        file.Partition.Scheme == "dirichlet" ? FormattableString.Invariant($"dirichlet({file.Partition.Alpha})") : file.Partition.Scheme;
}
