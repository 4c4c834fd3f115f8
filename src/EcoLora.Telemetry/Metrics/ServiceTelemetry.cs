using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace EcoLora.Telemetry;

/// <summary>What a service measures.</summary>
/// <param name="Service">The app id: service.name of OpenTelemetry.</param>
/// <param name="Version">The product's version.</param>
/// <param name="Pushes">Whether OTEL_EXPORTER_OTLP_ENDPOINT names an endpoint, where metrics and spans then go by OTLP.</param>
public sealed record ServiceMeasures(string Service, string Version, bool Pushes)
{
    /// <summary>Most series of the instruments that have one for each site or segment; the others have OpenTelemetry's 2000.</summary>
    private const int MostSeries = 20_000;

    /// <summary>Adds the product's metrics, and of the runtime System.Runtime, of ASP.NET the requests.</summary>
    public void AddTo(MeterProviderBuilder builder)
    {
        builder.ConfigureResource(Describe)
            .AddMeter(Instruments.MeterName, "System.Runtime", "Microsoft.AspNetCore.Hosting")
            .AddView(Instruments.SiteTraffic, new MetricStreamConfiguration { CardinalityLimit = MostSeries })
            .AddView(Instruments.Coverage, new MetricStreamConfiguration { CardinalityLimit = MostSeries });
        if (Pushes) builder.AddOtlpExporter();
    }

    /// <summary>Adds the product's spans, which have no use but to be pushed.</summary>
    public void AddTo(TracerProviderBuilder builder) => builder.ConfigureResource(Describe).AddSource(RoundTrace.SourceName).AddOtlpExporter();

    private void Describe(ResourceBuilder resource) => resource.AddService(Service, serviceVersion: Version);
}

/// <summary>A service's metrics and spans while it runs.</summary>
public sealed class ServiceTelemetry : IDisposable
{
    private readonly MeterProvider _metrics;
    private readonly TracerProvider? _traces;

    /// <summary>Begins to measure.</summary>
    /// <param name="measured">What.</param>
    /// <param name="addReader">Adds what whoever asks is answered from.</param>
    public ServiceTelemetry(ServiceMeasures measured, Action<MeterProviderBuilder> addReader)
    {
        MeterProviderBuilder builder = Sdk.CreateMeterProviderBuilder();
        measured.AddTo(builder);
        addReader(builder);
        _metrics = builder.Build();
        if (!measured.Pushes) return;
        TracerProviderBuilder traces = Sdk.CreateTracerProviderBuilder();
        measured.AddTo(traces);
        _traces = traces.Build();
    }

    /// <summary>Sends what is left, and ends.</summary>
    public void Dispose()
    {
        _traces?.Dispose();
        _metrics.Dispose();
    }
}
