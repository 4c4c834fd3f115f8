using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace EcoLora.Telemetry;

/// <summary>Work that is timed, and has a span, until it is disposed.</summary>
public sealed class Measured : IDisposable
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly Histogram<double> _time;
    private readonly KeyValuePair<string, object?>[] _tags;

    internal Measured(Histogram<double> time, Activity? span, params KeyValuePair<string, object?>[] tags) => (_time, Span, _tags) = (time, span, tags);

    /// <summary>Its span in the round's trace; null while nobody listens.</summary>
    public Activity? Span { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _time.Record(Stopwatch.GetElapsedTime(_start).TotalSeconds, _tags);
        Span?.Dispose();
    }
}
