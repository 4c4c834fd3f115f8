using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace EcoLora.Local;

/// <summary>A table of results: drawn on a terminal, aligned plain lines otherwise.</summary>
/// <param name="Title">One line above it, or empty.</param>
/// <param name="Headings">Column headings; the first column is text and flush left, the others are numbers and flush right.</param>
/// <param name="Rows">The rows, one cell per heading.</param>
public sealed record ResultTable(string Title, IReadOnlyList<string> Headings, IReadOnlyList<IReadOnlyList<string>> Rows)
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Writes a command's result to standard output.</summary>
    /// <param name="json">Whether <c>--json</c> was given.</param>
    /// <param name="result">The result for programs.</param>
    /// <param name="tables">The same for people.</param>
    public static void Print(bool json, JsonNode result, params IEnumerable<ResultTable> tables)
    {
        if (json) Console.Out.WriteLine(Text(result));
        else foreach (ResultTable table in tables) table.Print();
    }

    /// <summary>JSON as every command writes it.</summary>
    public static string Text(JsonNode result) => result.ToJsonString(Indented);

    /// <summary>Writes the table to standard output.</summary>
    public void Print()
    {
        if (Console.IsOutputRedirected) WritePlain(Console.Out);
        else Draw(AnsiConsole.Console);
    }

    /// <summary>Writes aligned plain lines.</summary>
    public void WritePlain(TextWriter output)
    {
        if (Title.Length > 0) output.WriteLine(Title);
        int[] widths = [.. Headings.Select((heading, column) => Rows.Select(row => row[column].Length).Append(heading.Length).Max())];
        WriteLine(Headings);
        foreach (IReadOnlyList<string> row in Rows) WriteLine(row);
        output.WriteLine();

        void WriteLine(IReadOnlyList<string> cells) =>
            output.WriteLine(string.Join("  ", cells.Select(Padded)).TrimEnd());

        string Padded(string cell, int column) => column == 0 ? cell.PadRight(widths[0]) : cell.PadLeft(widths[column]);
    }

    private void Draw(IAnsiConsole console)
    {
        Table table = new Table().RoundedBorder();
        if (Title.Length > 0) table.Title(Markup.Escape(Title));
        for (int column = 0; column < Headings.Count; column++)
        {
            var drawn = new TableColumn(Markup.Escape(Headings[column]));
            table.AddColumn(column == 0 ? drawn.LeftAligned() : drawn.RightAligned());
        }
        foreach (IReadOnlyList<string> row in Rows) table.AddRow([.. row.Select(Markup.Escape)]);
        console.Write(table);
    }
}
