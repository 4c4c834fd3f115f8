using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Hosting;

namespace EcoLora.Local.Bench;

/// <summary><c>ecolora bench train</c>: the speed of training, beside PyTorch's.</summary>
internal static class TrainBenchCommand
{
    private const string Details =
        "A step is forward, backward and AdamW of LoRA (rank 16 on queries and values) over a frozen random base; ours is kept in\n"
        + "bfloat16, PyTorch's in float32, both compute in float32. Best of several steps, in a process of its own. GFLOP/s count\n"
        + "what the step needs (bench/README.md), over the machine's multiply-adds on registers. PyTorch is Debian's python3-torch,\n"
        + "marked absent where it is not installed; it should find OpenBLAS (libopenblas0-pthread), its note says which it found.\n"
        + "TorchSharp is there where the build has it (docs/torch.md); it takes a CUDA device where there is one.";

    public static DocumentedCommand Create()
    {
        Option<string[]> shape = Arguments.Words("--shape", [.. TrainShape.All.Select(each => each.Name)],
            $"Shapes: {string.Join(", ", TrainShape.All.Select(each => each.Name))}. [default: {TrainShape.All[0].Name}]");
        Option<string?> model = Arguments.Text("--model", "DIR", "Hugging Face folder whose weights are trained on, instead of a shape's random ones.");
        Option<string[]> threads = Arguments.Words("--threads", null, "Threads, in turn. [default: 1 and one per core]");
        Option<string[]> sequence = Arguments.Words("--sequence", null, "Tokens per sequence, in turn. [default: 128,512]");
        Option<long?> sequences = Arguments.Integer("--sequences", 1, 1024, "Sequences per step. [default: 4]");
        Option<double[]> labels = Arguments.Fractions("--labels", "Shares of the tokens that have a label, in turn. [default: 1]");
        Option<string[]> engines = Arguments.Words("--engines", [TrainBench.Ours, TrainBench.TorchSharp, TrainBench.Torch], "Engines. [default: ecolora,pytorch]");
        Option<string?> precision = Arguments.Choice("--precision", EngineOptions.Precisions, "Of TorchSharp's base: float32 or bfloat16. [default: float32]");
        Option<long?> steps = Arguments.Integer("--steps", 1, 1000, "Timed steps of each measurement. [default: 5]");
        Option<long?> repeats = Arguments.Integer("--repeats", 1, 100, "Measurements of each engine, in turn; the best counts. [default: 2]");
        var recompute = new Option<bool>("--recompute") { Description = "Run layers again on the way back instead of keeping them." };
        var worker = new Option<bool>("--worker") { Description = "Measure our engine here and print one line.", Hidden = true };
        Option<string?> @out = Arguments.Text("--out", "DIR", "Folder that gets train.md and train.json too.");
        Option<bool> json = Arguments.Json("the rows");
        var command = new DocumentedCommand("train", "Compare the speed and memory of LoRA training with PyTorch's on this CPU.", Details,
            "ecolora bench train --out bench/results/epyc",
            "ecolora bench train --engines ecolora --sequence 128 --threads 1 --json",
            "ecolora bench train --model ~/models/llama-1b --sequences 1 --sequence 128 --engines ecolora")
        {
            shape, model, threads, sequence, sequences, labels, engines, precision, steps, repeats, recompute, worker, @out, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            TrainShape[] shapes = parsed.GetValue(model) is { } folderOfModel ? [TrainShape.OfFolder(folderOfModel)]
                : [.. BenchCommand.Given(parsed.GetValue(shape), [TrainShape.All[0].Name]).Select(name => TrainShape.All.Single(each => each.Name == name))];
            int[] cores = Numbers("--threads", BenchCommand.Given(parsed.GetValue(threads), ["1", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)]), 1024);
            int[] lengths = Numbers("--sequence", BenchCommand.Given(parsed.GetValue(sequence), ["128", "512"]), 8192);
            IReadOnlyList<double> shares = BenchCommand.Given(parsed.GetValue(labels), [1.0]);
            TrainCase[] cases =
            [
                .. from each in shapes
                   from length in lengths
                   from share in shares
                   from count in cores.Distinct()
                   select new TrainCase(
                       each, count, (int)(parsed.GetValue(sequences) ?? 4), length, share,
                       (int)(parsed.GetValue(steps) ?? 5), parsed.GetValue(recompute)),
            ];
            string type = parsed.GetValue(precision) ?? EngineOptions.Precisions[0];
            if (parsed.GetValue(worker))
            {
                string name = parsed.GetValue(engines) is [TrainBench.TorchSharp] ? EngineOptions.Torch : EngineOptions.Managed;
                Console.Out.WriteLine(TrainWorker.Run(cases[0], new EngineOptions(name, type, EngineOptions.Devices[0]), cancellation).ToJsonString());
                return ExitCodes.Success;
            }
            IReadOnlyList<TrainRow> rows = TrainBench.Run(
                cases, BenchCommand.Given(parsed.GetValue(engines), [TrainBench.Ours, TrainBench.Torch]), type, (int)(parsed.GetValue(repeats) ?? 2), Console.Error, cancellation);
            string date = DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
            string title = $"{BenchMachine.CpuModel()}, {Environment.ProcessorCount} cores, .NET {Environment.Version}, {date}";
            var table = new ResultTable(title, TrainRow.Headings, [.. rows.Select(row => row.Cells)]);
            var result = new JsonObject
            {
                ["kind"] = "bench-train",
                ["machine"] = new JsonObject
                {
                    ["cpu"] = BenchMachine.CpuModel(),
                    ["cores"] = Environment.ProcessorCount,
                    ["dotnet"] = Environment.Version.ToString(),
                    ["date"] = date,
                },
                ["rows"] = new JsonArray([.. rows.Select(row => row.ToJson())]),
            };
            if (parsed.GetValue(@out) is { } folder)
                BenchPage.Write(folder, "train", "# Training\n\nMade by `./ecolora bench train`; how to read it is in bench/README.md.", [table], result);
            ResultTable.Print(parsed.GetValue(json), result, table);
            return ExitCodes.Success;
        }, cancellation));
        return command;
    }

    private static int[] Numbers(string option, IReadOnlyList<string> words, int most) =>
    [
        .. words.Select(word => int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= 1 && number <= most
            ? number : throw new ArgumentException($"{option}: expected whole numbers of 1 to {most}, found '{word}'")),
    ];
}
