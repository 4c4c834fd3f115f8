using EcoLora.Codec;
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

    /// <summary>The data.</summary>
    public static DataFacts Data(RunFile file, Services.Trainer.ClientData data)
    {
        PartitionTable table = PartitionTable.Of(data.Clients);
        int clients = data.Clients.Count;
        return new DataFacts(
            string.Join(", ", file.Data.Files.Select(Path.GetFileName)), data.Clients.Sum(c => c.Count) + data.HeldOut.Count, data.HeldOut.Count, data.Dropped,
            file.Partition.Scheme == "dirichlet" ? FormattableString.Invariant($"dirichlet({file.Partition.Alpha})") : file.Partition.Scheme,
            table.Categories,
            [.. data.Clients.Select((records, client) => new Telemetry.ClientData(
                ArmFactsOf.ClientName(client), ArmFactsOf.SiteName(Services.Trainer.ClientData.SiteOf(client, clients, file.Federation.Sites)), records.Count, table.Counts[client]))]);
    }
}
