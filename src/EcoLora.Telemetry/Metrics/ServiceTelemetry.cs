using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace EcoLora.Telemetry;

/// <summary>
/// A service's metrics, for whoever asks (<see cref="Prometheus"/>) and, where OpenTelemetry's own environment variables name an endpoint, sent there by OTLP. Of the runtime it has
/// System.Runtime, of ASP.NET the requests.
/// </summary>
public sealed class ServiceTelemetry : IDisposable
{
    /// <summary>Most series of the instruments that have one for each site or segment; the others have OpenTelemetry's 2000.</summary>
    private const int MostSeries = 20_000;

    private readonly MeterProvider _metrics;

    /// <summary>Begins to measure.</summary>
    /// <param name="service">The app id: service.name of OpenTelemetry.</param>
    /// <param name="version">The product's version.</param>
    /// <param name="pushes">Whether OTEL_EXPORTER_OTLP_ENDPOINT, or that of metrics, names an endpoint.</param>
    public ServiceTelemetry(string service, string version, bool pushes)
    {
        MeterProviderBuilder builder = Sdk.CreateMeterProviderBuilder()
            .ConfigureResource(resource => resource.AddService(service, serviceVersion: version))
            .AddMeter(Instruments.MeterName, "System.Runtime", "Microsoft.AspNetCore.Hosting")
            .AddView(Instruments.SiteTraffic, new MetricStreamConfiguration { CardinalityLimit = MostSeries })
            .AddView(Instruments.Coverage, new MetricStreamConfiguration { CardinalityLimit = MostSeries })
            .AddReader(Prometheus.Reader);
        if (pushes) builder.AddOtlpExporter();
        _metrics = builder.Build();
    }

    /// <summary>The page for Prometheus.</summary>
    public PrometheusReader Prometheus { get; } = new();

    /// <summary>Sends what is left, and ends.</summary>
    public void Dispose()
    {
        _metrics.Dispose();
        Prometheus.Dispose();
    }
}
