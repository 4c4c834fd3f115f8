using System.Globalization;

namespace EcoLora.Telemetry;

/// <summary>Density of A and B beside the scheduled k, and how often each segment was covered.</summary>
internal static class SparsitySection
{
    public static void AddTo(Markup html, RunReport report)
    {
        ArmReport arm = report.Arms[0];
        html.Add(
            $"<h2 id=\"sparsity\">Density and coverage</h2>\n<p>Share of entries that each round sends. The schedule sets k for the uplink from the "
            + $"falling training loss; the downlink has its own.</p>\n<div class=\"grid2\">\n");
        if (arm.Totals.Up.EntriesA > 0 || arm.Rounds.Count == 0)
            Density(arm, "Density of A", round => round.DensityA, round => round.DownDensityA, round => round.KA).AddTo(html);
        Density(arm, "Density of B", round => round.DensityB, round => round.DownDensityB, round => round.KB).AddTo(html);
        if (arm.Rounds.Any(round => round.ServerResidual > 0)) ServerResidual(arm).AddTo(html);
        new HeatMap(
            "Coverage of the segments", "Accepted updates per segment and round. A framed 0 is a segment that nobody delivered: it keeps its value.", "round",
            [.. arm.Rounds.Select(round => round.Round.ToString(CultureInfo.InvariantCulture))],
            [.. Enumerable.Range(0, arm.Segments).Select(segment => "segment " + segment.ToString(CultureInfo.InvariantCulture))],
            (column, row) => arm.Rounds[column].Coverage[row]).AddTo(html, 1160, zeroIsFault: true);
        html.Add($"</div>\n");
    }

    private static LinePlot ServerResidual(ArmReport arm)
    {
        PlotPoint[] points =
            [.. arm.Rounds.Where(round => round.ServerResidual is not null).Select(round => new PlotPoint(round.Round, round.ServerResidual!.Value, $"round {round.Round}", string.Create(CultureInfo.InvariantCulture, $"‖S‖ {round.ServerResidual:g4}")))];
        return new LinePlot(
            "What the published chain does not have yet", "Norm of the server's residual S after each round: a chain that keeps up levels off.", Axis.Rounds(arm.Rounds),
            Axis.Linear("norm of S", points.Select(point => point.Y), norm => norm.ToString("0.###", CultureInfo.InvariantCulture), from: 0), [new Series("S", 0, 0, Stroke.Solid, points)], Wide: true);
    }

    private static LinePlot Density(
        ArmReport arm, string title, Func<RoundReport, double?> up, Func<RoundReport, double?> down, Func<RoundReport, double?> scheduled)
    {
        Series[] series = [Line("down", 2, 1, Stroke.Dashed, down), Line("scheduled", 1, 3, Stroke.Ring, scheduled), Line("up", 0, 0, Stroke.Solid, up)];
        double[] values = [.. series.SelectMany(line => line.Points).Select(point => point.Y)];
        double? top = values.Length > 0 && values.Max() > 0.5 ? 1 : null;
        Axis y = Axis.Linear("kept / entries", values, Share, from: 0, to: top);
        return new LinePlot(title, "Uplink, downlink and the scheduled k.", Axis.Rounds(arm.Rounds), y, series, Names: true);

        static string Share(double share) => Math.Round(share * 100, 2).ToString("0.##", CultureInfo.InvariantCulture) + "%";

        Series Line(string name, int colour, int shape, Stroke stroke, Func<RoundReport, double?> value) => new(
            name, colour, shape, stroke,
            [
                .. arm.Rounds.Where(round => value(round) is not null)
                    .Select(round => new PlotPoint(round.Round, value(round) ?? 0, $"round {round.Round}", $"{name}: {Quantity.Percent(value(round))}")),
            ]);
    }
}
