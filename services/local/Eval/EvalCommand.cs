using System.CommandLine;
using System.Text.Json.Nodes;
using EcoLora.Formats.Data;
using EcoLora.Hosting;
using EcoLora.Services.Trainer;

namespace EcoLora.Local;

/// <summary><c>ecolora eval</c>: loss, exact match and multiple choice of a model, with or without an adapter.</summary>
internal static class EvalCommand
{
    private const string Details =
        "With a run file: its model, template, window and held-out records, the ones that no client trained on. With its\n"
        + "task dpo the loss, accuracy and margin of the rewards against the base model instead.\n"
        + "Without: every record of --data. Loss is the mean over answer tokens, in nats; perplexity is exp(loss). An answer\n"
        + "counts as exact match when the greedy answer equals the record's, white space around it apart.\n"
        + "Multiple choice: the choice with the largest likelihood after the prompt (accuracy), and the largest per character\n"
        + "(normalised), 0-shot. What follows ± is the standard error. docs/evaluation.md has formulas, prompts and the JSON.";

    public static Command Create()
    {
        var file = new Argument<string?>("file")
        {
            Description = "A run file, for its held-out records.",
            HelpName = "FILE.yaml",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string?> model = Arguments.Text("--model", "DIR", "Base model (Hugging Face folder).");
        Option<string[]> data = Arguments.Texts("--data", "FILE", "Instruction records; can be given several times.");
        Option<string[]> choices = Arguments.Texts("--choices", "FILE",
            "Multiple-choice questions: ARC's JSONL or MMLU's .csv; can be given several times.");
        Option<string?> adapter = Arguments.Text("--adapter", "DIR", "PEFT adapter to evaluate with the model.");
        Option<string?> template = Arguments.Choice("--template", [.. PromptTemplate.All.Select(each => each.Name)],
            "How a record becomes a prompt. [default: plain]");
        Option<long?> window = Arguments.Integer("--window", 8, 65536, "Most tokens of a record. [default: 128]");
        Option<long?> newTokens = Arguments.Integer("--max-new-tokens", 1, 65536, "Most tokens of an answer. [default: 32]");
        Option<string[]> set = Arguments.Set();
        Option<long?> threads = Arguments.Integer("--threads", 0, 1024, "Threads, 0 for one per core. [default: 0]");
        var noMatch = new Option<bool>("--no-exact-match") { Description = "Measure the loss only, which is faster." };
        Option<bool> json = Arguments.Json("the scores");
        var command = new DocumentedCommand("eval", "Measure loss and exact match on held-out records, and multiple choice.", Details,
            "ecolora eval samples/quickstart.yaml --adapter runs/quickstart/adapter",
            "ecolora eval --model samples/base --data samples/tasks.jsonl --json",
            "ecolora eval --model ~/models/llama --adapter runs/dolly/adapter --data dolly.jsonl.gz --template alpaca --no-exact-match",
            "ecolora eval --model ~/models/llama --choices arc_easy_test.jsonl --choices anatomy_test.csv")
        {
            file, model, data, choices, adapter, template, window, newTokens, set, threads, noMatch, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            EvaluationRequest request = Request(parsed);
            // All files are read before anything is measured, so that one that cannot be used is said at once.
            var questions = parsed.GetRequiredValue(choices).Select(each => (File: each, Questions: MultipleChoiceFile.Read(each))).ToList();
            TunedModel tuned = TunedModel.Open(request.Model, request.Adapter);
            StepProgress progress = StepProgress.OnStandardError();
            ExampleFactory factory = tuned.Factory(request.Template);
            tuned.Expect(request.Window);
            Finding? scores = request.Records.Count == 0
                ? null
                : request.Beta is { } beta
                ? PreferenceScores.Measure(
                    TunedModel.Open(request.Model, adapterFolder: null).Model, tuned.Model, factory.Pairs(request.Records, request.Window), beta, request.Threads, progress, cancellation)
                : Scores.Measure(
                    tuned, factory.Examples(request.Records, request.Window), factory.StopTokens, request.MaxNewTokens, request.Threads, progress, cancellation).ToFinding();
            ChoiceScores[] choiceScores =
                [.. questions.Select(each => ChoiceScores.Measure(tuned, each.File, each.Questions, request.Threads, progress, cancellation))];
            Print(parsed.GetValue(json), scores, choiceScores);
            return ExitCodes.Success;
        }, cancellation));
        return command;

        EvaluationRequest Request(ParseResult parsed)
        {
            string? run = parsed.GetValue(file), modelFolder = parsed.GetValue(model), adapterFolder = parsed.GetValue(adapter);
            string[] files = parsed.GetRequiredValue(data);
            int cores = parsed.GetValue(threads) is null or 0 ? Environment.ProcessorCount : (int)parsed.GetValue(threads)!;
            if (run is not null)
            {
                RunFile read = RunFileArguments.Read(run, modelFolder, files, null, parsed.GetRequiredValue(set));
                return new EvaluationRequest(
                    read.Model ?? throw new ArgumentException($"{run}: model: expected the base model's folder (or --model), found none"),
                    adapterFolder,
                    ClientData.Load(read).HeldOut, parsed.GetValue(template) ?? read.Data.Template, (int)(parsed.GetValue(window) ?? read.Data.Window),
                    parsed.GetValue(noMatch) ? null : (int)(parsed.GetValue(newTokens) ?? read.Evaluation.MaxNewTokens), cores, read.Dpo?.Beta);
            }
            if (parsed.GetRequiredValue(set).Length > 0) throw new ArgumentException("--set: expected a run file, found none");
            return new EvaluationRequest(
                modelFolder ?? throw new ArgumentException("--model: expected a folder (or a run file), found none"), adapterFolder,
                files.Length > 0 || parsed.GetRequiredValue(choices).Length > 0 ? [.. files.SelectMany(each => InstructionFile.Read(each).Records)]
                    : throw new ArgumentException("--data: expected a file (or --choices, or a run file), found none"),
                parsed.GetValue(template) ?? PromptTemplate.Plain.Name, (int)(parsed.GetValue(window) ?? 128),
                parsed.GetValue(noMatch) ? null : (int)(parsed.GetValue(newTokens) ?? 32), cores);
        }
    }

    private static void Print(bool json, Finding? scores, ChoiceScores[] choices)
    {
        JsonObject result = scores?.Json ?? [];
        result.Insert(0, "kind", "evaluation");
        result["choices"] = new JsonArray([.. choices.Select(file => file.ToJson())]);
        List<ResultTable> tables = [.. scores?.Tables ?? []];
        if (choices.Length > 0) tables.Add(ChoiceScores.ToTable(choices));
        ResultTable.Print(json, result, tables);
    }

    private sealed record EvaluationRequest(
        string Model, string? Adapter, IReadOnlyList<Instruction> Records, string Template, int Window, int? MaxNewTokens, int Threads, double? Beta = null);
}
