using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Local.Runs;
using EcoLora.Services.Trainer;
using EcoLora.Telemetry;

namespace EcoLora.Local.Bench;

/// <summary>Makes the runs of a study by the product's own path, each in a folder of its own, and sums them up. What has been run is not run again.</summary>
internal static class MethodBench
{
    private static readonly double[] Targets = [0.8, 0.9, 0.95, 1];

    private static readonly string[] Headings =
        ["row", "up", "down", "up ×", "down ×", "total ×", "with control ×", "held-out loss", "±", "improvement", "recovered", "±"];

    /// <summary>Runs what is missing.</summary>
    /// <param name="study">The study.</param>
    /// <param name="overrides">Model, data and threads of the command line.</param>
    /// <param name="work">Folder of the runs.</param>
    /// <param name="log">Gets a line per run.</param>
    /// <param name="cancellation">Stops at the next durable point; called again, it goes on there.</param>
    /// <returns>The lines, the reference first.</returns>
    public static async Task<IReadOnlyList<StudyLine>> RunAsync(
        MethodStudy study, IReadOnlyList<OptionOverride> overrides, string work, TextWriter log, CancellationToken cancellation)
    {
        IByteCompressor? zstd = study.Zstd is { } level ? ZstdAt(level) : null;
        // All are read before the first is run: a row that cannot be is known at once.
        var files = study.Rows.Select(row => (Row: row, Files: study.Seeds.Select(seed => study.FileOf(row, seed, overrides)).ToArray())).ToArray();
        if (zstd is not null && files[0].Files[0].Exchange is var first && (first.KMax < 1 || first.KMinA < 1 || first.KMinB < 1))
            throw new ArgumentException(FormattableString.Invariant($"zstd: expected a reference that sends all entries, found k from {first.KMinA} and {first.KMinB} to {first.KMax}"));
        var lines = new List<StudyLine>();
        foreach ((StudyRow row, RunFile[] seeds) in files)
        {
            var runs = new List<StudyRun>();
            var compressed = new List<StudyRun>();
            IByteCompressor? compressor = lines.Count == 0 ? zstd : null;
            foreach ((RunFile file, int seed) in seeds.Zip(study.Seeds))
            {
                // Frames are made again from the updates, which a run that another study has made need not have kept.
                string folder = Path.Combine(work, FolderOf(row, file) + (compressor is null ? "" : "-kept"));
                var request = new RunRequest(file, folder, Resume: Directory.Exists(folder), Force: false, Replay: null, Json: false, KeepUpdates: compressor is not null);
                ArmReport arm = (await LocalRun.ExecuteAsync(request, new QuietView(), cancellation)).Arms[0];
                runs.Add(StudyRun.Of(arm, round => (round.Bytes.Up.Framed, round.Bytes.Down.Framed)));
                if (compressor is not null) compressed.Add(StudyRun.Of(arm, new RecompressedFrames(file, folder, compressor).Of));
                log.WriteLine(FormattableString.Invariant($"{row.Name}, seed {seed}: held-out loss {runs[^1].Before:f4} to {runs[^1].Loss:f4}, {Quantity.Bytes(runs[^1].Framed)}"));
            }
            lines.Add(new StudyLine(row, runs, lines.Count == 0 ? runs : lines[0].Runs));
            if (compressor is not null) lines.Add(new StudyLine(new StudyRow(FormattableString.Invariant($"{row.Name}+zstd-{study.Zstd}"), row.Sets), compressed, runs));
        }
        return lines;
    }

    private static IByteCompressor ZstdAt(int level)
    {
        var library = new ZstdLibrary();
        return library.Absent is { } absent ? throw new ArgumentException($"zstd: expected the system's library, found none: {absent}") : library.At(level);
    }

    /// <summary>Two studies that have a row in common share its runs: the folder is that of the run file as a whole.</summary>
    private static string FolderOf(StudyRow row, RunFile file) =>
        FormattableString.Invariant($"{row.Name}-{file.Seed}-{Codec.Frame.DigestOf(Encoding.UTF8.GetBytes(file.Values.ToCanonicalText()))[..8]}");

    /// <summary>The comparison, the bytes to the reference's losses, and what each row changes.</summary>
    public static IReadOnlyList<ResultTable> TablesOf(MethodStudy study, IReadOnlyList<StudyLine> lines) =>
    [
        new(study.Title, Headings, [.. lines.Select(Cells)]),
        new("Framed bytes until a share of the reference's improvement is first reached, and how many times fewer than the reference needs for it",
            ["row", .. Targets.SelectMany(share => (string[])[Quantity.Percent(share), "×"])], [.. lines.Select(line => TargetCells(line, lines[0]))]),
        new("Options", ["row", "options"], [.. lines.Select(line => (IReadOnlyList<string>)[line.Row.Name, string.Join(' ', line.Row.Sets.Select(set => $"`{set}`"))])]),
    ];

