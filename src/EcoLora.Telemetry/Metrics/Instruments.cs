using System.Diagnostics.Metrics;
using System.Reflection;

namespace EcoLora.Telemetry;

/// <summary>
/// The product's meter and what code that does the work records with it. Nobody listens in a run in one process, and then a record costs nothing. Names and units are by
/// OpenTelemetry's conventions; docs/metrics.md lists all of them. No attribute names a client.
/// </summary>
public static class Instruments
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "EcoLora";

    /// <summary>Instruments with a series for each site, or for each segment, of a run.</summary>
    public const string SiteTraffic = "ecolora.site.traffic", Coverage = "ecolora.coverage";

    /// <summary>Attribute: the run's name.</summary>
    public const string Run = "ecolora.run";

    /// <summary>Attribute: which way bytes go, or what a codec does.</summary>
    public const string Direction = "ecolora.direction", Operation = "ecolora.operation";

    /// <summary>Attributes of spans: a participant, and bytes of a frame. No metric has the first.</summary>
    public const string Client = "ecolora.client", Bytes = "ecolora.frame.size";

    /// <summary>The meter.</summary>
    public static Meter Meter { get; } = new(MeterName, typeof(Instruments).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0]);

    private static readonly Histogram<double> _coding = Meter.CreateHistogram(
        "ecolora.codec.duration", "s", "Time to encode a vector, to decode a frame, or to decode frames into sums.", null, Buckets(1e-4, 10));

    private static readonly Counter<long> _entries = Meter.CreateCounter<long>("ecolora.codec.entries", "{entry}", "Entries of the vectors that were coded; by the codec's time it is its throughput.");

    private static readonly Histogram<double> _residual = Meter.CreateHistogram(
        "ecolora.residual.norm", "", "Norm of a participant's residual for its segment, as a round leaves it.", null, Buckets(1e-3, 1e3));

    private static readonly Histogram<double> _training = Meter.CreateHistogram(
        "ecolora.training.duration", "s", "Time that a participant trains in a round, or that an evaluation takes.", null, Buckets(0.01, 1e5));

    /// <summary>A frame or vector is coded: counted and timed, with a span in the round's trace, until what comes back is disposed.</summary>
    /// <param name="operation">encode, decode or aggregate.</param>
    /// <param name="run">The run's name.</param>
    /// <param name="round">t.</param>
    /// <param name="entries">Entries of the vector, or of all that are summed.</param>
    public static Measured Code(string operation, string run, int round, long entries)
    {
        _entries.Add(entries, new KeyValuePair<string, object?>(Operation, operation));
        return new Measured(_coding, RoundTrace.Start(operation, run, round), new KeyValuePair<string, object?>(Operation, operation));
    }

    /// <summary>A participant's residual is what it now is.</summary>
    /// <param name="run">The run's name.</param>
    /// <param name="residual">R of a segment.</param>
    public static void Left(string run, ReadOnlySpan<float> residual)
    {
        if (!_residual.Enabled) return;
        double squares = 0;
        foreach (float value in residual) squares += (double)value * value;
        _residual.Record(Math.Sqrt(squares), new KeyValuePair<string, object?>(Run, run));
    }

    /// <summary>A participant trains, or a version is evaluated, until what comes back is disposed.</summary>
    /// <param name="operation">train or evaluate.</param>
    /// <param name="run">The run's name.</param>
    /// <param name="round">t of the round, or of the version.</param>
    public static Measured Train(string operation, string run, int round) =>
        new(_training, RoundTrace.Start(operation, run, round), new KeyValuePair<string, object?>(Run, run), new KeyValuePair<string, object?>(Operation, operation));

    /// <summary>Bounds 1, 2, 5, 10 … from one power of ten to another.</summary>
    private static InstrumentAdvice<double> Buckets(double from, double to)
    {
        var bounds = new List<double>();
        for (int power = (int)Math.Round(Math.Log10(from)); power < (int)Math.Round(Math.Log10(to)); power++)
            foreach (int step in (int[])[1, 2, 5]) bounds.Add(double.Parse($"{step}e{power}", System.Globalization.CultureInfo.InvariantCulture));
        return new InstrumentAdvice<double> { HistogramBucketBoundaries = [.. bounds, to] };
    }
}
