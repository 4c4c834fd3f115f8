using EcoLora.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using OpenTelemetry.Metrics;

namespace EcoLora.Hosting;

/// <summary>A service's page for Prometheus: by this project's reader and writer, or with <c>-p:Feed=full</c> by OpenTelemetry's exporter for ASP.NET Core, with the same names.</summary>
internal sealed class MetricsPage : IDisposable
{
    private const string Path = "/metrics";

#if FEED_FULL
#pragma warning disable CA1822 // In the other build these need the instance.
    /// <summary>Adds what collects.</summary>
    public void AddTo(MeterProviderBuilder builder) => builder.AddPrometheusExporter(options => options.ScrapeResponseCacheDurationMilliseconds = 0).AddRuntimeInstrumentation();

    /// <summary>Answers <c>GET /metrics</c>.</summary>
    /// <param name="endpoints">The service's.</param>
    /// <param name="telemetry">What is measured, or null.</param>
    /// <param name="access">Who may read it; null for everybody who can connect.</param>
    public void Map(IEndpointRouteBuilder endpoints, ServiceTelemetry? telemetry, ApiAccess? access)
    {
        if (telemetry is null) endpoints.MapGet(Path, (HttpRequest request) => access?.Refusal(request) ?? Absent()).ExcludeFromDescription();
        else endpoints.MapPrometheusScrapingEndpoint(Path, telemetry.Metrics, branch => branch.Use(
            (context, next) => access?.Refusal(context.Request) is { } refusal ? refusal.ExecuteAsync(context) : next(context)), optionsName: null);
    }

    /// <summary>The exporter is the provider's.</summary>
    public void Dispose()
    {
    }
#pragma warning restore CA1822
#else
    private readonly PrometheusReader _reader = new();

    /// <summary>Adds what collects.</summary>
    public void AddTo(MeterProviderBuilder builder) => builder.AddReader(_reader.Reader);

    /// <summary>Answers <c>GET /metrics</c>.</summary>
    /// <param name="endpoints">The service's.</param>
    /// <param name="telemetry">What is measured, or null.</param>
    /// <param name="access">Who may read it; null for everybody who can connect.</param>
    public void Map(IEndpointRouteBuilder endpoints, ServiceTelemetry? telemetry, ApiAccess? access) => endpoints.MapGet(Path, (HttpRequest request) =>
        access?.Refusal(request) ?? (telemetry is null ? Absent() : Results.Text(_reader.Read(), PrometheusReader.ContentType))).ExcludeFromDescription();

    /// <inheritdoc/>
    public void Dispose() => _reader.Dispose();
#endif

    private static IResult Absent() => Answers.Unknown("metrics: expected them, found OTEL_SDK_DISABLED");
}
