namespace EcoLora.Telemetry;

/// <summary>A point of a plot.</summary>
/// <param name="X">On the x axis.</param>
/// <param name="Y">On the y axis; a point without a place on the axes is left out.</param>
/// <param name="Where">Heading of its tooltip, such as <c>round 3</c>.</param>
/// <param name="Text">Line of its tooltip.</param>
internal readonly record struct PlotPoint(double X, double Y, string Where, string Text);

/// <summary>How a series is drawn.</summary>
internal enum Stroke
{
    /// <summary>A full line with markers.</summary>
    Solid,

    /// <summary>A dashed line with markers.</summary>
    Dashed,

    /// <summary>Markers only.</summary>
    None,

    /// <summary>Large hollow markers only, seen around a line that hides them.</summary>
    Ring,
}

/// <summary>A series of a plot. Colour and shape tell it apart, so that neither alone has to.</summary>
/// <param name="Name">For the legend and the line's end.</param>
/// <param name="Colour">Index of the palette.</param>
/// <param name="Shape">Index of the marker.</param>
/// <param name="Stroke">How it is drawn.</param>
/// <param name="Points">In drawing order.</param>
/// <param name="Arm">The arm that a legend button hides, or −1.</param>
internal sealed record Series(string Name, int Colour, int Shape, Stroke Stroke, IReadOnlyList<PlotPoint> Points, int Arm = -1);

/// <summary>A plot of lines and points as inline SVG; numbers show as tooltips and stand in the page's tables.</summary>
/// <param name="Title">Figure caption.</param>
/// <param name="Note">A line below the caption, or empty.</param>
/// <param name="X">The x axis.</param>
/// <param name="Y">The y axis.</param>
/// <param name="Series">What is drawn, the last on top.</param>
/// <param name="Names">Whether the lines are named at their ends, for plots without a legend.</param>
/// <param name="Wide">Whether it takes the page's whole width.</param>
internal sealed record LinePlot(string Title, string Note, Axis X, Axis Y, IReadOnlyList<Series> Series, bool Names = false, bool Wide = false)
{
    private const double Height = 300, Left = 72, Top = 14, Bottom = 252;

    private double Width => Wide ? 1160 : 520;

    private double Right => Names ? 420 : Width - 14;

    /// <summary>Adds the figure.</summary>
    public void AddTo(Markup html)
    {
        html.Add($"<figure class=\"panel{(Wide ? " wide" : "")}\"><figcaption><b>{Title}</b><span>{Note}</span></figcaption>");
        if (!Series.Any(series => Drawn(series).Any()))
        {
            html.Add($"<p class=\"empty\">Nothing measured.</p></figure>\n");
            return;
        }
        html.Add(
            $"<div class=\"scroll\"><svg class=\"plot{(Wide ? " many" : "")}\" viewBox=\"0 0 {Width} {Height}\" role=\"img\" tabindex=\"0\" "
            + $"data-by=\"{(X.IsLog ? "point" : "column")}\" aria-label=\"{Title}. {Summary()}\">\n");
        AddAxes(html);
        html.Add($"<line class=\"guide\" x1=\"0\" x2=\"0\" y1=\"{Top}\" y2=\"{Bottom}\"/>\n");
        foreach (Series series in Series) AddSeries(html, series);
        if (Names) AddNames(html);
        html.Add($"</svg></div></figure>\n");
    }

    /// <summary>Adds a marker's path.</summary>
    public static void AddMarker(Markup html, double x, double y, int shape, double size, string kind, PlotPoint point)
    {
        html.Add($"<path class=\"{kind}\" d=\"");
        switch (shape % 5)
        {
            case 0: html.Add($"M{x - size},{y}a{size},{size} 0 1,0 {2 * size},0a{size},{size} 0 1,0 {-2 * size},0z"); break;
            case 1: html.Add($"M{x - (size * 0.9)},{y - (size * 0.9)}h{1.8 * size}v{1.8 * size}h{-1.8 * size}z"); break;
            case 2: html.Add($"M{x},{y - (1.2 * size)}l{1.15 * size},{2 * size}h{-2.3 * size}z"); break;
            case 3: html.Add($"M{x},{y - (1.3 * size)}l{1.3 * size},{1.3 * size}l{-1.3 * size},{1.3 * size}l{-1.3 * size},{-1.3 * size}z"); break;
            default: html.Add($"M{x - size},{y - size}l{2 * size},{2 * size}m0,{-2 * size}l{-2 * size},{2 * size}"); break;
        }
        html.Add($"\" data-x=\"{x}\" data-y=\"{y}\"><title>{point.Where}\n{point.Text}</title></path>");
    }

