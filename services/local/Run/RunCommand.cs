using System.CommandLine;
using EcoLora.Hosting;

namespace EcoLora.Local;

/// <summary><c>ecolora run</c>: a run file and the options over it become a <see cref="RunRequest"/>.</summary>
internal static class RunCommand
{
    private const string Details =
        "The run file's options are described in docs/run-file.md. Results lie in runs/<name>/ or --out: adapter/ (PEFT), report.html,\n"
        + "report.json, ledger.csv. The same run file and seed give the same bytes. A run that was interrupted, by Ctrl-C or by\n"
        + "force, goes on with --resume and ends with the same bytes. --keep-updates writes one FP32 safetensors file per accepted\n"
        + "client and round, before sparsification (rounds × participants × 4 bytes × parameters / segments in all), and changes\n"
        + "nothing else; 'ecolora bench codec --data runs/<name>/updates' compares codecs on them.";

    public static Command Create(RunHandler run)
    {
        var file = new Argument<string>("file") { Description = "The run file (YAML).", HelpName = "FILE.yaml" };
        Option<string?> @out = Arguments.Text("--out", "DIR", "Folder for what comes out. [default: runs/<name>]");
        Option<string[]> data = Arguments.Texts("--data", "FILE", "Data instead of the file's data.files; can be given several times.");
        Option<string?> model = Arguments.Text("--model", "DIR", "Base model instead of the file's model (Hugging Face folder).");
        Option<string[]> set = Arguments.Set();
        var resume = new Option<bool>("--resume") { Description = "Go on with the run that the folder holds." };
        var force = new Option<bool>("--force") { Description = "Replace the run that the folder holds." };
        Option<string?> replay = Arguments.Text("--replay", "JOURNAL", "Take the decisions of an earlier run's journal again.");
        Option<long?> threads = Arguments.Integer("--threads", 0, 1024, "Threads for training, 0 for one per core; they change no result.");
        var keep = new Option<bool>("--keep-updates") { Description = "Keep what each accepted client wanted to send, in updates/ of the results." };
        Option<bool> json = Arguments.Json("the final comparison");
        var command = new DocumentedCommand("run", "Fine-tune over many clients, as a run file says, and compare with dense exchange.", Details,
            "ecolora run samples/quickstart.yaml",
            "ecolora run samples/quickstart.yaml --set exchange.segments=2 --set lora.targets=[q_proj,v_proj] --out runs/two",
            "ecolora run samples/dolly.yaml --model ~/models/llama --data dolly.jsonl.gz",
            "ecolora run samples/quickstart.yaml --resume",
            "ecolora run samples/quickstart.yaml --keep-updates --out runs/kept")
        {
            file, @out, model, data, set, resume, force, replay, threads, keep, json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(resume) && result.GetValue(force)) result.AddError("--resume and --force exclude each other");
        });
        command.SetAction((parsed, cancellation) =>
        {
            RunFile runFile = RunFileArguments.Read(parsed.GetRequiredValue(file), parsed.GetValue(model), parsed.GetRequiredValue(data),
                parsed.GetValue(threads), parsed.GetRequiredValue(set));
            string folder = Path.GetFullPath(parsed.GetValue(@out) ?? Path.Combine("runs", runFile.Name));
            string? journal = parsed.GetValue(replay) is { } path ? Path.GetFullPath(path) : null;
            var request = new RunRequest(
                runFile, folder, parsed.GetValue(resume), parsed.GetValue(force), journal, parsed.GetValue(json), parsed.GetValue(keep));
            return run(request, cancellation);
        });
        return command;
    }
}

/// <summary>A run file with the command line's options over it.</summary>
internal static class RunFileArguments
{
    public static RunFile Read(string file, string? model, string[] data, long? threads, string[] set) =>
        RunFile.Read(file, [.. set.Select(OptionOverride.Parse), .. Overrides(file, model, data, threads)]);

    /// <summary>What the options for model, data and threads say.</summary>
    public static IReadOnlyList<OptionOverride> Overrides(string file, string? model, string[] data, long? threads)
    {
        var overrides = new List<OptionOverride>();
        if (model is not null) overrides.Add(RunFile.PathOverride(file, "model", [model], $"--model {model}"));
        if (data.Length > 0) overrides.Add(RunFile.PathOverride(file, "data.files", data, $"--data {string.Join(" --data ", data)}"));
        if (threads is not null) overrides.Add(new OptionOverride("threads", FormattableString.Invariant($"{threads}"), $"--threads {threads}"));
        return overrides;
    }
}
