namespace EcoLora.Formats.Data;

/// <summary>How many records of each category each client has.</summary>
/// <param name="Categories">Names of the columns, in ordinal order; the empty name stands for records without a category.</param>
/// <param name="Counts">Counts[client][category].</param>
public sealed record PartitionTable(IReadOnlyList<string> Categories, IReadOnlyList<IReadOnlyList<int>> Counts)
{
    /// <summary>Counts the records of each client.</summary>
    public static PartitionTable Of(IReadOnlyList<IReadOnlyList<Instruction>> clients)
    {
        string[] categories = [.. clients.SelectMany(client => client).Select(record => record.Category).Distinct().Order(StringComparer.Ordinal)];
        Dictionary<string, int> columns = categories.Select((name, column) => (name, column)).ToDictionary(pair => pair.name, pair => pair.column);
        int[][] counts = [.. clients.Select(_ => new int[categories.Length])];
        for (int client = 0; client < counts.Length; client++)
            foreach (Instruction record in clients[client])
                counts[client][columns[record.Category]]++;
        return new PartitionTable(categories, counts);
    }
}
