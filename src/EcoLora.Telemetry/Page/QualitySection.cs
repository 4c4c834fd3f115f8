namespace EcoLora.Telemetry;

/// <summary>Held-out loss and exact match per round and per byte, and per category at the end.</summary>
internal static class QualitySection
{
    public static void AddTo(Markup html, RunReport report)
    {
        html.Add(
            $"<h2 id=\"quality\">Quality</h2>\n<p>The published adapter on {Quantity.Count(report.Data.HeldOut)} held-out records that no client trains "
            + $"on, after each round.</p>\n");
        AddLegend(html, report);
        html.Add($"<div class=\"grid2\">\n");
        AddMeasure(
            html, report, "Held-out loss", "Mean over answer tokens, in nats. Lower is better.", "loss", version => version.Loss, score => score.Loss,
            Quantity.Loss, number => number.ToString("0.0##", Invariant), from: null, to: null);
        // A data set whose answers cannot be scored to the letter has no such plots.
        if (report.Arms.Any(arm => arm.Before?.ExactMatch is not null || arm.Final?.ExactMatch is not null))
            AddMeasure(
                html, report, "Exact match", "Share of answers that are right to the letter. Higher is better.", "exact match", version => version.ExactMatch,
                score => score.ExactMatch, Quantity.Percent, share => Math.Round(share * 100, 1).ToString("0.#", Invariant) + "%", from: 0, to: 1);
        html.Add($"</div>\n");
    }

    private static readonly System.Globalization.CultureInfo Invariant = System.Globalization.CultureInfo.InvariantCulture;

    private static void AddMeasure(
        Markup html, RunReport report, string name, string note, string label, Func<Evaluation, double?> whole, Func<CategoryScore, double?> part,
        Func<double?, string> text, Func<double, string> tick, double? from, double? to)
    {
        Plot(report, name + " per round", note, label, whole, text, tick, from, perByte: false).AddTo(html);
        const string Spent = "All bytes so far, both ways, on a logarithmic scale. Further left is cheaper.";
        Plot(report, name + " per megabyte", Spent, label, whole, text, tick, from, perByte: true).AddTo(html);
        AddCategories(html, report, name + " per category", part, text, tick, from, to);
    }

    private static void AddLegend(Markup html, RunReport report)
    {
        html.Add($"<ul class=\"legend\" aria-label=\"Show or hide arms\">\n");
        for (int i = 0; i < report.Arms.Count; i++)
        {
            html.Add(
                $"<li><button type=\"button\" disabled aria-pressed=\"true\" data-arm=\"{i}\">"
                + $"<svg viewBox=\"0 0 30 12\" aria-hidden=\"true\" class=\"c{i % 8}\"><path class=\"line\" d=\"M1,6h28\"/>");
            LinePlot.AddMarker(html, 15, 6, i, 3.8, "mark", default);
            html.Add($"</svg>{report.Arms[i].Name}</button></li>\n");
        }
        html.Add($"</ul>\n");
    }

    private static LinePlot Plot(
        RunReport report, string title, string note, string label, Func<Evaluation, double?> measure, Func<double?, string> text, Func<double, string> tick,
        double? from, bool perByte)
    {
        Series[] series = [.. report.Arms.Select((arm, i) => new Series(arm.Name, i, i, Stroke.Solid, Points(arm, measure, text, perByte), i)).Reverse()];
        double[] xs = [.. series.SelectMany(line => line.Points).Select(point => point.X)];
        IEnumerable<double> ys = series.SelectMany(line => line.Points).Select(point => point.Y);
        Axis x = perByte ? Axis.Log("bytes, up and down", xs, Quantity.Tick) : Axis.Rounds(-1, xs.Length == 0 ? 0 : (int)xs.Max());
        return new LinePlot(title, note, x, Axis.Linear(label, ys, tick, from), series);
    }

    private static PlotPoint[] Points(ArmReport arm, Func<Evaluation, double?> measure, Func<double?, string> text, bool perByte)
    {
        var points = new List<PlotPoint>();
        if (!perByte && arm.Before is { } start) Add(-1, "start", start);
        long bytes = 0;
        foreach (RoundReport round in arm.Rounds)
        {
            bytes += round.Bytes.TotalBytes;
            if (round.HeldOut is not { } version) continue;
            string where = $"after round {round.Round.ToString(Invariant)}";
            if (perByte) Add(bytes, $"{where}, {Quantity.Bytes(bytes)}", version);
            else Add(round.Round, where, version);
        }
        return [.. points];

        void Add(double x, string where, Evaluation version)
        {
            if (measure(version) is { } value && double.IsFinite(value)) points.Add(new PlotPoint(x, value, where, $"{arm.Name}: {text(value)}"));
        }
    }

    private static void AddCategories(
        Markup html, RunReport report, string title, Func<CategoryScore, double?> measure, Func<double?, string> text, Func<double, string> tick,
        double? from, double? to)
    {
        string[] categories = [.. report.Arms.SelectMany(arm => arm.Final?.PerCategory ?? []).Select(score => score.Category).Distinct(StringComparer.Ordinal)];
        var dots = new List<Dots>();
        if (report.Arms[0].Before is { } before) dots.Add(new Dots("before training", 4, 3, -1, Values(before)));
        for (int i = report.Arms.Count - 1; i >= 0; i--)
            if (report.Arms[i].Final is { } final)
                dots.Add(new Dots(report.Arms[i].Name, i, i, i, Values(final)));
        Axis axis = Axis.Linear("", dots.SelectMany(series => series.Values), tick, from, to);
        new DotPlot(title, "Final version of each arm; the grey diamond is before training.", axis, categories, dots, value => text(value)).AddTo(html);

        double[] Values(Evaluation version) =>
        [
            .. categories.Select(category => version.PerCategory.FirstOrDefault(score => score.Category == category) is { } score
                ? measure(score) ?? double.NaN
                : double.NaN),
        ];
    }
}
