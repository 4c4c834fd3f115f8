using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Telemetry;

namespace EcoLora.Local.Bench;

/// <summary>What a run would take on the paper's links: communication by the model from its ledger, computing as its own clock measured it.</summary>
/// <param name="Report">A report with timing.</param>
internal sealed record LinkRunTable(RunReport Report)
{
    private static readonly IReadOnlyList<string> Headings =
        ["UL/DL Mbps", "arm", "communication s", "computing s", "total s", "communication, first arm less", "total, first arm less"];

    /// <summary>For people.</summary>
    public ResultTable ToTable() => new($"{Report.Run}: {Report.Arms[0].Rounds.Count} rounds, {Report.Arms[0].Parameters} parameters", Headings,
    [
        .. from times in Report.Links
           from arm in times.Arms
           let compute = Compute(arm)
           let first = times.Arms[0]
           select (IReadOnlyList<string>)
           [
               LinkRow.Name(times.Link), arm.Computed ? arm.Name + ", computed" : arm.Name, Text(arm.Seconds), Text(compute), Text(arm.Seconds + compute),
               Less(first.Seconds, arm.Seconds), Less(first.Seconds + Compute(first), arm.Seconds + compute),
           ],
    ]);

    /// <summary>For programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["run"] = Report.Run,
        ["rounds"] = Report.Arms[0].Rounds.Count,
        ["parameters"] = Report.Arms[0].Parameters,
        ["arms"] = new JsonArray(
        [
            .. from times in Report.Links
               from arm in times.Arms
               select (JsonNode)new JsonObject
               {
                   ["up_mbps"] = times.Link.UpMbps,
                   ["down_mbps"] = times.Link.DownMbps,
                   ["arm"] = arm.Name,
                   ["computed"] = arm.Computed,
                   ["communication_s"] = BenchRow.Rounded(arm.Seconds),
                   ["computing_s"] = BenchRow.Rounded(Compute(arm)),
               },
        ]),
    };

    /// <summary>The arm's own wall time; a computed reference has that of the arm of the same exchange, else of the first.</summary>
    private double? Compute(LinkArm arm)
    {
        if (Report.Timing is not { } timing) return null;
        string exchange = arm.Name.Replace("dense ", "dense-", StringComparison.Ordinal);
        ArmReport? ran = Report.Arms.FirstOrDefault(each => arm.Computed ? ReportName(each.Exchange) == exchange : each.Name == arm.Name) ?? Report.Arms[0];
        return timing.Arms.FirstOrDefault(each => each.Arm == ran.Name)?.Seconds;
    }

    private static string ReportName(Exchange exchange) => exchange switch { Exchange.DenseFp16 => "dense-fp16", Exchange.DenseFp32 => "dense-fp32", _ => "ecolora" };

    private static string Less(double? first, double? seconds) =>
        first is { } ours && seconds is { } other && other > 0 ? (100 * (1 - (ours / other))).ToString("f1", CultureInfo.InvariantCulture) + "%" : "–";

    private static string Text(double? seconds) => seconds?.ToString("f1", CultureInfo.InvariantCulture) ?? "–";
}
