using System.Globalization;

namespace EcoLora.Telemetry;

/// <summary>Communication time of the run on the paper's four links.</summary>
internal static class LinkSection
{
    public static void AddTo(Markup html, RunReport report)
    {
        html.Add(
            $"<h2 id=\"links\">Slow links</h2>\n<p>Communication time over the run, computed from the ledger: participants in parallel, each on its own "
            + $"link; a round takes as long as its slowest participant's download and upload, ");
        html.Add(
            $"each over an idle TCP connection: latency, IP packets at the link's rate, and the pauses of slow start. Training time is not in it. The factor "
            + $"is against the first arm.</p>\n<div class=\"grid4\">\n");
        foreach (LinkTimes times in report.Links) Panel(report, times).AddTo(html);
        html.Add($"</div>\n");
    }

    private static BarTable Panel(RunReport report, LinkTimes times)
    {
        string rates = string.Create(CultureInfo.InvariantCulture, $"{times.Link.UpMbps} / {times.Link.DownMbps} Mbps");
        string note = string.Create(CultureInfo.InvariantCulture, $"up / down, {times.Link.LatencyMilliseconds} ms each way");
        double? first = times.Arms.Count > 0 ? times.Arms[0].Seconds : null;
        return new BarTable(rates, note,
        [
            .. times.Arms.Select((arm, i) => new Bar(
                arm.Computed ? arm.Name.Replace("dense ", "", StringComparison.Ordinal) + ", computed" : arm.Name,
                arm.Computed ? 4 : i, arm.Computed, arm.Seconds, Quantity.Seconds(arm.Seconds), i > 0 && first > 0 ? Quantity.Ratio(arm.Seconds / first) : "")),
        ]);
    }
}
