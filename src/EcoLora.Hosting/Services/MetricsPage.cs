using EcoLora.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
#if FEED_FULL
using OpenTelemetry.Trace;
#endif

namespace EcoLora.Hosting;

/// <summary>
/// A service's metrics and their page for Prometheus: by this project's reader and writer, or with <c>-p:Feed=full</c> by OpenTelemetry's packages for hosts and for ASP.NET Core, with
/// the same names.
/// </summary>
/// <param name="measured">What is measured; null where OTEL_SDK_DISABLED.</param>
internal sealed class MetricsPage(ServiceMeasures? measured) : IDisposable
{
    private const string Path = "/metrics";

#if FEED_FULL
    /// <summary>Adds what measures to the app's services, which end it.</summary>
    public void AddTo(IServiceCollection services)
    {
        if (measured is null) return;
        OpenTelemetry.OpenTelemetryBuilder telemetry = services.AddOpenTelemetry().WithMetrics(metrics =>
        {
            measured.AddTo(metrics);
            metrics.AddPrometheusExporter(options => options.ScrapeResponseCacheDurationMilliseconds = 0).AddRuntimeInstrumentation();
        });
        if (measured.Pushes) telemetry.WithTracing(measured.AddTo);
    }

    /// <summary>Begins to measure, before the host does: what a service does on its way there counts.</summary>
    public void Start(IServiceProvider services)
    {
        if (measured is null) return;
        services.GetRequiredService<MeterProvider>();
        services.GetService<TracerProvider>();
    }

    /// <summary>Answers <c>GET /metrics</c>.</summary>
    /// <param name="app">The service's.</param>
    /// <param name="access">Who may read it; null for everybody who can connect.</param>
    public void Map(WebApplication app, ApiAccess? access)
    {
        if (measured is null) MapAbsent(app, access);
        else app.MapPrometheusScrapingEndpoint(Path, app.Services.GetRequiredService<MeterProvider>(), branch => branch.Use(
            (context, next) => access?.Refusal(context.Request) is { } refusal ? refusal.ExecuteAsync(context) : next(context)), optionsName: null);
    }

    /// <summary>The app's services end it.</summary>
    public void Dispose()
    {
    }
#else
    private readonly PrometheusReader _reader = new();
    private ServiceTelemetry? _telemetry;

#pragma warning disable CA1822 // In the other build it needs the instance.
    /// <summary>Adds what measures to the app's services: here nothing, since it is no part of them.</summary>
    public void AddTo(IServiceCollection services)
    {
    }
#pragma warning restore CA1822

    /// <summary>Begins to measure.</summary>
    public void Start(IServiceProvider services) => _telemetry = measured is null ? null : new ServiceTelemetry(measured, builder => builder.AddReader(_reader.Reader));

    /// <summary>Answers <c>GET /metrics</c>.</summary>
    /// <param name="app">The service's.</param>
    /// <param name="access">Who may read it; null for everybody who can connect.</param>
    public void Map(WebApplication app, ApiAccess? access)
    {
        if (measured is null) MapAbsent(app, access);
        else app.MapGet(Path, (HttpRequest request) => access?.Refusal(request) ?? Results.Text(_reader.Read(), PrometheusReader.ContentType)).ExcludeFromDescription();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _telemetry?.Dispose();
        _reader.Dispose();
    }
#endif

    private static void MapAbsent(WebApplication app, ApiAccess? access) =>
        app.MapGet(Path, (HttpRequest request) => access?.Refusal(request) ?? Answers.Unknown("metrics: expected them, found OTEL_SDK_DISABLED")).ExcludeFromDescription();
}
