namespace EcoLora.Telemetry;

/// <summary>A row of a <see cref="BarTable"/>.</summary>
/// <param name="Name">Row heading.</param>
/// <param name="Colour">Index of the palette.</param>
/// <param name="Reference">Whether it is something computed rather than sent, drawn lighter.</param>
/// <param name="Value">Length of the bar, not negative.</param>
/// <param name="Text">The value for people.</param>
/// <param name="Remark">A second number, or empty.</param>
internal sealed record Bar(string Name, int Colour, bool Reference, double Value, string Text, string Remark);

/// <summary>Horizontal bars in a table: the numbers are text, so the figure reads the same aloud, on paper and on a small screen.</summary>
/// <param name="Title">Caption.</param>
/// <param name="Note">A line below the caption, or empty.</param>
/// <param name="Rows">From the top.</param>
internal sealed record BarTable(string Title, string Note, IReadOnlyList<Bar> Rows)
{
    /// <summary>Adds the figure.</summary>
    public void AddTo(Markup html)
    {
        double max = Math.Max(double.Epsilon, Rows.Max(row => row.Value));
        html.Add($"<figure class=\"panel\"><figcaption><b>{Title}</b><span>{Note}</span></figcaption><table class=\"bars\">\n");
        foreach (Bar row in Rows)
        {
            html.Add($"<tr class=\"c{row.Colour % 8}{(row.Reference ? " reference" : "")}\"><th scope=\"row\">{row.Name}</th>");
            html.Add(
                $"<td class=\"barcell\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
                + $"<rect width=\"{Math.Max(row.Value > 0 ? 0.4 : 0, 100 * row.Value / max)}\" height=\"10\"/></svg></td>");
            html.Add($"<td>{row.Text}</td><td class=\"dim\">{row.Remark}</td></tr>\n");
        }
        html.Add($"</table></figure>\n");
    }
}
