using EcoLora.Formats.Data;
using EcoLora.Hosting;
using EcoLora.Numerics;

namespace EcoLora.Services.Trainer;

/// <summary>The records of a run: who trains on which, and which are held out.</summary>
/// <param name="Clients">Training records by client; none for a client whose file is elsewhere.</param>
/// <param name="HeldOut">Records that no client trains on.</param>
/// <param name="Dropped">Records left out for want of an answer, or of two that differ.</param>
public sealed record ClientData(IReadOnlyList<IReadOnlyList<Instruction>> Clients, IReadOnlyList<Instruction> HeldOut, int Dropped)
{
    /// <summary>
    /// Reads the files, splits off the held-out records and spreads the rest over the clients, as the run file says. With a file per client each file is split by
    /// itself, so that a site needs no other site's file and trains on the same records as if it had them all.
    /// </summary>
    /// <param name="file">The run file.</param>
    /// <param name="hosts">The clients whose own files are here; null for all.</param>
    /// <exception cref="FormatException">A file is not a data set, or the records do not suffice.</exception>
    public static ClientData Load(RunFile file, Func<int, bool>? hosts = null)
    {
        if (file.Data.Files.Count == 0) throw new ArgumentException("data.files: expected at least one file (or --data), found none");
        ClientData data = file.Partition.Scheme == "file" ? OfFiles(file, hosts ?? (_ => true)) : Dealt(file);
        return file.Evaluation.Records is { } cap && cap < data.HeldOut.Count
            ? data with { HeldOut = HeldOutSplit.ByCount(data.HeldOut, cap, new RandomStream(file.Seed, "evaluation-records")).HeldOut }
            : data;
    }

    /// <summary>The site that hosts a client of a run in one process: clients are spread in blocks of nearly equal size.</summary>
    public static int SiteOf(int client, int clients, int sites) => (int)((long)client * sites / clients);

    private static ClientData OfFiles(RunFile file, Func<int, bool> hosts)
    {
        var clients = new List<IReadOnlyList<Instruction>>();
        var heldOut = new List<Instruction>();
        int dropped = 0;
        for (int client = 0; client < file.Data.Files.Count; client++)
        {
            if (!hosts(client))
            {
                clients.Add([]);
                continue;
            }
            try
            {
                InstructionDataSet set = Read(file, file.Data.Files[client]);
                HeldOutSplit split = Split(file, set.Records, new RandomStream(file.Seed, "held-out", client));
                clients.Add(split.Training);
                heldOut.AddRange(split.HeldOut);
                dropped += set.DroppedWithoutAnswer;
            }
            catch (Exception error) when (error is DataSetException or PartitionException)
            {
                throw new PartitionException($"client {client}: {error.Message}", error);
            }
        }
        return new ClientData(clients, heldOut, dropped);
    }

    private static ClientData Dealt(RunFile file)
    {
        List<InstructionDataSet> sets = [.. file.Data.Files.Select(each => Read(file, each))];
        HeldOutSplit split = Split(file, [.. sets.SelectMany(set => set.Records)], new RandomStream(file.Seed, "held-out"));
        var random = new RandomStream(file.Seed, "partition");
        int clients = file.Federation.Clients, minimum = file.Partition.Minimum;
        Partition partition = file.Partition.Scheme switch
        {
            "iid" => Partition.Iid(split.Training, clients, minimum, random),
            "dirichlet" => Partition.Dirichlet(split.Training, clients, file.Partition.Alpha, minimum, random),
            _ => Partition.ByCategory(split.Training, clients, minimum, random),
        };
        return new ClientData(partition.Clients, split.HeldOut, sets.Sum(set => set.DroppedWithoutAnswer));
    }

    private static InstructionDataSet Read(RunFile file, string path) => file.Dpo is null ? InstructionFile.Read(path) : PreferenceFile.Read(path);

    private static HeldOutSplit Split(RunFile file, IReadOnlyList<Instruction> records, RandomStream random)
    {
        double heldOut = file.Data.HeldOut;
        return heldOut < 1 ? HeldOutSplit.ByFraction(records, heldOut, random) : HeldOutSplit.ByCount(records, (int)heldOut, random);
    }
}
