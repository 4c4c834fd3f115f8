using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace EcoLora.Telemetry;

/// <summary>
/// One trace for each round of a run, across all services and sites. Its id is the first 16 bytes of the SHA-256 of <c>run/round</c>, so that everybody finds it by what the
/// frames say anyway, and nothing travels for it. Spans of different services stand beside each other in it: who is whose parent would have to be told.
/// </summary>
public static class RoundTrace
{
    /// <summary>Name of the source of all spans.</summary>
    public const string SourceName = "EcoLora";

    private static readonly ActivitySource _source = new(SourceName);

    [ThreadStatic]
    private static ActivityTraceId? _next;

    static RoundTrace() => Activity.TraceIdGenerator = () => _next ?? ActivityTraceId.CreateRandom();

    /// <summary>Id of a round's trace.</summary>
    public static ActivityTraceId IdOf(string run, int round) =>
        ActivityTraceId.CreateFromBytes(SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{run}/{round}"))).AsSpan(0, 16));

    /// <summary>Begins a span in a round's trace; null while nobody listens.</summary>
    /// <param name="name">What is done.</param>
    /// <param name="run">The run's name.</param>
    /// <param name="round">t.</param>
    /// <param name="start">When it began; null for now.</param>
    public static Activity? Start(string name, string run, int round, DateTimeOffset? start = null)
    {
        if (!_source.HasListeners()) return null;
        // A request that is being answered has a trace of its own.
        Activity? current = Activity.Current;
        try
        {
            Activity.Current = null;
            _next = IdOf(run, round);
            Activity? span = _source.StartActivity(name, ActivityKind.Internal, default(ActivityContext), startTime: start ?? default);
            return span?.SetTag(Instruments.Run, run).SetTag("ecolora.round", round);
        }
        finally
        {
            _next = null;
            Activity.Current = current;
        }
    }
}
