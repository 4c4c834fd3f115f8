using EcoLora.Formats.Data;
using EcoLora.Hosting;
using EcoLora.Numerics;

namespace EcoLora.Services.Trainer;

/// <summary>The records of a run: who trains on which, and which are held out.</summary>
/// <param name="Partition">Training records by client.</param>
/// <param name="HeldOut">Records that no client trains on.</param>
/// <param name="Dropped">Records left out for want of an answer.</param>
public sealed record ClientData(Partition Partition, IReadOnlyList<Instruction> HeldOut, int Dropped)
{
    /// <summary>Reads the files, splits off the held-out records and spreads the rest over the clients, as the run file says.</summary>
    /// <exception cref="FormatException">A file is not a data set, or the records do not suffice.</exception>
    public static ClientData Load(RunFile file)
    {
        if (file.Data.Files.Count == 0) throw new ArgumentException("data.files: expected at least one file (or --data), found none");
        List<InstructionDataSet> sets = [.. file.Data.Files.Select(InstructionFile.Read)];
        int dropped = sets.Sum(set => set.DroppedWithoutAnswer);
        HeldOutSplit split = Split(file, [.. sets.SelectMany(set => set.Records)]);
        IReadOnlyList<Instruction> heldOut = file.Evaluation.Records is { } cap && cap < split.HeldOut.Count
            ? HeldOutSplit.ByCount(split.HeldOut, cap, new RandomStream(file.Seed, "evaluation-records")).HeldOut
            : split.HeldOut;
        return new ClientData(Spread(file, sets, split), heldOut, dropped);
    }

    /// <summary>The site that hosts a client: clients are spread in blocks of nearly equal size.</summary>
    public static int SiteOf(int client, int clients, int sites) => (int)((long)client * sites / clients);

    private static HeldOutSplit Split(RunFile file, IReadOnlyList<Instruction> records)
    {
        var random = new RandomStream(file.Seed, "held-out");
        double heldOut = file.Data.HeldOut;
        return heldOut < 1 ? HeldOutSplit.ByFraction(records, heldOut, random) : HeldOutSplit.ByCount(records, (int)heldOut, random);
    }

    private static Partition Spread(RunFile file, List<InstructionDataSet> sets, HeldOutSplit split)
    {
        var random = new RandomStream(file.Seed, "partition");
        int clients = file.Federation.Clients, minimum = file.Partition.Minimum;
        return file.Partition.Scheme switch
        {
            "iid" => Partition.Iid(split.Training, clients, minimum, random),
            "dirichlet" => Partition.Dirichlet(split.Training, clients, file.Partition.Alpha, minimum, random),
            "category" => Partition.ByCategory(split.Training, clients, minimum, random),
            _ => Partition.ByFile([.. sets.Select(set => set.File)]).Without(split.HeldOut),
        };
    }
}