    /// <summary>What stands above the tables of a committed page.</summary>
    public static string Introduction(MethodStudy study) =>
        $"# Methods\n\nMade by `./ecolora bench methods bench/methods/{study.Name}.yaml`; how to read it is in docs/results.md.\n\n"
        + FormattableString.Invariant($"{BenchMachine.CpuModel()}, .NET {Environment.Version}, {DateTime.UtcNow:yyyy-MM-dd}; run file {Path.GetFileName(study.RunFile)}, seeds {string.Join(", ", study.Seeds)}.");

    /// <summary>The same for programs, with every run.</summary>
    public static JsonObject ToJson(MethodStudy study, IReadOnlyList<StudyLine> lines) => new()
    {
        ["kind"] = "bench-methods",
        ["study"] = study.Name,
        ["title"] = study.Title,
        ["seeds"] = new JsonArray([.. study.Seeds.Select(seed => JsonValue.Create(seed.ToString(CultureInfo.InvariantCulture)))]),
        ["machine"] = new JsonObject
        {
            ["cpu"] = BenchMachine.CpuModel(),
            ["dotnet"] = Environment.Version.ToString(),
            ["date"] = DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        },
        ["rows"] = new JsonArray([.. lines.Select(Row)]),
    };

    /// <summary>The curves as means over the seeds.</summary>
    public static string PlotsOf(MethodStudy study, IReadOnlyList<StudyLine> lines) =>
        StudyPage.Render(study.Title, [.. lines.Select(line => new StudyCurve(line.Row.Name, line.MeanCurve, line.RatioTotal, line.Recovered.Mean))]);

    private static string[] TargetCells(StudyLine line, StudyLine reference) =>
        [line.Row.Name, .. Targets.SelectMany(share => (string[])[line.BytesTo(share) is { } bytes ? Quantity.Bytes(bytes) : "–", Quantity.Ratio(reference.BytesTo(share) / line.BytesTo(share))])];

    private static string[] Cells(StudyLine line) =>
    [
        line.Row.Name,
        Quantity.Bytes(line.Runs.Average(run => run.Up)), Quantity.Bytes(line.Runs.Average(run => run.Down)),
        Quantity.Ratio(line.RatioUp), Quantity.Ratio(line.RatioDown), Quantity.Ratio(line.RatioTotal), Quantity.Ratio(line.RatioAll),
        Quantity.Loss(line.Loss.Mean), Quantity.Loss(line.Loss.Deviation), Quantity.Loss(line.Improvement.Mean),
        Quantity.Percent(line.Recovered.Mean), Quantity.Percent(line.Recovered.Deviation),
    ];

    private static JsonObject Row(StudyLine line) => new()
    {
        ["row"] = line.Row.Name,
        ["options"] = new JsonArray([.. line.Row.Sets.Select(set => JsonValue.Create(set))]),
        ["ratio_up"] = line.RatioUp,
        ["ratio_down"] = line.RatioDown,
        ["ratio_total"] = line.RatioTotal,
        ["ratio_with_control"] = line.RatioAll,
        ["loss"] = line.Loss.Mean,
        ["loss_sd"] = line.Loss.Deviation,
        ["recovered"] = line.Recovered.Mean,
        ["recovered_sd"] = line.Recovered.Deviation,
        ["bytes_to"] = new JsonArray([.. Targets.Select(share => new JsonObject { ["recovered"] = share, ["bytes"] = line.BytesTo(share) })]),
        ["runs"] = new JsonArray([.. line.Runs.Select(run => new JsonObject
        {
            ["before"] = run.Before,
            ["loss"] = run.Loss,
            ["exact_match"] = run.ExactMatch,
            ["up"] = run.Up,
            ["down"] = run.Down,
            ["control"] = run.Control,
            ["curve"] = new JsonArray([.. run.Curve.Select(point => new JsonArray(point.Bytes, point.Loss))]),
        })]),
    };

    /// <summary>Shows nothing: a study has its own line per run.</summary>
    private sealed class QuietView : IRunView
    {
        public void Begin(RunRequest request, RunInput input, IReadOnlyList<Arm> arms)
        {
        }

        public void Advance(Arm arm, RunState state, JournalEntry entry)
        {
        }
    }
}
