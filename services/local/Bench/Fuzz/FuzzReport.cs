using System.Globalization;
using System.Text.Json.Nodes;

namespace EcoLora.Local.Bench;

/// <summary>What a fuzz run came to.</summary>
/// <param name="Options">What it did.</param>
/// <param name="Totals">What was read on each path.</param>
/// <param name="Shapes">The kinds of verdict that were met.</param>
/// <param name="Findings">The first of each kind.</param>
/// <param name="FindingCount">How many there were in all.</param>
/// <param name="Wall">Time that it took.</param>
internal sealed record FuzzReport(
    FuzzOptions Options, IReadOnlyList<PathTotals> Totals, VerdictShapes Shapes, IReadOnlyList<FuzzFinding> Findings, long FindingCount, TimeSpan Wall)
{
    private static readonly string[] _headings =
        ["path", "frames", "mutated bytes", "bytes fed", "accepted", "refused", "reading s", "mutated/s", "largest allocation", "slowest ms"];

    /// <summary>For programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["kind"] = "bench-fuzz",
        ["seed"] = Options.Seed,
        ["threads"] = Options.Threads,
        ["wall_s"] = Math.Round(Wall.TotalSeconds, 3),
        ["paths"] = new JsonArray([.. Totals.Select(ToJson)]),
        ["absent"] = new JsonArray([.. FuzzRun.Paths.Where(path => !path.IsHere).Select(path => (JsonNode)PeerList.WordOf(path.Path))]),
        ["refusals"] = new JsonObject(Shapes.Refused.Select(kind => KeyValuePair.Create(kind.Shape, (JsonNode?)kind.Count))),
        ["accepted"] = new JsonObject(Shapes.Accepted.Select(kind => KeyValuePair.Create(kind.Shape, (JsonNode?)kind.Count))),
        ["findings"] = FindingCount,
        ["frames"] = new JsonArray([.. Findings.Select(finding => (JsonNode)finding.File)]),
    };

    /// <summary>For the terminal.</summary>
    public IEnumerable<ResultTable> ToTables()
    {
        string kinds = $"{Shapes.RefusedCount + Shapes.AcceptedCount} kinds of verdict ({Shapes.RefusedCount} of refusals)";
        string title = FormattableString.Invariant(
            $"seed {Options.Seed}, {Options.Threads} threads, {Wall.TotalSeconds:f1} s; {kinds}; {FindingCount} findings");
        IEnumerable<IReadOnlyList<string>> absent = FuzzRun.Paths.Where(path => !path.IsHere)
            .Select(path => (string[])[PeerList.WordOf(path.Path), "absent", .. Enumerable.Repeat("–", _headings.Length - 2)]);
        yield return new ResultTable(title, _headings, [.. Totals.Select(Cells), .. absent]);
    }


    private JsonObject ToJson(PathTotals path) => new()
    {
        ["path"] = PeerList.WordOf(path.Path),
        ["frames"] = path.Frames,
        ["mutated_bytes"] = path.Mutated,
        ["fed_bytes"] = path.Fed,
        ["accepted"] = path.Accepted,
        ["refused"] = path.Frames - path.Accepted,
        ["reading_s"] = Math.Round(path.Seconds, 3),
        ["mutated_bytes_s"] = Math.Round(path.Mutated / Wall.TotalSeconds),
        ["largest_allocation"] = path.LargestAllocation,
        ["slowest_ms"] = Math.Round(1e3 * path.Slowest, 3),
    };

    private IReadOnlyList<string> Cells(PathTotals path) =>
        [PeerList.WordOf(path.Path), .. ((object[])
        [
            path.Frames, path.Mutated, path.Fed, path.Accepted, path.Frames - path.Accepted, Math.Round(path.Seconds, 1),
            Math.Round(path.Mutated / Wall.TotalSeconds), path.LargestAllocation, Math.Round(1e3 * path.Slowest, 1),
        ]).Select(cell => Convert.ToString(cell, CultureInfo.InvariantCulture)!)];
}
