using System.Globalization;
using System.Text.Json.Nodes;

namespace EcoLora.Local.Bench;

/// <summary>An engine on a case.</summary>
/// <param name="Engine"><c>ecolora</c>, <c>torchsharp</c> or <c>pytorch</c>.</param>
/// <param name="Case">What was measured.</param>
/// <param name="MachineGflops">Multiply-adds of the machine on as many threads, GFLOP/s, measured beside it.</param>
internal sealed record TrainRow(string Engine, TrainCase Case, double MachineGflops)
{
    /// <summary>Headings for <see cref="Cells"/>.</summary>
    public static IReadOnlyList<string> Headings { get; } =
        ["engine", "threads", "sequence", "labels", "tokens/s", "to PyTorch", "peak MiB", "to PyTorch", "GFLOP/s", "of the machine", "note"];

    /// <summary>Seconds of the best step; null where it was not measured.</summary>
    public double? Seconds { get; init; }

    /// <summary>Peak memory of the process.</summary>
    public double? PeakMib { get; init; }

    /// <summary>Mean loss of the first step, in nats: near ln(vocabulary) with random weights.</summary>
    public double? Loss { get; init; }

    /// <summary>Version and libraries, or why there are no numbers.</summary>
    public string Note { get; init; } = "";

    /// <summary>PyTorch's row of the same case, or null.</summary>
    public TrainRow? Peer { get; init; }

    /// <summary>Tokens of the step per second, with label or without.</summary>
    public double? TokensPerSecond => Case.Sequences * Case.Length / Seconds;

    private double? Gflops => TokensPerSecond * Case.Shape.FlopsPerToken(Case.Length, Case.Labels) / 1e9;

    /// <summary>The row for people.</summary>
    public IReadOnlyList<string> Cells =>
    [
        Engine, Text(Case.Threads, "F0"), $"{Case.Sequences} × {Case.Length}", Text(100 * Case.Labels, "F0") + " %", Text(TokensPerSecond, "F0"),
        Text(TokensPerSecond / Peer?.TokensPerSecond, "F2"), Text(PeakMib, "F0"), Text(PeakMib / Peer?.PeakMib, "F2"), Text(Gflops, "F0"),
        Text(100 * Gflops / MachineGflops, "F0") + " %", Note,
    ];

    /// <summary>The row for programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["engine"] = Engine,
        ["shape"] = Case.Shape.Name,
        ["threads"] = Case.Threads,
        ["sequences"] = Case.Sequences,
        ["sequence"] = Case.Length,
        ["labels"] = Case.Labels,
        ["tokens_per_s"] = BenchRow.Rounded(TokensPerSecond),
        ["tokens_per_s_to_pytorch"] = BenchRow.Rounded(TokensPerSecond / Peer?.TokensPerSecond),
        ["peak_mib"] = BenchRow.Rounded(PeakMib),
        ["peak_to_pytorch"] = BenchRow.Rounded(PeakMib / Peer?.PeakMib),
        ["gflops"] = BenchRow.Rounded(Gflops),
        ["machine_gflops"] = BenchRow.Rounded(MachineGflops),
        ["loss"] = BenchRow.Rounded(Loss),
        ["note"] = Note,
    };

    private static string Text(double? value, string format) => value is { } number ? number.ToString(format, CultureInfo.InvariantCulture) : "–";
}
