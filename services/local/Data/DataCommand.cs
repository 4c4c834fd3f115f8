using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Formats.Data;
using EcoLora.Formats.Data.Synthetic;
using EcoLora.Hosting;
using EcoLora.Services.Trainer;

namespace EcoLora.Local;

/// <summary><c>ecolora data</c>: makes the sample data, and shows who gets which records.</summary>
internal static class DataCommand
{
    public static Command Create() => new("data", "Generate the sample data, or show how a run file splits and spreads its records.")
    {
        Generate(), Corpus(), Show(),
    };

    private static DocumentedCommand Generate()
    {
        Option<long?> seed = Arguments.Integer("--seed", 0, 9007199254740991, "Decides every record. [default: 1]");
        Option<long?> records = Arguments.Integer("--records", 100, TaskGenerator.MaximumCount, $"Number of records. [default: {TaskGenerator.DefaultCount}]");
        Option<string?> @out = Out();
        var command = new DocumentedCommand("generate", "Write an instruction data set of small tasks, each with one right answer (JSON lines).",
            "The same seed and number give the same bytes. Nine categories, such as who, where, color, kind and day.",
            "ecolora data generate --seed 1 --out samples/tasks.jsonl", "ecolora data generate --seed 7 --records 500 --out /tmp/tasks.jsonl")
        {
            seed, records, @out,
        };
        command.SetAction(parsed => Write(parsed.GetRequiredValue(@out)!,
            stream => TaskGenerator.Write(stream, (ulong)(parsed.GetValue(seed) ?? 1), (int)(parsed.GetValue(records) ?? TaskGenerator.DefaultCount))));
        return command;
    }

    private static DocumentedCommand Corpus()
    {
        Option<long?> seed = Arguments.Integer("--seed", 0, 9007199254740991, "Decides every story. [default: 1]");
        Option<long?> bytes = Arguments.Integer("--bytes", 1, 1L << 30, $"Size of the text. [default: {CorpusGenerator.DefaultBytes}]");
        Option<string?> @out = Out();
        var command = new DocumentedCommand("corpus", "Write the text that the small base model is pretrained on.",
            "Short stories with the words of the tasks, but without their questions and answers. 'ecolora pretrain' makes the\n"
                + "same text itself from 'corpus: synthetic'.",
            "ecolora data corpus --seed 1 --out /tmp/corpus.txt")
        {
            seed, bytes, @out,
        };
        command.SetAction(parsed => Write(parsed.GetRequiredValue(@out)!,
            stream => CorpusGenerator.Write(stream, (ulong)(parsed.GetValue(seed) ?? 1), parsed.GetValue(bytes) ?? CorpusGenerator.DefaultBytes)));
        return command;
    }

    private static DocumentedCommand Show()
    {
        var file = new Argument<string>("file") { Description = "The run file (YAML).", HelpName = "FILE.yaml" };
        Option<string[]> data = Arguments.Texts("--data", "FILE", "Data instead of the file's data.files; can be given several times.");
        Option<string[]> set = Arguments.Set();
        Option<bool> json = Arguments.Json("the numbers");
        var command = new DocumentedCommand("show", "Show how a run file's records are held out and spread over the clients.",
            "Nothing is trained and no model is needed. A row per client, a column per category.",
            "ecolora data show samples/quickstart.yaml", "ecolora data show samples/dolly.yaml --data dolly.jsonl.gz --set partition.alpha=0.1 --json")
        {
            file, data, set, json,
        };
        command.SetAction(parsed =>
        {
            RunFile run = RunFileArguments.Read(parsed.GetRequiredValue(file), null, parsed.GetRequiredValue(data), null, parsed.GetRequiredValue(set));
            Finding finding = Spread(run, ClientData.Load(run));
            ResultTable.Print(parsed.GetValue(json), finding.Json, finding.Tables);
            return ExitCodes.Success;
        });
        return command;
    }

    private static Finding Spread(RunFile run, ClientData data)
    {
        PartitionTable table = PartitionTable.Of(data.Clients);
        int training = data.Clients.Sum(client => client.Count);
        var json = new JsonObject
        {
            ["kind"] = "partition",
            ["records"] = training + data.HeldOut.Count,
            ["training"] = training,
            ["heldOut"] = data.HeldOut.Count,
            ["dropped"] = data.Dropped,
            ["scheme"] = run.Partition.Scheme,
            ["categories"] = Array(table.Categories),
            ["clients"] = new JsonArray([.. table.Counts.Select(ClientJson)]),
        };
        string title = $"{training} records for training over {table.Counts.Count} clients ({run.Partition.Scheme}), "
            + $"{data.HeldOut.Count} held out, {data.Dropped} dropped for want of an answer";
        string[] headings = ["client", .. table.Categories.Select(name => name.Length == 0 ? "(none)" : name), "all"];
        var rows = table.Counts.Select((counts, client) => Cells(Text(client), counts)).ToList();
        rows.Add(Cells("all", [.. Enumerable.Range(0, table.Categories.Count).Select(column => table.Counts.Sum(counts => counts[column]))]));
        return new Finding(json, [new ResultTable(title, headings, rows)]);
    }

    private static JsonObject ClientJson(IReadOnlyList<int> counts, int client) =>
        new() { ["client"] = client, ["records"] = counts.Sum(), ["perCategory"] = Array(counts) };

    private static string[] Cells(string name, IReadOnlyList<int> counts) => [name, .. counts.Select(Text), Text(counts.Sum())];

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static JsonArray Array<T>(IEnumerable<T> items) => new([.. items.Select(item => (JsonNode?)JsonValue.Create(item))]);

    private static Option<string?> Out()
    {
        Option<string?> @out = Arguments.Text("--out", "FILE", "The file to write; it appears whole or not at all.");
        @out.Required = true;
        return @out;
    }

    private static int Write(string path, Action<Stream> content)
    {
        OutputFile.Write(path, content);
        Console.Out.WriteLine($"{path}: {new FileInfo(path).Length.ToString(CultureInfo.InvariantCulture)} bytes");
        return ExitCodes.Success;
    }
}
