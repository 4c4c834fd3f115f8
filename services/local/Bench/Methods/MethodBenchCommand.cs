using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using EcoLora.Hosting;

namespace EcoLora.Local.Bench;

/// <summary><c>ecolora bench methods</c>: quality against bytes, as a study's file says.</summary>
internal static class MethodBenchCommand
{
    private const string Details =
        "A study is a YAML file: a run file, seeds, and rows that each change some of its options; the first row is what the others\n"
        + "are compared with (bench/methods/). Every row is a run like any other, by the four services in this process, with its own\n"
        + "ledger. Runs lie in --work; one that was interrupted goes on, one that is done is not run again. Bytes are those of\n"
        + "frames; the column 'with control' counts every message. Mean and sample standard deviation over the seeds.";

    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "The study (YAML).", HelpName = "STUDY.yaml" };
        Option<string?> model = Arguments.Text("--model", "DIR", "Base model instead of the run file's (Hugging Face folder).");
        Option<string[]> data = Arguments.Texts("--data", "FILE", "Data instead of the run file's; can be given several times.");
        Option<string?> work = Arguments.Text("--work", "DIR", "Folder of the runs. [default: runs/methods]");
        Option<long?> threads = Arguments.Integer("--threads", 0, 1024, "Threads for training, 0 for one per core; they change no result.");
        Option<string?> @out = Arguments.Text("--out", "DIR", "Folder that gets methods-<study>.md, .json and .html (plots) too.");
        Option<bool> json = Arguments.Json("the rows and their runs");
        var command = new DocumentedCommand("methods", "Compare methods and exchanges: held-out loss against bytes, over several seeds.", Details,
            "ecolora bench methods bench/methods/communication.yaml --model ~/models/stories260K-hf --data dolly.jsonl.gz --out bench/results/epyc")
        {
            file, model, data, work, threads, @out, json,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            MethodStudy study = MethodStudy.Read(parsed.GetRequiredValue(file));
            IReadOnlyList<OptionOverride> overrides = RunFileArguments.Overrides(study.RunFile, parsed.GetValue(model), parsed.GetRequiredValue(data), parsed.GetValue(threads));
            string folder = Path.GetFullPath(parsed.GetValue(work) ?? Path.Combine("runs", "methods"));
            IReadOnlyList<StudyLine> lines = await MethodBench.RunAsync(study, overrides, folder, Console.Error, cancellation);
            JsonObject result = MethodBench.ToJson(study, lines);
            IReadOnlyList<ResultTable> tables = MethodBench.TablesOf(study, lines);
            if (parsed.GetValue(@out) is { } results)
            {
                BenchPage.Write(results, $"methods-{study.Name}", MethodBench.Introduction(study), tables, result);
                OutputFile.Write(Path.Combine(results, $"methods-{study.Name}.html"), stream => stream.Write(Encoding.UTF8.GetBytes(MethodBench.PlotsOf(study, lines))));
            }
            ResultTable.Print(parsed.GetValue(json), result, tables[0]);
            return ExitCodes.Success;
        });
        return command;
    }
}
