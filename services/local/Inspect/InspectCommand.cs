using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using EcoLora.Telemetry;

namespace EcoLora.Local;

/// <summary>What was found in a file or folder.</summary>
/// <param name="Json">For programs; <c>kind</c> says what it is.</param>
/// <param name="Tables">For people.</param>
internal sealed record Finding(JsonObject Json, IReadOnlyList<ResultTable> Tables);

/// <summary><c>ecolora inspect</c>: tells by the content what something is, and shows what is in it.</summary>
internal static class InspectCommand
{
    private const string Details =
        "Recognised by content: a PEFT adapter folder (modules, ranks, norms), a frame file (identity, sections, bytes), a\n"
        + "ledger.csv (totals by direction and stage), a report.json or the folder of a run (the final comparison).\n"
        + "A frame does not carry its layout: with --layout, an adapter of the run that it belongs to, it is decoded and checked.";

    public static Command Create()
    {
        var path = new Argument<string>("path") { Description = "A file or a folder.", HelpName = "PATH" };
        Option<string?> layout = Arguments.Text("--layout", "DIR", "PEFT adapter folder that has the layout of a frame.");
        Option<bool> json = Arguments.Json("what was found");
        var command = new DocumentedCommand("inspect", "Show what an adapter, a frame, a ledger or a report holds.", Details,
            "ecolora inspect runs/quickstart/adapter",
            "ecolora inspect runs/quickstart/ledger.csv",
            "ecolora inspect runs/quickstart --json",
            "ecolora inspect some.frame --layout runs/quickstart/adapter")
        {
            path, layout, json,
        };
        command.SetAction(parsed =>
        {
            Finding finding = Inspect(parsed.GetRequiredValue(path), parsed.GetValue(layout));
            ResultTable.Print(parsed.GetValue(json), finding.Json, finding.Tables);
            return ExitCodes.Success;
        });
        return command;
    }

    private static Finding Inspect(string path, string? layout)
    {
        if (Directory.Exists(path)) return InspectFolder(path);
        byte[] start = new byte[64];
        using (FileStream file = File.OpenRead(path)) start = start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        string text = Encoding.UTF8.GetString(start).TrimStart('\uFEFF', ' ', '\n', '\r', '\t');
        if (start.AsSpan().StartsWith("ECLF"u8)) return FrameFinding.Of(path, layout);
        if (text.StartsWith(LedgerCsv.Header[..20], StringComparison.Ordinal)) return LedgerFinding.Of(path);
        if (text.StartsWith('{') && text.Contains("$schema", StringComparison.Ordinal)) return ReportFinding.Of(path);
        throw new FormatException($"{path}: expected a frame, a ledger, a report or an adapter's folder, found another file");
    }

    private static Finding InspectFolder(string path)
    {
        if (File.Exists(Path.Combine(path, "adapter_config.json"))) return AdapterFinding.Of(path);
        string report = Path.Combine(path, "report.json");
        if (File.Exists(report)) return ReportFinding.Of(report);
        throw new FormatException($"{path}: expected adapter_config.json or report.json in the folder, found neither");
    }
}
