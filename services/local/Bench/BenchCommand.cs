using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary><c>ecolora bench</c>: measures and tries.</summary>
internal static class BenchCommand
{
    private const int DefaultEntries = 1 << 25, MaximumEntries = 1 << 29;

    private const string Details =
        "Each update gets one global exact top-k and is rounded to FP16; every codec codes the same bits and must decode to them.\n"
        + "Bits per kept entry count everything. GB/s count dense FP16 bytes, on one thread, best of several, over memcpy of 64 MiB\n"
        + "between the same calls. Slow codecs (zstd-19, xz, brotli) run on every so-many-th block of 1024 entries, 2,097,152 in\n"
        + "all; the row has its entries, and the data NAME-slice has our codec on the same. Data: gaussian (independent), scaled\n"
        + "(128 tensors with scales of their own), structured (Student's t, with scales of tensors, rows and columns), or a folder\n"
        + "updates/ that 'ecolora run --keep-updates' left. A codec whose library is not here is marked absent.";

    private static readonly SimdPath[] _paths = [SimdPath.Fastest, SimdPath.Vector256, SimdPath.Vector128, SimdPath.Scalar];

    private static readonly double[] Densities = [.05, .1, .3, .5, .6, .95];

    public static Command Create() =>
        new("bench", "Measure codec, tokenizers, training, methods and slow links, and try the codec's decoder on broken frames.")
        {
            Codec(), Tokenizer(), TrainBenchCommand.Create(), MethodBenchCommand.Create(), LinkBenchCommand.Create(), SizeBenchCommand.Create(), FuzzCommand.Create(),
        };

    private static DocumentedCommand Codec()
    {
        Option<string[]> data = Arguments.Words("--data", null, "gaussian, scaled, structured, or a folder. [default: gaussian,scaled,structured]");
        Option<double[]> density = Arguments.Fractions("--density", "Kept fractions. [default: .05,.1,.3,.5,.6,.95]");
        Option<long?> entries = Arguments.Integer("--entries", SyntheticUpdate.Step, MaximumEntries,
            $"Entries, rounded down to a multiple of {SyntheticUpdate.Step}; most entries of a folder. [default: {DefaultEntries}]");
        Option<string[]> peers = Arguments.Words("--peers", CodecBench.Names, $"Some of {string.Join(", ", CodecBench.Names)}. [default: all]");
        Option<string?> path = Arguments.Choice("--path", [.. _paths.Select(PeerList.WordOf)], "Instruction set of our codec. [default: fastest]");
        Option<long?> seconds = Arguments.Integer("--seconds", 0, 3600, "Seconds for each row of a fast codec; three rounds at least. [default: 1]");
        Option<string?> @out = Arguments.Text("--out", "DIR", "Folder that gets codec.md and codec.json too.");
        Option<bool> json = Arguments.Json("the rows");
        var command = new DocumentedCommand("codec", "Compare sizes and speeds of codecs on LoRA updates.", Details,
            "ecolora bench codec --out bench/results/epyc",
            "ecolora bench codec --data gaussian --density .1,.6 --peers ecolora,bound --json",
            "ecolora bench codec --data runs/kept/updates --seconds 3")
        {
            data, density, entries, peers, path, seconds, @out, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            SimdPath simd = _paths.FirstOrDefault(simd => PeerList.WordOf(simd) == parsed.GetValue(path), SimdPath.Fastest);
            int count = (int)(parsed.GetValue(entries) ?? DefaultEntries);
            var options = new CodecBenchOptions(
                Sources(Given(parsed.GetValue(data), SyntheticUpdate.Names)), Given(parsed.GetValue(density), Densities), count - count % SyntheticUpdate.Step,
                Given(parsed.GetValue(peers), CodecBench.Names), simd, parsed.GetValue(seconds) ?? 1);
            BenchReport report = CodecBench.Run(options, Console.Error, cancellation);
            if (parsed.GetValue(@out) is { } folder) Write(folder, report);
            ResultTable.Print(parsed.GetValue(json), report.ToJson(), report.ToTables());
            return ExitCodes.Success;
        }, cancellation));
        return command;
    }

    private static DocumentedCommand Tokenizer()
    {
        Option<string[]> model = Arguments.Texts("--model", "DIR", "Folder with tokenizer.json or tokenizer.model; can be given several times.");
        Option<string[]> data = Arguments.Texts("--data", "FILE", "Instruction records; can be given several times.");
        Option<long?> seconds = Arguments.Integer("--seconds", 0, 3600, "Seconds for each row; three rounds at least. [default: 3]");
        Option<bool> json = Arguments.Json("the rows");
        var command = new DocumentedCommand("tokenizer", "Measure how fast tokenizers encode.",
            "On one thread, best of several rounds; each field of a record is one text. The first MB/s are those of a tokenizer that\n"
                + "remembers no word yet. SentencePiece (Debian: python3-sentencepiece) is measured where a folder has tokenizer.model,\n"
                + "and must find as many tokens; it is marked absent where it is not installed.",
            "ecolora bench tokenizer --model samples/base --data samples/tasks.jsonl",
            "ecolora bench tokenizer --model ~/models/llama --model ~/models/mistral --data dolly.jsonl.gz --json")
        {
            model, data, seconds, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            string[] folders = parsed.GetRequiredValue(model), files = parsed.GetRequiredValue(data);
            if (folders.Length == 0) throw new ArgumentException("--model: expected a folder, found none");
            if (files.Length == 0) throw new ArgumentException("--data: expected a file, found none");
            IReadOnlyList<TokenizerRow> rows = TokenizerBench.Run(folders, files, parsed.GetValue(seconds) ?? 3, cancellation);
            var result = new JsonObject
            {
                ["kind"] = "bench-tokenizer",
                ["machine"] = new JsonObject { ["cpu"] = BenchMachine.CpuModel(), ["dotnet"] = Environment.Version.ToString(), ["threads"] = 1 },
                ["rows"] = new JsonArray([.. rows.Select(row => row.ToJson())]),
            };
            string title = $"{BenchMachine.CpuModel()}, .NET {Environment.Version}, one thread";
            ResultTable.Print(parsed.GetValue(json), result, new ResultTable(title, TokenizerRow.Headings, [.. rows.Select(row => row.Cells)]));
            return ExitCodes.Success;
        }, cancellation));
        return command;
    }

    /// <summary>What the command line gives, or the usual.</summary>
    internal static IReadOnlyList<T> Given<T>(T[]? values, IReadOnlyList<T> usual) => values is { Length: > 0 } ? values : usual;

    /// <summary>A word that names no data must be a folder.</summary>
    private static IReadOnlyList<string> Sources(IReadOnlyList<string> sources)
    {
        foreach (string source in sources)
            if (!SyntheticUpdate.Names.Contains(source) && !Directory.Exists(source))
                throw new ArgumentException($"--data: expected {string.Join(" or ", SyntheticUpdate.Names)} or a folder, found '{source}'");
        return sources;
    }

    private static void Write(string folder, BenchReport report)
    {
        OutputFile.Write(Path.Combine(folder, "codec.md"), stream => stream.Write(Encoding.UTF8.GetBytes(report.ToMarkdown())));
        OutputFile.Write(Path.Combine(folder, "codec.json"), stream => stream.Write(Encoding.UTF8.GetBytes(ResultTable.Text(report.ToJson()) + "\n")));
    }
}
