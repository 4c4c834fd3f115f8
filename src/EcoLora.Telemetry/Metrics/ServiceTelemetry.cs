using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace EcoLora.Telemetry;

/// <summary>
/// A service's metrics, for whoever asks and, where OTEL_EXPORTER_OTLP_ENDPOINT names an endpoint, sent there by OTLP, with its spans. Of the
/// runtime it has System.Runtime, of ASP.NET the requests.
/// </summary>
public sealed class ServiceTelemetry : IDisposable
{
    /// <summary>Most series of the instruments that have one for each site or segment; the others have OpenTelemetry's 2000.</summary>
    private const int MostSeries = 20_000;

    private readonly TracerProvider? _traces;

    /// <summary>Begins to measure.</summary>
    /// <param name="service">The app id: service.name of OpenTelemetry.</param>
    /// <param name="version">The product's version.</param>
    /// <param name="pushes">Whether OTEL_EXPORTER_OTLP_ENDPOINT names an endpoint.</param>
    /// <param name="addReader">Adds what whoever asks is answered from.</param>
    public ServiceTelemetry(string service, string version, bool pushes, Action<MeterProviderBuilder> addReader)
    {
        MeterProviderBuilder builder = Sdk.CreateMeterProviderBuilder()
            .ConfigureResource(Describe)
            .AddMeter(Instruments.MeterName, "System.Runtime", "Microsoft.AspNetCore.Hosting")
            .AddView(Instruments.SiteTraffic, new MetricStreamConfiguration { CardinalityLimit = MostSeries })
            .AddView(Instruments.Coverage, new MetricStreamConfiguration { CardinalityLimit = MostSeries });
        addReader(builder);
        if (pushes) builder.AddOtlpExporter();
        Metrics = builder.Build();
        if (pushes) _traces = Sdk.CreateTracerProviderBuilder().ConfigureResource(Describe).AddSource(RoundTrace.SourceName).AddOtlpExporter().Build();

        void Describe(ResourceBuilder resource) => resource.AddService(service, serviceVersion: version);
    }

    /// <summary>What collects the metrics.</summary>
    public MeterProvider Metrics { get; }

    /// <summary>Sends what is left, and ends.</summary>
    public void Dispose()
    {
        _traces?.Dispose();
        Metrics.Dispose();
    }
}
