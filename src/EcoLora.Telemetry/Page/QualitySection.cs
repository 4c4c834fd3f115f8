using System.Globalization;

namespace EcoLora.Telemetry;

/// <summary>Held-out loss and exact match per round and per byte, and per category at the end.</summary>
internal static class QualitySection
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    private const string Spent = "All bytes so far, both ways, on a logarithmic scale. Further left is cheaper.";

    private static readonly Measure Loss = new(
        "Held-out loss", "Mean over answer tokens, in nats. Lower is better.", version => version.Loss, score => score.Loss,
        Quantity.Loss, number => number.ToString("0.0##", Invariant), null, null);

    private static readonly Measure ExactMatch = new(
        "Exact match", "Share of answers that are right to the letter. Higher is better.", version => version.ExactMatch, score => score.ExactMatch,
        Quantity.Percent, share => Math.Round(share * 100, 1).ToString("0.#", Invariant) + "%", 0, 1);

    private static readonly Measure PairLoss = Loss with { Note = "Mean DPO loss per pair, in nats; ln 2 where adapter and reference agree. Lower is better." };

    private static readonly Measure RewardAccuracy = new(
        "Reward accuracy", "Share of pairs whose chosen answer has the larger reward. Higher is better.", version => version.RewardAccuracy,
        score => score.RewardAccuracy, Quantity.Percent, ExactMatch.Tick, 0, 1);

    private static readonly Measure RewardMargin = new(
        "Reward margin", "Mean reward of the chosen answers less that of the rejected ones. Higher is better.", version => version.RewardMargin,
        score => score.RewardMargin, Quantity.Loss, Loss.Tick, null, null);

    /// <summary>A number of an evaluation and how it is shown; From and To are the ends of its axis where they are fixed.</summary>
    private sealed record Measure(
        string Name, string Note, Func<Evaluation, double?> Whole, Func<CategoryScore, double?> Part,
        Func<double?, string> Text, Func<double, string> Tick, double? From, double? To);

    public static void AddTo(Markup html, RunReport report)
    {
        string records = report.Data.HeldOut is { } heldOut ? $"{Quantity.Count(heldOut)} held-out records" : "held-out records";
        html.Add($"<h2 id=\"quality\">Quality</h2>\n<p>The published adapter on {records} that no client trains on, after each round.</p>\n");
        AddLegend(html, report);
        html.Add($"<div class=\"grid2\">\n");
        // A data set whose answers cannot be scored to the letter has no plots of exact match.
        Measure[] measures = Has(version => version.RewardMargin) ? [PairLoss, RewardAccuracy, RewardMargin] : Has(version => version.ExactMatch) ? [Loss, ExactMatch] : [Loss];
        foreach (Measure measure in measures)
        {
            Plot(report, measure, $"{measure.Name} per round", measure.Note, perByte: false).AddTo(html);
            Plot(report, measure, $"{measure.Name} per megabyte", Spent, perByte: true).AddTo(html);
        }
        foreach (Measure measure in measures) AddCategories(html, report, measure);
        html.Add($"</div>\n");

        bool Has(Func<Evaluation, double?> measured) =>
            report.Arms.Any(arm => new[] { arm.Before, arm.Final }.Any(version => version is not null && measured(version) is not null));
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

    private static LinePlot Plot(RunReport report, Measure measure, string title, string note, bool perByte)
    {
        Series[] series = [.. report.Arms.Select((arm, i) => new Series(arm.Name, i, i, Stroke.Solid, Points(arm, measure, perByte), i)).Reverse()];
        double[] xs = [.. series.SelectMany(line => line.Points).Select(point => point.X)];
        IEnumerable<double> ys = series.SelectMany(line => line.Points).Select(point => point.Y);
        Axis x = perByte ? Axis.Log("bytes, up and down", xs, Quantity.Tick) : Axis.Rounds(-1, xs.Length == 0 ? 0 : (int)xs.Max());
        return new LinePlot(title, note, x, Axis.Linear(measure.Name.ToLowerInvariant(), ys, measure.Tick, measure.From), series);
    }

    private static PlotPoint[] Points(ArmReport arm, Measure measure, bool perByte)
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
            if (measure.Whole(version) is { } value && double.IsFinite(value)) points.Add(new PlotPoint(x, value, where, $"{arm.Name}: {measure.Text(value)}"));
        }
    }

    private static void AddCategories(Markup html, RunReport report, Measure measure)
    {
        string[] categories = [.. report.Arms.SelectMany(arm => arm.Final?.PerCategory ?? []).Select(score => score.Category).Distinct(StringComparer.Ordinal)];
        var dots = new List<Dots>();
        if (report.Arms[0].Before is { } before) dots.Add(new Dots("before training", 4, 3, -1, Values(before)));
        for (int i = report.Arms.Count - 1; i >= 0; i--)
            if (report.Arms[i].Final is { } final)
                dots.Add(new Dots(report.Arms[i].Name, i, i, i, Values(final)));
        Axis axis = Axis.Linear("", dots.SelectMany(series => series.Values), measure.Tick, measure.From, measure.To);
        new DotPlot(
            measure.Name + " per category", "Final version of each arm; the grey diamond is before training.", axis, categories, dots,
            value => measure.Text(value)).AddTo(html);

        double[] Values(Evaluation version) =>
        [
            .. categories.Select(category => version.PerCategory.FirstOrDefault(score => score.Category == category) is { } score
                ? measure.Part(score) ?? double.NaN
                : double.NaN),
        ];
    }
}
