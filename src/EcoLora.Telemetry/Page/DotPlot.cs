namespace EcoLora.Telemetry;

/// <summary>One series of a <see cref="DotPlot"/>.</summary>
/// <param name="Name">For tooltips.</param>
/// <param name="Colour">Index of the palette.</param>
/// <param name="Shape">Index of the marker.</param>
/// <param name="Arm">The arm that a legend button hides, or −1.</param>
/// <param name="Values">One per row; not finite is left out.</param>
internal sealed record Dots(string Name, int Colour, int Shape, int Arm, IReadOnlyList<double> Values);

/// <summary>Rows of named dots on a common axis, joined from the first series to the last.</summary>
/// <param name="Title">Figure caption.</param>
/// <param name="Note">A line below the caption.</param>
/// <param name="X">The axis.</param>
/// <param name="Rows">Names of the rows.</param>
/// <param name="Series">The first is where a row starts, the last is drawn on top.</param>
/// <param name="Text">A value for people.</param>
internal sealed record DotPlot(string Title, string Note, Axis X, IReadOnlyList<string> Rows, IReadOnlyList<Dots> Series, Func<double, string> Text)
{
    private const double Left = 128, Right = 500, RowHeight = 27, Top = 8;

    /// <summary>Adds the figure.</summary>
    public void AddTo(Markup html)
    {
        html.Add($"<figure class=\"panel\"><figcaption><b>{Title}</b><span>{Note}</span></figcaption>");
        if (Rows.Count == 0 || !Series.Any(series => series.Values.Any(double.IsFinite)))
        {
            html.Add($"<p class=\"empty\">Nothing measured.</p></figure>\n");
            return;
        }
        double bottom = Top + (RowHeight * Rows.Count);
        html.Add($"<svg class=\"plot\" viewBox=\"0 0 520 {bottom + 28}\" role=\"img\" tabindex=\"0\" data-by=\"point\" aria-label=\"{Title}. {Summary()}\">\n");
        foreach (double tick in X.Ticks())
        {
            double x = X.At(tick, Left, Right);
            html.Add(
                $"<line class=\"grid\" x1=\"{x}\" x2=\"{x}\" y1=\"{Top}\" y2=\"{bottom}\"/>"
                + $"<text class=\"tick\" x=\"{x}\" y=\"{bottom + 18}\" text-anchor=\"middle\">{X.Format(tick)}</text>\n");
        }
        for (int row = 0; row < Rows.Count; row++) AddRow(html, row);
        html.Add($"</svg></figure>\n");
    }

    private void AddRow(Markup html, int row)
    {
        double y = Top + (RowHeight * (row + 0.5));
        string name = Rows[row];
        html.Add($"<text class=\"tick\" x=\"{Left - 12}\" y=\"{y + 4}\" text-anchor=\"end\">{(name.Length > 16 ? name[..15] + "…" : name)}</text>");
        double from = Series[0].Values[row], to = Series[^1].Values[row];
        if (double.IsFinite(from) && double.IsFinite(to))
            html.Add(
                $"<line class=\"span\" x1=\"{X.At(from, Left, Right)}\" x2=\"{X.At(to, Left, Right)}\" y1=\"{y}\" y2=\"{y}\"/>");
        int arms = Series.Max(dots => dots.Arm);
        foreach (Dots dots in Series)
        {
            if (!double.IsFinite(dots.Values[row])) continue;
            // Arms that agree stay visible in lanes of their own.
            double lane = dots.Arm < 0 ? 0 : (dots.Arm - (arms / 2.0)) * Math.Min(7, 14.0 / Math.Max(1, arms));
            html.Add($"<g class=\"c{dots.Colour % 8}\" data-arm=\"{dots.Arm}\">");
            var point = new PlotPoint(0, 0, name, $"{dots.Name}: {Text(dots.Values[row])}");
            LinePlot.AddMarker(html, X.At(dots.Values[row], Left, Right), y + lane, dots.Shape, 4.2, "mark", point);
            html.Add($"</g>\n");
        }
    }

    private string Summary() => string.Join("; ", Rows.Select((name, row) =>
        $"{name}: " + string.Join(", ", Series.Where(dots => double.IsFinite(dots.Values[row])).Select(dots => $"{dots.Name} {Text(dots.Values[row])}"))));
}
