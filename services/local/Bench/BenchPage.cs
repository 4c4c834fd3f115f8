using System.Text;
using System.Text.Json.Nodes;

namespace EcoLora.Local.Bench;

/// <summary>A bench's tables as a page, and its result for programs beside it.</summary>
internal static class BenchPage
{
    /// <summary>Writes NAME.md and NAME.json.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="name">Of both files.</param>
    /// <param name="introduction">What stands above the tables.</param>
    /// <param name="tables">The tables.</param>
    /// <param name="result">The same for programs.</param>
    public static void Write(string folder, string name, string introduction, IEnumerable<ResultTable> tables, JsonObject result)
    {
        var page = new StringBuilder(introduction).Append('\n');
        foreach (ResultTable table in tables)
        {
            page.Append('\n').Append(table.Title).Append("\n\n| ").AppendJoin(" | ", table.Headings).Append(" |\n|").Append(string.Concat(Enumerable.Repeat(" --- |", table.Headings.Count)));
            foreach (IReadOnlyList<string> row in table.Rows) page.Append("\n| ").AppendJoin(" | ", row).Append(" |");
            page.Append('\n');
        }
        OutputFile.Write(Path.Combine(folder, name + ".md"), stream => stream.Write(Encoding.UTF8.GetBytes(page.ToString())));
        OutputFile.Write(Path.Combine(folder, name + ".json"), stream => stream.Write(Encoding.UTF8.GetBytes(ResultTable.Text(result) + "\n")));
    }
}
