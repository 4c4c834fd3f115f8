using System.Text.Json.Nodes;
using EcoLora.Telemetry;

namespace EcoLora.Local;

/// <summary>A report's final comparison; <c>ecolora run</c> ends with the same.</summary>
internal static class ReportFinding
{
    private const long LargestReport = 1L << 28;

    public static Finding Of(string path)
    {
        long length = new FileInfo(path).Length;
        if (length > LargestReport) throw new FormatException($"{path}: expected a report of at most {LargestReport} bytes, found {length}");
        return Of(ReportJson.Read(File.ReadAllBytes(path), path));
    }

    public static Finding Of(RunReport report)
    {
        SummaryTable summary = SummaryTable.Of(report);
        var json = new JsonObject
        {
            ["kind"] = "report", ["run"] = report.Run, ["seed"] = report.Seed, ["lossBefore"] = summary.Before, ["exactMatchBefore"] = summary.BeforeExactMatch,
            ["arms"] = new JsonArray([.. summary.Rows.Select(Json)]),
        };
        string before = $"held-out loss {Quantity.Loss(summary.Before)}, exact match {Quantity.Percent(summary.BeforeExactMatch)} before the first round";
        return new Finding(json, [new ResultTable($"{report.Run}: {before}", SummaryTable.Headings, [.. summary.Rows.Select(SummaryTable.Cells)])]);
    }

    private static JsonObject Json(SummaryRow row) => new()
    {
        ["arm"] = row.Arm, ["upBytes"] = row.UpBytes, ["downBytes"] = row.DownBytes, ["totalBytes"] = row.TotalBytes, ["ratioFp16"] = row.RatioFp16,
        ["ratioFp32"] = row.RatioFp32, ["loss"] = row.Loss, ["exactMatch"] = row.ExactMatch, ["recovered"] = row.Recovered,
    };
}
