using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Formats.Peft;
using EcoLora.Telemetry;

namespace EcoLora.Local;

/// <summary><c>ecolora merge</c>: a base model and an adapter become one model.</summary>
internal static class MergeCommand
{
    private const string Details =
        "Writes a Hugging Face folder with W + s·B·A in the place of W, whole or not at all: config, generation config and\n"
        + "tokenizer are the base's, weights of more than 5 GB come in shards. The sum is made in 32 bits and rounded once, to the\n"
        + "nearest. Only a few rows are in memory at a time.";

    public static Command Create()
    {
        Option<string?> model = Arguments.Text("--model", "DIR", "Base model (Hugging Face folder).");
        Option<string?> adapter = Arguments.Text("--adapter", "DIR", "PEFT adapter to merge into it.");
        Option<string?> @out = Arguments.Text("--out", "DIR", "Folder to write; a former model there is replaced only with --force.");
        model.Required = adapter.Required = @out.Required = true;
        Option<string?> type = Arguments.Choice("--dtype", [.. PretrainOptions.SavedTypes.Select(pair => pair.Name)],
            "How the weights are stored. [default: each as in the base]");
        var force = new Option<bool>("--force") { Description = "Replace the model that the folder holds." };
        Option<bool> json = Arguments.Json("the result");
        var command = new DocumentedCommand("merge", "Merge an adapter into its base model.", Details,
            "ecolora merge --model samples/base --adapter runs/quickstart/adapter --out merged",
            "ecolora merge --model ~/models/llama --adapter runs/dolly/adapter --out ~/models/llama-dolly --dtype bf16")
        {
            model, adapter, @out, type, force, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            string folder = Path.GetFullPath(parsed.GetRequiredValue(@out)!);
            string? saved = parsed.GetValue(type);
            using var merge = AdapterMerge.Open(parsed.GetRequiredValue(model)!, parsed.GetRequiredValue(adapter)!,
                saved is null ? null : PretrainOptions.SavedTypes.First(pair => pair.Name == saved).Type);
            merge.RefuseSources(folder);
            OutputModel.RefuseOtherContent(folder, parsed.GetValue(force));
            Action<int> onDone = StepProgress.OnStandardError().Count("writing the model", "tensor", merge.Tensors.Count);
            int files = merge.Write(folder, () => onDone(1), cancellation);
            Print(merge, files, folder, parsed.GetValue(json));
            return ExitCodes.Success;
        }, cancellation));
        return command;
    }

    private static void Print(AdapterMerge merge, int files, string folder, bool json)
    {
        long parameters = merge.Tensors.Sum(tensor => tensor.Count), bytes = merge.Tensors.Sum(tensor => tensor.ByteLength);
        string types = string.Join(", ", merge.Tensors.Select(tensor => $"{tensor.Type}").Distinct().Order(StringComparer.Ordinal));
        var numbers = new JsonObject
        {
            ["kind"] = "merge",
            ["folder"] = folder,
            ["parameters"] = parameters,
            ["types"] = types,
            ["bytes"] = bytes,
            ["files"] = files,
        };
        string[] cells = [folder, Text(parameters), types, Quantity.Bytes(bytes), Text(files)];
        ResultTable.Print(json, numbers, new ResultTable("", ["model", "parameters", "stored as", "weights", "files"], [cells]));
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
