using System.Diagnostics;
using EcoLora.Hosting;
using EcoLora.Telemetry;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>A round's spans come from every service and site, in one trace that nobody was told of.</summary>
public class HubTraceTests
{
    private static readonly string[] _sites = ["north", "south"];

    [Fact]
    public async Task Every_round_is_one_trace_across_all_services()
    {
        using var folder = new TemporaryFolder();
        using var collector = new TraceCollector();
        await using (HubCluster hub = await HubCluster.StartAsync(settings:
            [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), ("OTEL_BSP_SCHEDULE_DELAY", "200")]))
        {
            await hub.SubmitAsync(RunFile.Read(RealRun.File(folder), []));
            await hub.WaitUntilFinishedAsync("small", HubRunTests.Limit);
            foreach (HubApp app in hub.Apps) await app.StopAsync();
        }
        for (int round = 0; round < 3; round++)
        {
            ActivityTraceId id = RoundTrace.IdOf("small", round);
            ReceivedSpan[] spans = [.. collector.Spans.Where(span => span.Trace == id.ToHexString())];
            Assert.Equal(["scheduler"], Of("round"));
            Assert.Equal(4, Of("train").Length);
            Assert.Equal(["aggregator", "aggregator", "aggregator", "aggregator"], Of("store"));
            Assert.Equal(["aggregator"], Of("aggregate"));
            Assert.Equal(_sites.Select(site => $"codec-{site}"), Of("decode"));
            string[] encoded = Of("encode");
            Assert.Equal((5, 1), (encoded.Length, encoded.Count(service => service == "aggregator")));
            ReceivedSpan whole = spans.Single(span => span.Name == "round");
            Assert.All(spans, span => Assert.True(span.Start <= span.End, $"{span.Name} ends after it begins"));
            // The round's span holds its work; clocks are one here, and .NET's is good to a few milliseconds between processes.
            Assert.All(spans.Where(span => span.Name is "encode" or "store" or "aggregate"), span =>
                Assert.True(span.Start >= whole.Start - 50_000_000 && span.End <= whole.End + 50_000_000, $"{span.Name} is within the round"));
            Assert.DoesNotContain(spans, span => span.Parent.Length > 0);

            string[] Of(string name) => [.. spans.Where(span => span.Name == name).Select(span => span.Service).Order(StringComparer.Ordinal)];
        }
        Assert.Equal(4, collector.Spans.Count(span => span.Name == "evaluate"));
        // Nothing else is traced.
        Assert.Equal(["aggregate", "decode", "encode", "evaluate", "round", "store", "train"], collector.Spans.Select(span => span.Name).Distinct().Order(StringComparer.Ordinal));
    }
}
