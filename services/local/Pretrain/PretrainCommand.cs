using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Hosting;
using EcoLora.Telemetry;

namespace EcoLora.Local;

/// <summary><c>ecolora pretrain</c>: makes a small base model from a text.</summary>
internal static class PretrainCommand
{
    private const string Details =
        "Trains a byte-level BPE tokenizer on the corpus, then a Llama model from random weights, on one thread, and writes a\n"
        + "Hugging Face folder, whole or not at all. The same file gives the same bytes on one kind of processor.";

    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "The pretraining file (YAML).", HelpName = "FILE.yaml" };
        Option<string?> @out = Arguments.Text("--out", "DIR", "Folder to write; a former model there is replaced only with --force.");
        @out.Required = true;
        var force = new Option<bool>("--force") { Description = "Replace the model that the folder holds." };
        Option<string[]> set = Arguments.Set();
        Option<bool> json = Arguments.Json("the result");
        var command = new DocumentedCommand("pretrain", "Train a small base model and its tokenizer from a text.", Details,
            "ecolora pretrain samples/pretrain.yaml --out samples/base --force",
            "ecolora pretrain samples/pretrain.yaml --out /tmp/tiny --set model.layers=2 --set training.steps=200")
        {
            file, @out, force, set, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            PretrainFile job = PretrainFile.Read(parsed.GetRequiredValue(file), parsed.GetRequiredValue(set).Select(OptionOverride.Parse));
            string folder = Path.GetFullPath(parsed.GetRequiredValue(@out)!);
            OutputModel.RefuseOtherContent(folder, parsed.GetValue(force));
            StepProgress progress = StepProgress.OnStandardError();
            PretrainingResult result = Pretraining.Run(job, folder, progress.Begin, progress.Step, cancellation);
            Print(result, folder, parsed.GetValue(json));
            return ExitCodes.Success;
        }, cancellation));
        return command;
    }

    private static void Print(PretrainingResult result, string folder, bool json)
    {
        var numbers = new JsonObject
        {
            ["kind"] = "pretraining",
            ["folder"] = folder,
            ["parameters"] = result.Parameters,
            ["vocabulary"] = result.Vocabulary,
            ["corpusTokens"] = result.CorpusTokens,
            ["steps"] = result.Steps,
            ["loss"] = result.Loss,
        };
        string[] cells = [folder, Text(result.Parameters), Text(result.Vocabulary), Text(result.CorpusTokens), Text(result.Steps), Quantity.Loss(result.Loss)];
        ResultTable.Print(json, numbers, new ResultTable("", ["model", "parameters", "vocabulary", "corpus tokens", "steps", "loss"], [cells]));
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
