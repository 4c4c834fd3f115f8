// Of OpenTelemetry.Extensions.Hosting and .Instrumentation.Runtime 1.20.1 and .Exporter.Prometheus.AspNetCore 1.20.1-beta.1: declarations of what EcoLora.Hosting uses. Nobody runs them.
#pragma warning disable IDE0060
using Microsoft.AspNetCore.Routing;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace OpenTelemetry
{
    public sealed class OpenTelemetryBuilder
    {
        public OpenTelemetryBuilder WithMetrics(Action<MeterProviderBuilder> configure) => this;

        public OpenTelemetryBuilder WithTracing(Action<TracerProviderBuilder> configure) => this;
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
        public static MeterProviderBuilder AddPrometheusExporter(this MeterProviderBuilder builder, Action<Exporter.PrometheusAspNetCoreOptions> configure) => builder;

        public static MeterProviderBuilder AddRuntimeInstrumentation(this MeterProviderBuilder builder) => builder;
    }
}

namespace Microsoft.AspNetCore.Builder
{
    public static class PrometheusExporterExtensions
    {
        public static IEndpointConventionBuilder MapPrometheusScrapingEndpoint(
            this IEndpointRouteBuilder endpoints, string? path, MeterProvider? meterProvider, Action<IApplicationBuilder>? configureBranchedPipeline, string? optionsName) => null!;
    }
}

namespace Microsoft.Extensions.DependencyInjection
{
    public static class OpenTelemetryServicesExtensions
    {
        public static OpenTelemetry.OpenTelemetryBuilder AddOpenTelemetry(this IServiceCollection services) => null!;
    }
}
