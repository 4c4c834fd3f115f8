using System.Globalization;

namespace EcoLora.Telemetry;

/// <summary>A plot's axis: its range, its ticks and how its numbers read.</summary>
/// <param name="Label">What is measured, with the unit.</param>
/// <param name="Min">Lower end.</param>
/// <param name="Max">Upper end, above <paramref name="Min"/>.</param>
/// <param name="IsLog">Logarithmic; then <paramref name="Min"/> is positive.</param>
/// <param name="Format">A tick's text.</param>
internal sealed record Axis(string Label, double Min, double Max, bool IsLog, Func<double, string> Format)
{
    /// <summary>A linear axis around the values, out to whole ticks.</summary>
    public static Axis Linear(string label, IEnumerable<double> values, Func<double, string> format, double? from = null, double? to = null)
    {
        double[] finite = [.. values.Where(double.IsFinite)];
        double min = from ?? (finite.Length > 0 ? finite.Min() : 0);
        double max = to ?? (finite.Length > 0 ? finite.Max() : 1);
        if (max - min < 1e-9) max = min + Math.Max(1e-3, Math.Abs(min) * 0.1);
        double step = Step(max - min);
        return new Axis(label, from ?? Math.Floor((min / step) + 1e-9) * step, to ?? Math.Ceiling((max / step) - 1e-9) * step, false, format);
    }

    /// <summary>A logarithmic axis around the positive values.</summary>
    public static Axis Log(string label, IEnumerable<double> values, Func<double, string> format)
    {
        double[] positive = [.. values.Where(value => double.IsFinite(value) && value > 0)];
        if (positive.Length == 0) return new Axis(label, 1, 10, true, format);
        double min = positive.Min() / 1.15;
        double max = positive.Max() * 1.15;
        return new Axis(label, min, max, true, format);
    }

    /// <summary>Rounds as whole numbers.</summary>
    public static Axis Rounds(int first, int last) => new(
        "round", first - 0.35, Math.Max(last, first + 1) + 0.35, false,
        round => round < 0 ? "start" : round.ToString("F0", CultureInfo.InvariantCulture));

    /// <summary>The rounds of an arm as whole numbers.</summary>
    public static Axis Rounds(IReadOnlyList<RoundReport> rounds) => rounds.Count == 0 ? Rounds(0, 1) : Rounds(rounds[0].Round, rounds[^1].Round);

    /// <summary>Where a value lies between two coordinates.</summary>
    public double At(double value, double from, double to)
    {
        double share = IsLog ? Math.Log(value / Min) / Math.Log(Max / Min) : (value - Min) / (Max - Min);
        return from + (share * (to - from));
    }

    /// <summary>Whether a value has a place on the axis: finite, and positive where the axis is logarithmic.</summary>
    public bool Holds(double value) => double.IsFinite(value) && (!IsLog || value > 0);

    /// <summary>Round values inside the range, ascending.</summary>
    public IReadOnlyList<double> Ticks(int atMost = 6)
    {
        var ticks = new List<double>();
        if (!IsLog)
        {
            double step = Label == "round" ? Math.Max(1, Step(Max - Min, atMost)) : Step(Max - Min, atMost);
            for (double i = Math.Ceiling((Min / step) - 1e-9); i * step <= Max + (step * 1e-9); i++) ticks.Add((i * step) + 0.0); // + 0.0 turns -0 into 0
            if (Label == "round" && Min < -1)
            {
                // "start" needs the room of the 0 where the rounds stand close.
                if (Max > 15) ticks.Remove(0);
                if (ticks.Count == 0 || ticks[0] > -1) ticks.Insert(0, -1);
            }
            return ticks;
        }
        double[] mantissas = Math.Log10(Max / Min) switch { > 2.2 => [1], > 1.2 => [1, 3], > 0.95 => [1, 2, 5], _ => [1, 1.5, 2, 3, 4, 5, 7] };
        for (double decade = Math.Floor(Math.Log10(Min)); decade <= Math.Log10(Max); decade++)
            foreach (double mantissa in mantissas)
                if (mantissa * Math.Pow(10, decade) is double tick && tick >= Min && tick <= Max)
                    ticks.Add(tick);
        return ticks;
    }

    private static double Step(double range, int atMost = 6)
    {
        double raw = range / atMost;
        double decade = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        double[] steps = [1, 2, 2.5, 5, 10];
        return decade * steps.First(step => step * decade >= raw * (1 - 1e-9));
    }
}
