using System.Globalization;

namespace EcoLora.Telemetry;

/// <summary>The top of the page: what ran, the verdict in a sentence, the headline numbers, the way to the sections.</summary>
internal static class HeadlineSection
{
    private static readonly (string Id, string Name)[] Sections =
    [
        ("comparison", "Comparison"), ("quality", "Quality"), ("bytes", "Bytes"), ("sparsity", "Density and coverage"), ("links", "Slow links"),
        ("clients", "Clients and data"), ("ledger", "Ledger"), ("run", "Run"),
    ];

    public static void AddTo(Markup html, RunReport report)
    {
        ArmReport arm = report.Arms[0];
        int sampled = arm.Rounds.Count == 0 ? 0 : arm.Rounds.Max(round => round.Participants.Count);
        int sites = report.Data.Clients.Select(client => client.Site).Distinct(StringComparer.Ordinal).Count();
        html.Add($"<header>\n<p class=\"eyebrow\">EcoLoRA run report</p>\n<h1>{report.Run}</h1>\n");
        html.Add(
            $"<p class=\"facts\">{arm.Name} on {report.Model.Name}, {Quantity.Count(arm.Parameters)} LoRA parameters; "
            + $"{Number(report.Data.Clients.Count, "client")} at {Number(sites, "site")}, ");
        html.Add(
            $"{sampled} a round, {Number(arm.Rounds.Count, "round")}, {Number(arm.Segments, "segment")}; seed "
            + $"{report.Seed.ToString(CultureInfo.InvariantCulture)}</p>\n");
        AddVerdict(html, arm);
        html.Add($"<div class=\"cards\">\n");
        DirectionBytes bytes = arm.Totals;
        AddRatio(html, "Uplink", arm.Computed.UpFp16, arm.Computed.UpFp32, bytes.UpBytes, bytes.Up.DenseFp16);
        AddRatio(html, "Downlink", arm.Computed.DownFp16, arm.Computed.DownFp32, bytes.DownBytes, bytes.Down.DenseFp16);
        AddRatio(html, "Both ways", arm.Computed.TotalFp16, arm.Computed.TotalFp32, bytes.TotalBytes, bytes.Up.DenseFp16 + bytes.Down.DenseFp16);
        AddQuality(html, arm);
        html.Add($"</div>\n</header>\n<nav aria-label=\"Sections\"><div>\n");
        foreach ((string id, string name) in Sections) html.Add($"<a href=\"#{id}\">{name}</a>\n");
        html.Add($"</div></nav>\n");
    }

    private static void AddVerdict(Markup html, ArmReport arm)
    {
        if (arm.Computed.TotalFp16 is not { } ratio) return;
        string dense = Quantity.Bytes(arm.Totals.Up.DenseFp16 + arm.Totals.Down.DenseFp16);
        html.Add($"<p class=\"verdict\">");
        if (ratio >= 1)
            html.Add(
                $"<b>{Quantity.Ratio(ratio)} fewer bytes</b> than a dense FP16 exchange, {Quantity.Bytes(arm.Totals.TotalBytes)} instead of {dense}");
        else html.Add($"{Quantity.Bytes(arm.Totals.TotalBytes)} sent, where a dense FP16 exchange needs {dense}");
        if (arm.Recovered is not null) html.Add($", with <b>{Quantity.Percent(arm.Recovered)}</b> of its improvement in held-out loss");
        html.Add($".</p>\n");
    }

    private static void AddRatio(Markup html, string title, double? fp16, double? fp32, long bytes, long dense)
    {
        html.Add($"<section class=\"card\"><h3>{title}</h3><p class=\"big\">{Quantity.Ratio(fp16)}</p>");
        html.Add($"<p>less than dense FP16</p><p>{Quantity.Ratio(fp32)} less than FP32</p><p>{Quantity.Bytes(bytes)} of {Quantity.Bytes(dense)}</p>");
        AddMeter(html, dense == 0 ? 0 : (double)bytes / dense);
    }

    private static void AddQuality(Markup html, ArmReport arm)
    {
        double? before = arm.Before?.Loss, after = arm.Final?.Loss;
        html.Add(
            $"<section class=\"card\"><h3>Held-out loss</h3><p class=\"big\">{Quantity.Loss(after)}</p><p>{Quantity.Loss(before)} before</p>"
            + $"<p>{Change(after / before - 1, 100, "%")}</p></section>\n");
        html.Add(
            $"<section class=\"card\"><h3>{(arm.Final?.RewardAccuracy is null ? "Exact match" : "Reward accuracy")}</h3><p class=\"big\">{Quantity.Percent(arm.Final?.Right)}</p>"
            + $"<p>{Quantity.Percent(arm.Before?.Right)} before</p>");
        html.Add($"<p>{Change(arm.Final?.Right - arm.Before?.Right, 100, " points")}</p></section>\n");
        html.Add(
            $"<section class=\"card\"><h3>Recovered</h3><p class=\"big\">{Quantity.Percent(arm.Recovered)}</p>"
            + $"<p>of the loss improvement of dense FP16</p>");
        AddMeter(html, Math.Clamp(arm.Recovered ?? 0, 0, 1));
    }

    private static void AddMeter(Markup html, double share) =>
        html.Add(
            $"<svg viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"rail\" width=\"100\" height=\"6\"/>"
            + $"<rect class=\"fill\" width=\"{Math.Min(100, 100 * share)}\" height=\"6\"/></svg></section>\n");

    private static string Change(double? change, double scale, string unit) =>
        change is { } value && double.IsFinite(value) ? (value * scale).ToString("+0.0;−0.0;±0.0", CultureInfo.InvariantCulture) + unit : "";

    private static string Number(int count, string noun) => string.Create(CultureInfo.InvariantCulture, $"{count} {noun}{(count == 1 ? "" : "s")}");
}
