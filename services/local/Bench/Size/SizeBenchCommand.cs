using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Federation;
using EcoLora.Telemetry;

namespace EcoLora.Local.Bench;

/// <summary><c>ecolora bench size</c>: what the paper's own models would send.</summary>
internal static class SizeBenchCommand
{
    private const string Details =
        "LoRA of rank 16 on queries and values of Llama-2-7B and 13B goes through sparsifier, residual, codec, aggregation, published\n"
        + "chain and ledger, with the exchange's defaults, which are the paper's; only training is left out. A client's change is drawn:\n"
        + "magnitudes within tensors, their spread over tensors and how both go on over the rounds are those of a real run's updates.\n"
        + "Losses (Eq. 4), rounds, clients and their samples are that run's. bench/README.md says what is matched and what is not.";

    private static readonly string[] Methods = [.. FederatedMethod.All.Select(method => method.Name)];

    public static DocumentedCommand Create()
    {
        Option<string?> run = Arguments.Text("--run", "DIR", "Folder of a run with --keep-updates: its report.json and updates/.");
        Option<string[]> models = Arguments.Words("--models", [.. SizeModel.All.Select(model => model.Name)], "Models. [default: llama-2-7b,llama-2-13b]");
        Option<string[]> methods = Arguments.Words("--methods", Methods, "Methods. [default: all]");
        Option<string?> @out = Arguments.Text("--out", "DIR", "Folder that gets size.md and size.json too.");
        Option<bool> json = Arguments.Json("the rows");
        var command = new DocumentedCommand("size", "Count what the paper's models send, beside the paper's Table 1.", Details,
            "ecolora bench size --run runs/dolly --out bench/results/epyc", "ecolora bench size --run runs/dolly --models small --methods fedit --json")
        {
            run, models, methods, @out, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            string folder = parsed.GetValue(run) ?? throw new ArgumentException("--run: expected a run's folder, found none");
            string file = Path.Combine(folder, "report.json");
            RunReport report = ReportJson.Read(File.ReadAllBytes(file), file);
            SizePlan plan = PlanOf(file, report, UpdateStatistics.Read(Path.Combine(folder, Runs.KeptUpdate.Folder)));
            string[] chosenModels = [.. BenchCommand.Given(parsed.GetValue(models), ["llama-2-7b", "llama-2-13b"])];
            FederatedMethod[] chosenMethods = [.. BenchCommand.Given(parsed.GetValue(methods), Methods).Select(FederatedMethod.Named)];
            (IReadOnlyList<SizeRow> rows, IReadOnlyList<SizeMatch> matches) = SizeBench.Run(
                SizeModel.All.Where(model => chosenModels.Contains(model.Name)), chosenMethods, plan, Console.Error, cancellation);
            ResultTable[] tables = Tables(report, plan, rows, matches);
            JsonObject result = Json(report, plan, rows, matches);
            if (parsed.GetValue(@out) is { } place) BenchPage.Write(place, "size", "# The paper's true size\n\nMade by `./ecolora bench size`; how to read it is in bench/README.md.", tables, result);
            ResultTable.Print(parsed.GetValue(json), result, tables);
            return ExitCodes.Success;
        }, cancellation));
        return command;
    }

    /// <summary>Rounds, losses, clients and participants of a run's first arm.</summary>
    private static SizePlan PlanOf(string file, RunReport report, UpdateStatistics statistics)
    {
        IReadOnlyList<RoundReport> rounds = report.Arms[0].Rounds;
        if (rounds.Count == 0 || report.Data.Clients.Count == 0) throw new FormatException($"{file}: expected a run with rounds and clients, found none");
        var plan = new SizePlan(
            [.. rounds.Select(round => round.TrainLoss ?? throw new FormatException($"{file}: round {round.Round}: expected a training loss, found none"))],
            [.. report.Data.Clients.Select(client => client.Records)], rounds[0].Participants.Count, new ExchangeOptions(), statistics);
        plan.Exchange.Validate(plan.Participants);
        return plan;
    }

    private static ResultTable[] Tables(RunReport report, SizePlan plan, IReadOnlyList<SizeRow> rows, IReadOnlyList<SizeMatch> matches)
    {
        string title = $"{report.Run}'s {plan.Losses.Count} rounds, {plan.Participants} of {plan.Samples.Count} clients; {BenchMachine.CpuModel()}, .NET {Environment.Version}";
        return
        [
            new(title, SizeRow.Headings, [.. rows.Select(row => row.Cells)]),
            new("The paper's Table 1", SizeRow.Headings, [.. SizeRow.Paper.Select(row => row.Cells)]),
            new("Updates of the last rounds, the run's and the drawn ones", ["model", "role", "Gini, real", "Gini, drawn", "kurtosis, real", "kurtosis, drawn"],
            [
                .. matches.Select(match => (IReadOnlyList<string>)
                    [match.Model, $"{match.Role}", Fixed(match.RealGini), Fixed(match.DrawnGini), Fixed(match.RealKurtosis), Fixed(match.DrawnKurtosis)]),
            ]),
            new("Loss that drives Eq. 4, and the run's updates", ["round", "loss", "Gini A", "Gini B", "kurtosis A", "kurtosis B"],
            [
                .. plan.Losses.Index().Where(each => each.Index % plan.Statistics.RoundsPerSpan == 0).Select(each => (IReadOnlyList<string>)
                [
                    each.Index.ToString(CultureInfo.InvariantCulture), Fixed(each.Item), Fixed(At(each.Index, Codec.LoraRole.A).Gini), Fixed(At(each.Index, Codec.LoraRole.B).Gini),
                    Fixed(At(each.Index, Codec.LoraRole.A).Kurtosis), Fixed(At(each.Index, Codec.LoraRole.B).Kurtosis),
                ]),
            ]),
        ];

        RoleStatistics At(int round, Codec.LoraRole role) => plan.Statistics.At(round, role);
    }

    private static JsonObject Json(RunReport report, SizePlan plan, IReadOnlyList<SizeRow> rows, IReadOnlyList<SizeMatch> matches) => new()
    {
        ["kind"] = "bench-size",
        ["machine"] = new JsonObject { ["cpu"] = BenchMachine.CpuModel(), ["dotnet"] = Environment.Version.ToString() },
        ["run"] = report.Run,
        ["run_model"] = report.Model.Name,
        ["run_data"] = report.Data.Name,
        ["losses"] = new JsonArray([.. plan.Losses.Select(loss => (JsonNode)loss)]),
        ["rows"] = new JsonArray([.. rows.Concat(SizeRow.Paper).Select(row => row.ToJson())]),
        ["updates"] = new JsonArray(
        [
            .. matches.Select(match => new JsonObject
            {
                ["model"] = match.Model,
                ["role"] = $"{match.Role}",
                ["gini_real"] = BenchRow.Rounded(match.RealGini),
                ["gini_drawn"] = BenchRow.Rounded(match.DrawnGini),
                ["kurtosis_real"] = BenchRow.Rounded(match.RealKurtosis),
                ["kurtosis_drawn"] = BenchRow.Rounded(match.DrawnKurtosis),
            }),
        ]),
    };

    private static string Fixed(double value) => value.ToString("f3", CultureInfo.InvariantCulture);
}
