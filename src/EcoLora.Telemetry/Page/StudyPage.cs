namespace EcoLora.Telemetry;

/// <summary>A row of a study, as means over its seeds.</summary>
/// <param name="Name">The row's name.</param>
/// <param name="Curve">Framed bytes so far and held-out loss, at each evaluation.</param>
/// <param name="Ratio">How many times fewer framed bytes than the reference in the whole run.</param>
/// <param name="Recovered">Share of the reference's improvement.</param>
public sealed record StudyCurve(string Name, IReadOnlyList<(double Bytes, double Loss)> Curve, double Ratio, double Recovered);

/// <summary>The plots of a study of methods as one file: held-out loss against bytes over the run, and what is left of the improvement against what is saved. The numbers stand in the study's tables.</summary>
public static class StudyPage
{
    /// <summary>Renders the page. A pure function.</summary>
    /// <param name="title">What the study compares. All text is escaped.</param>
    /// <param name="rows">The rows, the reference first.</param>
    /// <returns>An HTML document, to be stored as UTF-8.</returns>
    public static string Render(string title, IReadOnlyList<StudyCurve> rows) => HtmlDocument.Of($"{title} – EcoLoRA study", html =>
    {
        html.Add($"<header><h1>{title}</h1></header>\n<main>\n<div class=\"panels\">\n");
        new LinePlot(
            "Held-out loss against bytes", "frames up and down so far, each site's download counted; means over the seeds",
            Axis.Log("framed bytes", rows.SelectMany(row => row.Curve).Select(point => point.Bytes), Quantity.Tick),
            Axis.Linear("held-out loss", rows.SelectMany(row => row.Curve).Select(point => point.Loss), loss => Quantity.Loss(loss)[..^1]),
            [.. rows.Index().Select(row => new Series(row.Item.Name, row.Index, row.Index, Stroke.Solid,
                [.. row.Item.Curve.Select(point => new PlotPoint(point.Bytes, point.Loss, row.Item.Name, $"{Quantity.Bytes(point.Bytes)}, loss {Quantity.Loss(point.Loss)}"))]))],
            Wide: true).AddTo(html);
        AddLegend(html, rows);
        new LinePlot(
            "What is left of the improvement", "against how many times fewer bytes",
            Axis.Log("times fewer framed bytes", rows.Select(row => row.Ratio), ratio => Quantity.Ratio(ratio)),
            Axis.Linear("recovered", rows.Select(row => row.Recovered), Quantity.PercentTick),
            [.. rows.Index().Select(row => new Series(row.Item.Name, row.Index, row.Index, Stroke.None,
                [new PlotPoint(row.Item.Ratio, row.Item.Recovered, row.Item.Name, $"{Quantity.Ratio(row.Item.Ratio)}, {Quantity.Percent(row.Item.Recovered)}")]))],
            Wide: true).AddTo(html);
        html.Add($"</div>\n</main>\n");
    });

    private static void AddLegend(Markup html, IReadOnlyList<StudyCurve> rows)
    {
        html.Add($"<p class=\"legend\">");
        foreach ((int index, StudyCurve row) in rows.Index())
        {
            html.Add($"<span class=\"c{index % 8}\"><svg class=\"key\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">");
            LinePlot.AddMarker(html, 8, 8, index, 5, index % 5 == 4 ? "mark cross" : "mark", new PlotPoint(0, 0, row.Name, ""));
            html.Add($"</svg> {row.Name}</span> ");
        }
        html.Add($"</p>\n");
    }
}
