using System.Globalization;
using System.Text;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace EcoLora.Telemetry;

/// <summary>
/// OpenTelemetry metrics in Prometheus' text format 0.0.4, by the naming rules of the OpenTelemetry specification ("Prometheus and OpenMetrics compatibility"): a name's other
/// characters become underscores, the unit becomes a suffix, and a monotonic sum ends with <c>_total</c>. Of two instruments that come to one name the first is written.
/// </summary>
internal static class PrometheusText
{
    /// <summary>The content type of a page.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>The page.</summary>
    /// <param name="metrics">What was collected.</param>
    /// <param name="resource">The service, which becomes <c>target_info</c>.</param>
    public static string Write(in Batch<Metric> metrics, Resource resource)
    {
        var page = new StringBuilder();
        page.Append("# HELP target_info The service.\n# TYPE target_info gauge\ntarget_info").Append(Labels(resource.Attributes)).Append(" 1\n");
        var names = new HashSet<string>(StringComparer.Ordinal) { "target_info" };
        foreach (Metric metric in metrics)
        {
            if (TypeOf(metric.MetricType) is not { } type) continue;
            string name = NameOf(metric.Name, metric.Unit, type);
            if (!names.Add(name)) continue;
            if (metric.Description.Length > 0) page.Append("# HELP ").Append(name).Append(' ').Append(Escaped(metric.Description, isLabel: false)).Append('\n');
            page.Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
            foreach (ref readonly MetricPoint point in metric.GetMetricPoints()) Append(page, name, metric.MetricType, in point);
        }
        return page.ToString();
    }

    /// <summary>A metric's name: <c>ecolora.traffic</c>, a counter in <c>By</c>, is <c>ecolora_traffic_bytes_total</c>.</summary>
    /// <param name="name">The instrument's name.</param>
    /// <param name="unit">Its unit by UCUM; what is in braces says what is counted and is left out.</param>
    /// <param name="type">counter, gauge or histogram.</param>
    public static string NameOf(string name, string unit, string type)
    {
        string suffix = SuffixOf(unit, type), written = Sanitized(name);
        if (suffix.Length > 0 && !written.EndsWith("_" + suffix, StringComparison.Ordinal)) written += "_" + suffix;
        return type == "counter" && !written.EndsWith("_total", StringComparison.Ordinal) ? written + "_total" : written;
    }

    private static void Append(StringBuilder page, string name, MetricType type, in MetricPoint point)
    {
        if (!type.IsHistogram())
        {
            page.Append(name).Append(Labels(point.Tags)).Append(' ').Append(type switch
            {
                MetricType.LongSum or MetricType.LongSumNonMonotonic => Text(point.GetSumLong()),
                MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic => Text(point.GetSumDouble()),
                MetricType.LongGauge => Text(point.GetGaugeLastValueLong()),
                _ => Text(point.GetGaugeLastValueDouble()),
            }).Append('\n');
            return;
        }
        long below = 0;
        foreach (HistogramBucket bucket in point.GetHistogramBuckets())
        {
            below += bucket.BucketCount;
            page.Append(name).Append("_bucket").Append(Labels(point.Tags, Text(bucket.ExplicitBound))).Append(' ').Append(Text(below)).Append('\n');
        }
        string labels = Labels(point.Tags);
        page.Append(name).Append("_sum").Append(labels).Append(' ').Append(Text(point.GetHistogramSum())).Append('\n');
        page.Append(name).Append("_count").Append(labels).Append(' ').Append(Text(point.GetHistogramCount())).Append('\n');
    }

    private static string? TypeOf(MetricType type) => type switch
    {
        MetricType.LongSum or MetricType.DoubleSum => "counter",
        MetricType.LongGauge or MetricType.DoubleGauge or MetricType.LongSumNonMonotonic or MetricType.DoubleSumNonMonotonic => "gauge",
        MetricType.Histogram => "histogram",
        _ => null, // An exponential histogram has no place in this format.
    };

    private static string SuffixOf(string unit, string type)
    {
        int brace = unit.IndexOf('{', StringComparison.Ordinal);
        string plain = brace < 0 ? unit : unit[..brace];
        string[] parts = plain.Split('/', 2);
        string suffix = parts[0] switch
        {
            "" => "",
            "1" => type == "gauge" ? "ratio" : "",
            "%" => "percent",
            "By" => "bytes",
            "s" => "seconds",
            "ms" => "milliseconds",
            _ => Sanitized(parts[0]),
        };
        return parts.Length == 2 && parts[1] == "s" ? $"{suffix}_per_second" : suffix;
    }

    private static string Labels(IEnumerable<KeyValuePair<string, object>> attributes)
    {
        var labels = new StringBuilder();
        foreach ((string key, object value) in attributes) AppendLabel(labels, key, value);
        return Braced(labels);
    }

    private static string Labels(ReadOnlyTagCollection tags, string? bound = null)
    {
        var labels = new StringBuilder();
        foreach ((string key, object? value) in tags) AppendLabel(labels, key, value);
        if (bound is not null) AppendLabel(labels, "le", bound);
        return Braced(labels);
    }

    private static void AppendLabel(StringBuilder labels, string key, object? value)
    {
        if (labels.Length > 0) labels.Append(',');
        string text = value switch
        {
            bool flag => flag ? "true" : "false",
            IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
            _ => value?.ToString() ?? "",
        };
        labels.Append(Sanitized(key)).Append("=\"").Append(Escaped(text, isLabel: true)).Append('"');
    }

    private static string Braced(StringBuilder labels) => labels.Length == 0 ? "" : $"{{{labels}}}";

    private static string Escaped(string text, bool isLabel)
    {
        string escaped = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        return isLabel ? escaped.Replace("\"", "\\\"", StringComparison.Ordinal) : escaped;
    }

    /// <summary>Letters, digits and single underscores, and no digit first.</summary>
    private static string Sanitized(string name)
    {
        var written = new StringBuilder(name.Length);
        foreach (char c in name)
        {
            char next = char.IsAsciiLetterOrDigit(c) ? c : '_';
            if (next == '_' && written.Length > 0 && written[^1] == '_') continue;
            if (written.Length == 0 && char.IsAsciiDigit(next)) written.Append('_');
            written.Append(next);
        }
        return written.ToString().TrimEnd('_');
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Text(double value) => double.IsPositiveInfinity(value) ? "+Inf" : double.IsNegativeInfinity(value) ? "-Inf" : value.ToString("R", CultureInfo.InvariantCulture);
}
