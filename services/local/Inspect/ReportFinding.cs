using System.Text.Json;
using System.Text.Json.Nodes;
using EcoLora.Local.Runs;
using EcoLora.Telemetry;

namespace EcoLora.Local;

/// <summary>A report's final comparison, the same that <c>ecolora run</c> ends with.</summary>
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
        JsonObject json = JsonSerializer.SerializeToNode(summary, SummaryJson.Default.SummaryTable)!.AsObject();
        json.Insert(0, "kind", "report");
        json.Insert(1, "run", report.Run);
        json.Insert(2, "seed", report.Seed);
        string exact = summary.OfPairs ? "" : $", exact match {Quantity.Percent(summary.BeforeExactMatch)}";
        string before = $"held-out loss {Quantity.Loss(summary.Before)}{exact} before the first round";
        return new Finding(json, [new ResultTable($"{report.Run}: {before}", summary.Headings, [.. summary.Rows.Select(summary.Cells)])]);
    }
}
