// Of OpenTelemetry.Extensions.Hosting and .Instrumentation.Runtime 1.20.1 and .Exporter.Prometheus.AspNetCore 1.20.1-beta.1: what EcoLora.Hosting uses. All of it throws.
#pragma warning disable IDE0060
using Microsoft.AspNetCore.Routing;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace OpenTelemetry
{
    public sealed class OpenTelemetryBuilder
    {
        public OpenTelemetryBuilder WithMetrics(Action<MeterProviderBuilder> configure) => throw new NotSupportedException();

        public OpenTelemetryBuilder WithTracing(Action<TracerProviderBuilder> configure) => throw new NotSupportedException();
    }
}

namespace OpenTelemetry.Exporter
{
    public sealed class PrometheusAspNetCoreOptions
    {
        public int ScrapeResponseCacheDurationMilliseconds { get; set; }
    }
}

namespace OpenTelemetry.Metrics
{
    public static class MeterProviderBuilderPackages
    {
        public static MeterProviderBuilder AddPrometheusExporter(this MeterProviderBuilder builder, Action<Exporter.PrometheusAspNetCoreOptions> configure) => throw new NotSupportedException();

        public static MeterProviderBuilder AddRuntimeInstrumentation(this MeterProviderBuilder builder) => throw new NotSupportedException();
    }
}

namespace Microsoft.AspNetCore.Builder
{
    public static class PrometheusExporterExtensions
    {
        public static IEndpointConventionBuilder MapPrometheusScrapingEndpoint(
            this IEndpointRouteBuilder endpoints, string? path, MeterProvider? meterProvider, Action<IApplicationBuilder>? configureBranchedPipeline, string? optionsName) => throw new NotSupportedException();
    }
}

namespace Microsoft.Extensions.DependencyInjection
{
    public static class OpenTelemetryServicesExtensions
    {
        public static OpenTelemetry.OpenTelemetryBuilder AddOpenTelemetry(this IServiceCollection services) => throw new NotSupportedException();
    }
}
