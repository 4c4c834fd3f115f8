using System.Globalization;
using System.Text.Json.Serialization;

namespace EcoLora.Telemetry;

/// <summary>One line of the final comparison.</summary>
/// <param name="Arm">The arm's name.</param>
/// <param name="UpBytes">Framed bytes from the sites, control messages included.</param>
/// <param name="DownBytes">Framed bytes to the sites, control messages included.</param>
/// <param name="TotalBytes">Both.</param>
/// <param name="RatioFp16">How many times fewer bytes than dense FP16, by the arm's own dense columns; null when nothing was sent.</param>
/// <param name="RatioFp32">How many times fewer bytes than dense FP32, by the arm's own dense columns; null when nothing was sent.</param>
/// <param name="Loss">Final held-out loss in nats, or null.</param>
/// <param name="ExactMatch">Final exact match in [0, 1], or null.</param>
/// <param name="Recovered">Share of the dense FP16 arm's improvement, or null.</param>
/// <param name="RewardAccuracy">Final reward accuracy in [0, 1]; null, and left out, without preference pairs.</param>
/// <param name="RewardMargin">Final reward margin; null, and left out, without preference pairs.</param>
public sealed record SummaryRow(
    string Arm, long UpBytes, long DownBytes, long TotalBytes, double? RatioFp16, double? RatioFp32, double? Loss, double? ExactMatch, double? Recovered,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? RewardAccuracy = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? RewardMargin = null);

/// <summary>The comparison that the terminal shows at the end of a run, as plain data.</summary>
/// <param name="Before">Held-out loss before the first round, or null.</param>
/// <param name="BeforeExactMatch">Exact match before the first round, or null.</param>
/// <param name="Rows">One line per arm, in the report's order.</param>
public sealed record SummaryTable(double? Before, double? BeforeExactMatch, IReadOnlyList<SummaryRow> Rows)
{
    /// <summary>Some row is about preference pairs.</summary>
    [JsonIgnore]
    public bool OfPairs => Rows.Any(row => row.RewardMargin is not null);

    /// <summary>Headings for <see cref="Cells"/>.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> Headings =>
        ["arm", "up", "down", "total", "vs fp16", "vs fp32", "held-out loss", .. OfPairs ? (string[])["reward accuracy", "reward margin"] : ["exact match"], "recovered"];

    /// <summary>The comparison of a report's arms.</summary>
    public static SummaryTable Of(RunReport report) => new(
        report.Arms[0].Before?.Loss, report.Arms[0].Before?.ExactMatch,
        [
            .. report.Arms.Select(arm => new SummaryRow(
                arm.Name, arm.Totals.UpBytes, arm.Totals.DownBytes, arm.Totals.TotalBytes, arm.Computed.TotalFp16, arm.Computed.TotalFp32,
                arm.Final?.Loss, arm.Final?.ExactMatch, arm.Recovered, arm.Final?.RewardAccuracy, arm.Final?.RewardMargin)),
        ]);

    /// <summary>A row as text, one cell per heading.</summary>
    public IReadOnlyList<string> Cells(SummaryRow row) =>
    [
        row.Arm, Quantity.Bytes(row.UpBytes), Quantity.Bytes(row.DownBytes), Quantity.Bytes(row.TotalBytes), Quantity.Ratio(row.RatioFp16),
        Quantity.Ratio(row.RatioFp32), Quantity.Loss(row.Loss),
        .. OfPairs ? (string[])[Quantity.Percent(row.RewardAccuracy), Quantity.Loss(row.RewardMargin)] : [Quantity.Percent(row.ExactMatch)],
        Quantity.Percent(row.Recovered),
    ];
}

/// <summary>Numbers for people, in invariant culture. A missing or non-finite number is an en dash.</summary>
public static class Quantity
{
    private const string Missing = "–";

    private static readonly string[] Units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

    /// <summary>Bytes in SI units (1 kB = 1000 B), three significant digits and at least the whole number: <c>999 B</c>, <c>1.23 kB</c>, <c>45.6
    /// MB</c>.</summary>
    public static string Bytes(double bytes)
    {
        if (!double.IsFinite(bytes)) return Missing;
        int unit = 0;
        // 999.5 would round to 1000 of its unit.
        while (Math.Abs(bytes) >= 999.5 && unit < Units.Length - 1)
        {
            bytes /= 1000;
            unit++;
        }
        string format = unit == 0 || Math.Abs(bytes) >= 99.95 ? "F0" : Math.Abs(bytes) >= 9.995 ? "F1" : "F2";
        return bytes.ToString(format, CultureInfo.InvariantCulture) + " " + Units[unit];
    }

    /// <summary>Bytes for an axis: <see cref="Bytes"/> without trailing zeros, <c>2 MB</c>, <c>0.5 kB</c>.</summary>
    public static string Tick(double bytes)
    {
        string[] parts = Bytes(bytes).Split(' ');
        if (parts[0].Contains('.', StringComparison.Ordinal)) parts[0] = parts[0].TrimEnd('0').TrimEnd('.');
        return string.Join(' ', parts);
    }

    /// <summary>A ratio such as <c>7.14×</c>; two decimals below 10, one above.</summary>
    public static string Ratio(double? ratio) => Text(ratio, ratio >= 9.995 ? "F1" : "F2", "×");

    /// <summary>A loss in nats with four decimals.</summary>
    public static string Loss(double? loss) => Text(loss, "F4", "");

    /// <summary>A share as a percentage with one decimal: 0.123 is <c>12.3%</c>.</summary>
    public static string Percent(double? share) => Text(share * 100, "F1", "%");

    /// <summary>A share for an axis: <see cref="Percent"/> without a zero after the point.</summary>
    public static string PercentTick(double share) => Percent(share).Replace(".0%", "%", StringComparison.Ordinal);

    /// <summary>A duration: <c>480 ms</c>, <c>12.3 s</c>, <c>4 min 05 s</c>, <c>2 h 03 min</c>.</summary>
    public static string Seconds(double? seconds)
    {
        if (seconds is not { } value || !double.IsFinite(value)) return Missing;
        if (value < 0.9995) return Text(value * 1000, "F0", " ms");
        if (value < 59.95) return Text(value, "F1", " s");
        double whole = Math.Round(value);
        double first = whole < 3600 ? Math.Floor(whole / 60) : Math.Floor(Math.Round(whole / 60) / 60);
        return whole < 3600
            ? string.Create(CultureInfo.InvariantCulture, $"{first:F0} min {whole - (first * 60):00} s")
            : string.Create(CultureInfo.InvariantCulture, $"{first:F0} h {Math.Round(whole / 60) - (first * 60):00} min");
    }

    /// <summary>An integer with thin spaces between thousands.</summary>
    public static string Count(long count) => count.ToString("#,0", CultureInfo.InvariantCulture).Replace(",", "\u202f", StringComparison.Ordinal);

    private static string Text(double? value, string format, string unit) =>
        value is { } number && double.IsFinite(number) ? number.ToString(format, CultureInfo.InvariantCulture) + unit : Missing;
}
