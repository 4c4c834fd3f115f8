using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace EcoLora.Local.Bench;

/// <summary>
/// Tokens per second and peak memory of a LoRA training step, our engines' and PyTorch's in the same run. Each engine has a process of its own per case; the engines
/// take turns, case by case, so that a machine that slows down slows both.
/// </summary>
internal static class TrainBench
{
    public const string Ours = "ecolora", TorchSharp = "torchsharp", Torch = "pytorch";

    /// <summary>Measures every case with every engine.</summary>
    /// <param name="cases">The cases.</param>
    /// <param name="engines">Names of engines.</param>
    /// <param name="precision">Of TorchSharp's base.</param>
    /// <param name="repeats">How often each is measured; the best counts.</param>
    /// <param name="progress">Gets a line before each measurement.</param>
    /// <param name="cancellation">Ends the running process.</param>
    public static IReadOnlyList<TrainRow> Run(
        IReadOnlyList<TrainCase> cases, IReadOnlyList<string> engines, string precision, int repeats, TextWriter progress, CancellationToken cancellation)
    {
        var rows = new List<TrainRow>();
        var peaks = new Dictionary<int, double>();
        foreach (TrainCase @case in cases)
        {
            if (!peaks.TryGetValue(@case.Threads, out double peak)) peaks[@case.Threads] = peak = MachinePeak.GigaFlops(@case.Threads);
            var best = new Dictionary<string, TrainRow>();
            for (int repeat = 0; repeat < repeats; repeat++)
            {
                foreach (string engine in engines)
                {
                    progress.WriteLine($"{engine}, {@case.Shape.Name}, {@case.Threads} threads, {@case.Sequences} × {@case.Length} tokens");
                    TrainRow row = Measure(engine, precision, new TrainRow(engine, @case, peak), cancellation);
                    if (!best.TryGetValue(engine, out TrainRow? former) || row.Seconds < former.Seconds) best[engine] = row;
                }
            }
            foreach (string engine in engines) rows.Add(best[engine] with { Peer = engine == Torch ? null : best.GetValueOrDefault(Torch) });
        }
        return rows;
    }

    private static TrainRow Measure(string engine, string precision, TrainRow row, CancellationToken cancellation)
    {
        try
        {
            JsonObject found = engine == Torch ? RunTorch(row.Case, cancellation) : RunOurs(engine, precision, row.Case, cancellation);
            return row with
            {
                Seconds = (double)found["best_s"]!,
                PeakMib = (long)found["peak_kib"]! / 1024.0,
                Loss = (double)found["loss"]!,
                Note = (string?)found["note"] ?? (engine == TorchSharp ? $"{precision}, .NET {Environment.Version}" : $".NET {Environment.Version}"),
            };
        }
        catch (InvalidOperationException fault)
        {
            return row with { Note = $"absent: {fault.Message}" };
        }
    }

    private static JsonObject RunOurs(string engine, string precision, TrainCase @case, CancellationToken cancellation) => Run(
        new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
        [
            typeof(TrainBench).Assembly.Location, "bench", "train", "--worker", "--engines", engine, "--precision", precision, .. (string[])(@case.Shape.Folder is { } folder ? ["--model", folder] : ["--shape", @case.Shape.Name]),
            "--threads", Text(@case.Threads),
            "--sequences", Text(@case.Sequences), "--sequence", Text(@case.Length), "--labels", @case.Labels.ToString("R", CultureInfo.InvariantCulture),
            "--steps", Text(@case.Steps), .. @case.Recomputes ? (string[])["--recompute"] : [],
        ]),
        "", cancellation);

    private static JsonObject RunTorch(TrainCase @case, CancellationToken cancellation)
    {
        Training.LlamaConfig c = @case.Shape.Config;
        (string, int)[] numbers =
        [
            ("hidden", c.HiddenSize), ("layers", c.Layers), ("heads", c.Heads), ("kv-heads", c.KeyValueHeads), ("ffn", c.IntermediateSize),
            ("vocabulary", c.Vocabulary), ("rank", TrainShape.Lora.Rank), ("sequences", @case.Sequences), ("length", @case.Length),
            ("threads", @case.Threads), ("steps", @case.Steps),
        ];
        var start = new ProcessStartInfo(PeerProcess.Python,
        [
            "-", .. numbers.SelectMany(each => (string[])[$"--{each.Item1}", Text(each.Item2)]),
            "--labels", @case.Labels.ToString("R", CultureInfo.InvariantCulture),
        ]);
        // Some environments pin OpenBLAS to another processor's kernels, which halves its speed.
        start.Environment.Remove("OPENBLAS_CORETYPE");
        start.Environment.Remove("OPENBLAS_L2_SIZE");
        // glibc gives large blocks back to the kernel at once and gets them again page by page: half of PyTorch's time here, and not its fault.
        start.Environment["MALLOC_MMAP_THRESHOLD_"] = start.Environment["MALLOC_TRIM_THRESHOLD_"] = "17179869184";
        // Threads that spin while they wait collapse where cores are shared with other machines.
        start.Environment["OMP_WAIT_POLICY"] = "passive";
        start.Environment["OPENBLAS_NUM_THREADS"] = start.Environment["OMP_NUM_THREADS"] = Text(@case.Threads);
        using var script = new StreamReader(typeof(TrainBench).Assembly.GetManifestResourceStream("torch_lora.py")!);
        return Run(start, script.ReadToEnd(), cancellation);
    }

    /// <summary>The last line that a process wrote.</summary>
    private static JsonObject Run(ProcessStartInfo start, string input, CancellationToken cancellation) =>
        JsonNode.Parse(PeerProcess.Run(start, input, cancellation).Split('\n')[^1])!.AsObject();

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
