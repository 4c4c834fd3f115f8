using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Telemetry;

namespace EcoLora.Local.Bench;

/// <summary>A frame's way over a link, measured, beside <see cref="TcpTransfer"/>.</summary>
/// <param name="Link">The link.</param>
/// <param name="IsUp">From the site to the hub.</param>
/// <param name="Exchange">What the frame is.</param>
/// <param name="Framed">Bytes of the frame, as the ledger counts them.</param>
/// <param name="Seconds">Measured.</param>
/// <param name="PacketBytes">What the interface counted in the frame's direction.</param>
/// <param name="ReverseBytes">What it counted in the other.</param>
internal sealed record LinkRow(Link Link, bool IsUp, string Exchange, long Framed, double Seconds, long PacketBytes, long ReverseBytes)
{
    /// <summary>Headings for <see cref="Cells"/>.</summary>
    public static IReadOnlyList<string> Headings { get; } =
        ["UL/DL Mbps", "way", "frame", "framed bytes", "measured s", "model s", "measured/model", "interface bytes", "framed + headers", "difference", "acknowledgements"];

    /// <summary>The model's time of the message.</summary>
    public double ModelSeconds => IsUp ? Link.UpSeconds(Framed + LinkEnd.Prelude) : Link.DownSeconds(Framed + LinkEnd.Prelude);

    /// <summary>Measured over modelled time.</summary>
    public double Ratio => Seconds / ModelSeconds;

    /// <summary>The message's bytes with a header for each segment.</summary>
    public long StatedBytes => TcpTransfer.PacketBytes(Framed + LinkEnd.Prelude);

    /// <summary>Interface over stated bytes, less 1.</summary>
    public double Difference => ((double)PacketBytes / StatedBytes) - 1;

    /// <summary>The row for people.</summary>
    public IReadOnlyList<string> Cells =>
    [
        Name(Link), IsUp ? "up" : "down", Exchange, Text(Framed), Text(Seconds, "f3"), Text(ModelSeconds, "f3"), Text(Ratio, "f3"), Text(PacketBytes), Text(StatedBytes),
        Text(100 * Difference, "f2") + "%", Text(ReverseBytes),
    ];

    /// <summary>The row for programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["up_mbps"] = Link.UpMbps,
        ["down_mbps"] = Link.DownMbps,
        ["latency_ms"] = Link.LatencyMilliseconds,
        ["way"] = IsUp ? "up" : "down",
        ["frame"] = Exchange,
        ["framed_bytes"] = Framed,
        ["measured_s"] = BenchRow.Rounded(Seconds),
        ["model_s"] = BenchRow.Rounded(ModelSeconds),
        ["interface_bytes"] = PacketBytes,
        ["stated_bytes"] = StatedBytes,
        ["reverse_bytes"] = ReverseBytes,
    };

    /// <summary>A row that <see cref="ToJson"/> wrote.</summary>
    public static LinkRow Of(JsonNode row) => new(
        new Link((double)row["up_mbps"]!, (double)row["down_mbps"]!, (double)row["latency_ms"]!), (string?)row["way"] == "up", (string)row["frame"]!,
        (long)row["framed_bytes"]!, (double)row["measured_s"]!, (long)row["interface_bytes"]!, (long)row["reverse_bytes"]!);

    /// <summary>A link as the paper names it: <c>0.2/1</c>.</summary>
    public static string Name(Link link) => string.Create(CultureInfo.InvariantCulture, $"{link.UpMbps}/{link.DownMbps}");

    private static string Text(double value, string format = "f0") => value.ToString(format, CultureInfo.InvariantCulture);
}
