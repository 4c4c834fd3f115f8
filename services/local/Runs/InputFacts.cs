using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Formats.Data;
using EcoLora.Hosting;
using EcoLora.Services.Trainer;
using EcoLora.Telemetry;

namespace EcoLora.Local.Runs;

/// <summary>What the report shows of a run's model and data.</summary>
public static class InputFacts
{
    /// <summary>Parameters of the adapter.</summary>
    public static int LoraParameters(RunInput input) => LoraLayout.Of(input.Modules).Length;

    /// <summary>The model.</summary>
    public static ModelFacts Model(RunFile file, RunInput input)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(file.Model!));
        Training.LoraOptions lora = OptionMap.LoraOf(file.Lora);
        return new ModelFacts(name, input.Model.Layout.Length, LoraParameters(input), lora.Rank, lora.Alpha, lora.TargetNames);
    }

    /// <summary>The data, with the sites of the plan.</summary>
    public static DataFacts Data(RunFile file, Services.Trainer.ClientData data, RunPlan plan)
    {
        PartitionTable table = PartitionTable.Of(data.Clients);
        return new DataFacts(
            string.Join(", ", file.Data.Files.Select(Path.GetFileName)), data.Clients.Sum(c => c.Count) + data.HeldOut.Count, data.HeldOut.Count, data.Dropped,
            JournalReport.PartitionOf(file),
            table.Categories,
            [.. plan.Roster.Select(enrolment => new Telemetry.ClientData(
                ArmFactsOf.ClientName(enrolment.Client), ArmFactsOf.SiteName(plan, enrolment.Site), enrolment.Samples, table.Counts[enrolment.Client]))]);
    }
}
