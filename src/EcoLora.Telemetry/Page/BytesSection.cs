namespace EcoLora.Telemetry;

/// <summary>Where the bytes go: each stage over the run and per round, uplink and downlink apart, against both dense baselines.</summary>
internal static class BytesSection
{
    public static void AddTo(Markup html, RunReport report)
    {
        ArmReport arm = report.Arms[0];
        html.Add(
            $"<h2 id=\"bytes\">Bytes</h2>\n<p>From what a dense exchange of {Quantity.Count(arm.Parameters)} parameters would send to what {arm.Name} "
            + $"put on the wire, stage by stage.</p>\n<div class=\"grid2\">\n");
        Stages(arm, "Uplink over the run", arm.Totals.Up, arm.Totals.ControlUp).AddTo(html);
        Stages(arm, "Downlink over the run", arm.Totals.Down, arm.Totals.ControlDown).AddTo(html);
        PerRound(arm, "Uplink per round", "All participants together, logarithmic.", bytes => bytes.Up).AddTo(html);
        PerRound(arm, "Downlink per round", "All sites together, logarithmic.", bytes => bytes.Down).AddTo(html);
        html.Add($"</div>\n");
    }

    private static BarTable Stages(ArmReport arm, string title, StageBytes bytes, StageBytes control)
    {
        return new BarTable(
            title, "Percentages are of dense FP16.",
            [
                Row("dense FP32", 5, true, bytes.DenseFp32), Row("dense FP16", 4, true, bytes.DenseFp16),
                Row(arm.Segments > 1 ? "segment" : "values", 6, false, bytes.Segment),
                Row("sparse", 3, false, bytes.Sparse), Row("golomb", 2, true, bytes.Golomb), Row("coded", 2, false, bytes.Coded), Row("framed", 0, false, bytes.Framed),
                Row("control", 1, false, control.Framed),
            ]);

        Bar Row(string name, int colour, bool reference, long count) =>
            new(name, colour, reference, count, Quantity.Bytes(count), bytes.DenseFp16 == 0 ? "" : Quantity.Percent((double)count / bytes.DenseFp16));
    }

    private static LinePlot PerRound(ArmReport arm, string title, string note, Func<DirectionBytes, StageBytes> direction)
    {
        Series[] series =
        [
            Line("dense FP32", 5, 1, Stroke.Dashed, bytes => bytes.DenseFp32), Line("dense FP16", 4, 1, Stroke.Dashed, bytes => bytes.DenseFp16),
            Line("segment", 6, 3, Stroke.Solid, bytes => bytes.Segment), Line("sparse", 3, 2, Stroke.Solid, bytes => bytes.Sparse),
            Line("coded", 2, 1, Stroke.Solid, bytes => bytes.Coded), Line("framed", 0, 0, Stroke.Solid, bytes => bytes.Framed),
        ];
        IEnumerable<double> values = series.SelectMany(line => line.Points).Select(point => point.Y);
        return new LinePlot(title, note, Axis.Rounds(arm.Rounds), Axis.Log("bytes per round", values, Quantity.Tick), series, Names: true);

        Series Line(string name, int colour, int shape, Stroke stroke, Func<StageBytes, long> stage) => new(
            name, colour, shape, stroke,
            [
                .. arm.Rounds.Select(round => (round.Round, Bytes: stage(direction(round.Bytes)))).Where(point => point.Bytes > 0)
                    .Select(point => new PlotPoint(point.Round, point.Bytes, $"round {point.Round}", $"{name}: {Quantity.Bytes(point.Bytes)}")),
            ]);
    }
}
