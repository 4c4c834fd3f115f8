using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace EcoLora.Telemetry;

/// <summary>The service's metrics as a page, collected when it is asked for.</summary>
public sealed class PrometheusReader : IDisposable
{
    private readonly Page _page = new();
    private readonly Lock _lock = new();

    /// <summary>Makes the reader; it collects once it belongs to a provider.</summary>
    public PrometheusReader() => Reader = new BaseExportingMetricReader(_page);

    /// <summary>The reader for <c>MeterProviderBuilder.AddReader</c>.</summary>
    public MetricReader Reader { get; }

    /// <summary>Content type of the page.</summary>
    public static string ContentType => PrometheusText.ContentType;

    /// <summary>Collects, and writes the page.</summary>
    /// <exception cref="InvalidOperationException">An instrument could not be observed, or the reader has no provider.</exception>
    public string Read()
    {
        lock (_lock)
        {
            _page.Text = null;
            return _page.Collect?.Invoke(Timeout.Infinite) == true && _page.Text is { } text ? text : throw new InvalidOperationException("the metrics could not be collected");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Reader.Dispose();

    [ExportModes(ExportModes.Pull)]
    private sealed class Page : BaseExporter<Metric>, IPullMetricExporter
    {
        public string? Text { get; set; }

        public Func<int, bool>? Collect { get; set; }

        public override ExportResult Export(in Batch<Metric> batch)
        {
            Text = PrometheusText.Write(in batch, ParentProvider.GetResource());
            return ExportResult.Success;
        }
    }
}
