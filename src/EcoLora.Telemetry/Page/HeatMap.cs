namespace EcoLora.Telemetry;

/// <summary>A grid of counts as inline SVG: columns × rows, the darker the more, with the number in the cell where there is room.</summary>
/// <param name="Title">Figure caption.</param>
/// <param name="Note">A line below the caption, or empty.</param>
/// <param name="Across">What the columns are.</param>
/// <param name="Columns">Names of the columns.</param>
/// <param name="Rows">Names of the rows.</param>
/// <param name="Value">The count at (column, row).</param>
internal sealed record HeatMap(string Title, string Note, string Across, IReadOnlyList<string> Columns, IReadOnlyList<string> Rows, Func<int, int, long> Value)
{
    private const double Top = 6;

    /// <summary>Adds the figure.</summary>
    /// <param name="html">The page.</param>
    /// <param name="width">Width of the drawing in its own units.</param>
    /// <param name="zeroIsFault">Whether an empty cell is marked as something missing.</param>
    public void AddTo(Markup html, double width, bool zeroIsFault)
    {
        html.Add($"<figure class=\"panel{(width > 600 ? " wide" : "")}\"><figcaption><b>{Title}</b><span>{Note}</span></figcaption>");
        if (Columns.Count == 0 || Rows.Count == 0)
        {
            html.Add($"<p class=\"empty\">Nothing recorded.</p></figure>\n");
            return;
        }
        double left = 24 + (8.2 * Math.Min(16, Rows.Max(row => row.Length)));
        double cell = (width - left - 8) / Columns.Count;
        double height = Math.Clamp(cell, 22, 30);
        double bottom = Top + (height * Rows.Count);
        long max = Math.Max(1, Cells().Max(at => Value(at.Column, at.Row)));
        html.Add(
            $"<div class=\"scroll\"><svg class=\"plot heat{(width > 600 ? " many" : "")}\" viewBox=\"0 0 {width} {bottom + 46}\" role=\"img\" "
            + $"tabindex=\"0\" data-by=\"cell\" aria-label=\"{Title}: {Columns.Count} columns, {Rows.Count} rows, up to {max} in a cell\">\n");
        for (int row = 0; row < Rows.Count; row++)
            html.Add(
                $"<text class=\"tick\" x=\"{left - 8}\" y=\"{Top + (height * (row + 0.5)) + 4}\" text-anchor=\"end\">{Cut(Rows[row])}</text>");
        int every = (int)Math.Ceiling(Columns.Max(column => Math.Min(column.Length, 16)) * 7.5 / cell);
        for (int column = 0; column < Columns.Count; column += every)
        {
            string name = Cut(Columns[column]);
            double x = left + (cell * (column + 0.5));
            if (x + (3.8 * name.Length) > width) break;
            html.Add($"<text class=\"tick\" x=\"{x}\" y=\"{bottom + 17}\" text-anchor=\"middle\">{name}</text>");
        }
        html.Add($"<text class=\"axis\" x=\"{(left + width - 8) / 2}\" y=\"{bottom + 38}\" text-anchor=\"middle\">{Across}</text>\n");
        foreach ((int column, int row) in Cells()) AddCell(html, column, row, left, cell, height, max, zeroIsFault);
        html.Add($"</svg></div></figure>\n");
    }

    private IEnumerable<(int Column, int Row)> Cells() =>
        Enumerable.Range(0, Rows.Count).SelectMany(row => Enumerable.Range(0, Columns.Count).Select(column => (column, row)));

    private void AddCell(Markup html, int column, int row, double left, double cell, double height, long max, bool zeroIsFault)
    {
        long value = Value(column, row);
        double x = left + (cell * column), y = Top + (height * row), share = (double)value / max;
        string kind = value > 0 ? "cell" : zeroIsFault ? "cell fault" : "cell none";
        double gap = cell < 8 ? 0.5 : 2;
        html.Add(
            $"<rect class=\"{kind}\" x=\"{x}\" y=\"{y}\" width=\"{cell - gap}\" height=\"{height - 2}\" rx=\"{(cell < 8 ? 0 : 3)}\" "
            + $"fill-opacity=\"{(value == 0 ? 1 : 0.14 + (0.86 * share))}\" data-x=\"{x + (cell / 2)}\" data-y=\"{y + (height / 2)}\">");
        html.Add($"<title>{Rows[row]}, {Columns[column]}\n{value}</title></rect>");
        if (cell >= 9.5 + (7 * value.ToString(System.Globalization.CultureInfo.InvariantCulture).Length) && (value > 0 || zeroIsFault))
            html.Add(
                $"<text class=\"count{(share > 0.5 ? " on" : "")}\" x=\"{x + ((cell - gap) / 2)}\" y=\"{y + (height / 2) + 3.5}\" "
                + $"text-anchor=\"middle\">{value}</text>\n");
    }

    private static string Cut(string name) => name.Length > 16 ? name[..15] + "…" : name;
}