    private IEnumerable<PlotPoint> Drawn(Series series) => series.Points.Where(point => X.Holds(point.X) && Y.Holds(point.Y));

    private string Summary() => string.Join("; ", Series.Where(series => Drawn(series).Any()).Select(series =>
        $"{series.Name}: {Drawn(series).First().Text} ({Drawn(series).First().Where}) to {Drawn(series).Last().Text} ({Drawn(series).Last().Where})"));

    private void AddAxes(Markup html)
    {
        foreach (double tick in Y.Ticks(5))
        {
            double y = Y.At(tick, Bottom, Top);
            html.Add(
                $"<line class=\"grid\" x1=\"{Left}\" x2=\"{Right}\" y1=\"{y}\" y2=\"{y}\"/>"
                + $"<text class=\"tick\" x=\"{Left - 8}\" y=\"{y + 4}\" text-anchor=\"end\">{Y.Format(tick)}</text>\n");
        }
        foreach (double tick in X.Ticks(X.Label == "round" ? 8 : 5))
        {
            double x = X.At(tick, Left, Right);
            html.Add(
                $"<line class=\"notch\" x1=\"{x}\" x2=\"{x}\" y1=\"{Bottom}\" y2=\"{Bottom + 5}\"/>"
                + $"<text class=\"tick\" x=\"{x}\" y=\"{Bottom + 20}\" text-anchor=\"middle\">{X.Format(tick)}</text>\n");
        }
        html.Add($"<line class=\"base\" x1=\"{Left}\" x2=\"{Right}\" y1=\"{Bottom}\" y2=\"{Bottom}\"/>");
        html.Add($"<text class=\"axis\" x=\"{(Left + Right) / 2}\" y=\"{Height - 6}\" text-anchor=\"middle\">{X.Label}</text>");
        html.Add($"<text class=\"axis up\" transform=\"translate(11 {(Top + Bottom) / 2}) rotate(-90)\" text-anchor=\"middle\">{Y.Label}</text>\n");
    }

    private void AddSeries(Markup html, Series series)
    {
        html.Add($"<g class=\"c{series.Colour % 8}\" data-arm=\"{series.Arm}\">");
        if (series.Stroke is Stroke.Solid or Stroke.Dashed)
        {
            html.Add($"<polyline class=\"line{(series.Stroke == Stroke.Dashed ? " dashed" : "")}\" points=\"");
            foreach (PlotPoint point in Drawn(series)) html.Add($"{X.At(point.X, Left, Right)},{Y.At(point.Y, Bottom, Top)} ");
            html.Add($"\"/>");
        }
        double size = (series.Stroke == Stroke.Ring ? 6 : 3.6) * (Series.Max(line => line.Points.Count) > 24 && !Wide ? 0.65 : 1);
        string kind = series.Stroke == Stroke.Ring ? "mark ring" : series.Shape % 5 == 4 ? "mark cross" : "mark";
        foreach (PlotPoint point in Drawn(series)) AddMarker(html, X.At(point.X, Left, Right), Y.At(point.Y, Bottom, Top), series.Shape, size, kind, point);
        html.Add($"</g>\n");
    }

    /// <summary>Names at the line ends, pushed apart so that none covers another.</summary>
    private void AddNames(Markup html)
    {
        const double Apart = 14;
        var names = Series.Where(series => Drawn(series).Any())
            .Select(series => (series.Name, series.Colour, Y: Y.At(Drawn(series).Last().Y, Bottom, Top)))
            .OrderBy(name => name.Y).ToArray();
        for (int i = 1; i < names.Length; i++) names[i].Y = Math.Max(names[i].Y, names[i - 1].Y + Apart);
        double limit = Bottom;
        for (int i = names.Length - 1; i >= 0; i--, limit -= Apart) names[i].Y = Math.Min(names[i].Y, limit);
        foreach ((string name, int colour, double y) in names) html.Add($"<text class=\"name c{colour % 8}\" x=\"{Right + 8}\" y=\"{y + 4}\">{name}</text>");
    }
}
