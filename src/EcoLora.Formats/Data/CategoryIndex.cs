namespace EcoLora.Formats.Data;

/// <summary>The records of one category, by position in the source.</summary>
/// <param name="Name">The category, or empty for records without one.</param>
/// <param name="Records">Ascending positions.</param>
internal sealed record CategoryIndex(string Name, int[] Records)
{
    /// <summary>The categories in ordinal order of their names.</summary>
    public static IReadOnlyList<CategoryIndex> Of(IReadOnlyList<Instruction> records) =>
    [
        .. Enumerable.Range(0, records.Count)
            .GroupBy(i => records[i].Category)
            .Select(group => new CategoryIndex(group.Key, [.. group]))
            .OrderBy(category => category.Name, StringComparer.Ordinal),
    ];
}
