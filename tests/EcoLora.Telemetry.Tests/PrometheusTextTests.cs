using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace EcoLora.Telemetry.Tests;

/// <summary>The page that Prometheus reads, to the byte; names are by OpenTelemetry's specification.</summary>
public sealed class PrometheusTextTests : IDisposable
{
    private readonly Meter _meter = new($"of this test {Guid.NewGuid()}");
    private readonly PrometheusReader _reader = new();
    private readonly MeterProvider _provider;

    public PrometheusTextTests() => _provider = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(ResourceBuilder.CreateEmpty().AddAttributes([new("service.name", "codec-a")]))
        .AddMeter(_meter.Name).AddReader(_reader.Reader).Build();

    public void Dispose()
    {
        _provider.Dispose();
        _reader.Dispose();
        _meter.Dispose();
    }

    [Fact]
    public void A_page_has_every_instrument_once_with_its_help_type_and_series()
    {
        Counter<long> bytes = _meter.CreateCounter<long>("a.traffic", "By", "Bytes, by \\ direction\nand more.");
        bytes.Add(5, new KeyValuePair<string, object?>("a.direction", "up"));
        bytes.Add(7, new KeyValuePair<string, object?>("a.direction", "a \"b\" \\ c\nd"));
        bytes.Add(37, new KeyValuePair<string, object?>("a.direction", "up"));
        _meter.CreateObservableGauge("a.share", () => 0.25, "1", "A share.");
        _meter.CreateObservableGauge("a.odd", () => new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1e300 }.Select((value, i) => new Measurement<double>(value, new KeyValuePair<string, object?>("i", i))), "", "Odd.");
        _meter.CreateUpDownCounter<int>("a.depth", "{frame}", "A depth.").Add(-3);
        Histogram<double> time = _meter.CreateHistogram("a.time", "s", "A time.", null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 2] });
        foreach (double value in (double[])[0.25, 0.5, 1, 5]) time.Record(value, new KeyValuePair<string, object?>("ok", true));
        // The same name again, from another unit.
        _meter.CreateObservableGauge("a_share_ratio", () => 9.0, "", "Another.");
        string expected = """
            # HELP target_info The service.
            # TYPE target_info gauge
            target_info{service_name="codec-a"} 1
            # HELP a_traffic_bytes_total Bytes, by \\ direction\nand more.
            # TYPE a_traffic_bytes_total counter
            a_traffic_bytes_total{a_direction="up"} 42
            a_traffic_bytes_total{a_direction="a \"b\" \\ c\nd"} 7
            # HELP a_share_ratio A share.
            # TYPE a_share_ratio gauge
            a_share_ratio 0.25
            # HELP a_odd Odd.
            # TYPE a_odd gauge
            a_odd{i="0"} NaN
            a_odd{i="1"} +Inf
            a_odd{i="2"} -Inf
            a_odd{i="3"} 1E+300
            # HELP a_depth A depth.
            # TYPE a_depth gauge
            a_depth -3
            # HELP a_time_seconds A time.
            # TYPE a_time_seconds histogram
            a_time_seconds_bucket{ok="true",le="0.5"} 2
            a_time_seconds_bucket{ok="true",le="2"} 3
            a_time_seconds_bucket{ok="true",le="+Inf"} 4
            a_time_seconds_sum{ok="true"} 6.75
            a_time_seconds_count{ok="true"} 4

            """;
        Assert.Equal(expected, _reader.Read());
        bytes.Add(1, new KeyValuePair<string, object?>("a.direction", "up"));
        Assert.Contains("a_traffic_bytes_total{a_direction=\"up\"} 43\n", _reader.Read(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a.b", "By", "counter", "a_b_bytes_total")]
    [InlineData("a.bytes", "By", "gauge", "a_bytes")]
    [InlineData("a.total", "", "counter", "a_total")]
    [InlineData("a.b", "{frame}", "counter", "a_b_total")]
    [InlineData("a.b", "1", "gauge", "a_b_ratio")]
    [InlineData("a.b", "1", "counter", "a_b_total")]
    [InlineData("a.b", "By/s", "gauge", "a_b_bytes_per_second")]
    [InlineData("a.b", "ms", "histogram", "a_b_milliseconds")]
    [InlineData("a.b", "%", "gauge", "a_b_percent")]
    [InlineData("a..b--c", "m.x", "gauge", "a_b_c_m_x")]
    [InlineData("2.b", "", "gauge", "_2_b")]
    public void Names_follow_the_specification(string name, string unit, string type, string expected) => Assert.Equal(expected, PrometheusText.NameOf(name, unit, type));

    [Fact]
    public void An_instrument_that_fails_leaves_the_others()
    {
        _meter.CreateObservableGauge("a.broken", double () => throw new InvalidOperationException("broken"), "", "Broken.");
        _meter.CreateObservableGauge("a.whole", () => 1.0, "", "Whole.");
        Assert.Contains("\na_whole 1\n", _reader.Read(), StringComparison.Ordinal);
    }
}
