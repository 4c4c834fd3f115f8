using EcoLora.Telemetry;

namespace EcoLora.Local.Bench;

/// <summary>One run of a study.</summary>
/// <param name="Before">Held-out loss before the first round.</param>
/// <param name="Loss">Held-out loss of the last version.</param>
/// <param name="ExactMatch">Exact match of the last version, or null.</param>
/// <param name="Up">Framed bytes of segments.</param>
/// <param name="Down">Framed bytes of changes, per site that received them.</param>
/// <param name="Control">Bytes of control messages, both ways.</param>
/// <param name="Curve">After each evaluated round: framed bytes so far and held-out loss.</param>
internal sealed record StudyRun(double Before, double Loss, double? ExactMatch, long Up, long Down, long Control, IReadOnlyList<(long Bytes, double Loss)> Curve)
{
    /// <summary>Framed bytes both ways.</summary>
    public long Framed => Up + Down;

    /// <summary>What a run's report says.</summary>
    /// <param name="arm">The run.</param>
    /// <param name="framed">Framed bytes of a round.</param>
    public static StudyRun Of(ArmReport arm, Func<RoundReport, (long Up, long Down)> framed)
    {
        var curve = new List<(long, double)>();
        (long up, long down) = (0, 0);
        foreach (RoundReport round in arm.Rounds)
        {
            (long roundUp, long roundDown) = framed(round);
            (up, down) = (up + roundUp, down + roundDown);
            if (round.HeldOut?.Loss is { } heldOut) curve.Add((up + down, heldOut));
        }
        if (arm.Before?.Loss is not { } before || arm.Final?.Loss is not { } loss) throw new FormatException($"{arm.Name}: expected held-out losses before and after, found none");
        return new StudyRun(before, loss, arm.Final.ExactMatch, up, down, arm.Totals.TotalBytes - arm.Totals.Up.Framed - arm.Totals.Down.Framed, curve);
    }

    /// <summary>Framed bytes until the held-out loss was first at most this, or null when it never was.</summary>
    public long? BytesTo(double loss) => Curve.Where(point => point.Loss <= loss).Select(point => (long?)point.Bytes).FirstOrDefault();
}

/// <summary>A mean with its sample standard deviation.</summary>
/// <param name="Mean">Mean.</param>
/// <param name="Deviation">√(Σ(x − mean)² / (n − 1)); 0 for one value.</param>
internal readonly record struct Spread(double Mean, double Deviation)
{
    /// <summary>Of some values.</summary>
    public static Spread Of(IEnumerable<double> values)
    {
        double[] all = [.. values];
        double mean = all.Average();
        return new Spread(mean, all.Length < 2 ? 0 : Math.Sqrt(all.Sum(value => (value - mean) * (value - mean)) / (all.Length - 1)));
    }
}

/// <summary>A row over all seeds, against the reference with the same seeds.</summary>
/// <param name="Row">The row.</param>
/// <param name="Runs">Its runs, by seed.</param>
/// <param name="Reference">The reference's runs, by seed.</param>
internal sealed record StudyLine(StudyRow Row, IReadOnlyList<StudyRun> Runs, IReadOnlyList<StudyRun> Reference)
{
    /// <summary>Loss of the last version.</summary>
    public Spread Loss => Spread.Of(Runs.Select(run => run.Loss));

    /// <summary>L_before − L: the improvement.</summary>
    public Spread Improvement => Spread.Of(Runs.Select(run => run.Before - run.Loss));

    /// <summary>(L_before − L) / (L_before − L_reference), seed by seed.</summary>
    public Spread Recovered => Spread.Of(Runs.Zip(Reference, (run, reference) => (run.Before - run.Loss) / (reference.Before - reference.Loss)));

    /// <summary>How many times fewer framed bytes up than the reference.</summary>
    public double RatioUp => Ratio(run => run.Up);

    /// <summary>How many times fewer framed bytes down.</summary>
    public double RatioDown => Ratio(run => run.Down);

    /// <summary>How many times fewer framed bytes both ways.</summary>
    public double RatioTotal => Ratio(run => run.Framed);

    /// <summary>How many times fewer bytes with all control messages.</summary>
    public double RatioAll => Ratio(run => run.Framed + run.Control);

    /// <summary>Mean bytes until the share of the reference's improvement is first reached, or null where a seed never reaches it.</summary>
    public double? BytesTo(double share)
    {
        long?[] bytes = [.. Runs.Zip(Reference, (run, reference) => run.BytesTo(reference.Before - share * (reference.Before - reference.Loss)))];
        return bytes.Contains(null) ? null : bytes.Average();
    }

    /// <summary>Bytes and loss at each evaluation, each the mean over the runs.</summary>
    public IReadOnlyList<(double Bytes, double Loss)> MeanCurve =>
        [.. Enumerable.Range(0, Runs.Min(run => run.Curve.Count)).Select(i => (Runs.Average(run => run.Curve[i].Bytes), Runs.Average(run => run.Curve[i].Loss)))];

    private double Ratio(Func<StudyRun, long> bytes) => Reference.Average(bytes) / Runs.Average(bytes);
}
