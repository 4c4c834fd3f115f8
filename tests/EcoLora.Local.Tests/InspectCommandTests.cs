using System.Text.Json;
using System.Text.Json.Nodes;
using EcoLora.Codec;
using EcoLora.Formats.Peft;
using EcoLora.Telemetry;
using EcoLora.TestKit;

namespace EcoLora.Local.Tests;

public sealed class InspectCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public InspectCommandTests() =>
        // |A| = 5, |B| = 2, B·A = [[6, 8], [0, 0]] with norm 10, times α/r = 2.
        new PeftAdapter("base", [new PeftModule("model.layers.0.self_attn.q_proj", 1, 2, 2, 2, [3, 4], [2, 0])]).Write(_folder["adapter"]);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_adapter_shows_its_pairs_with_their_norms()
    {
        JsonNode json = JsonNode.Parse(Ecolora.Succeed("inspect", _folder["adapter"], "--json"))!;
        Assert.Equal(("adapter", 4), ((string?)json["kind"], (int)json["parameters"]!));
        JsonNode module = json["modules"]![0]!;
        Assert.Equal(("model.layers.0.self_attn.q_proj", 1, 2.0), ((string?)module["name"], (int)module["rank"]!, (double)module["alpha"]!));
        Assert.Equal(5, (double)module["normA"]!, 1e-12);
        Assert.Equal(2, (double)module["normB"]!, 1e-12);
        Assert.Equal(20, (double)module["normDelta"]!, 1e-12);
        Assert.Matches("model.layers.0.self_attn.q_proj +1 +2 +2 × 2 +5 +2 +20\n", Ecolora.Succeed("inspect", _folder["adapter"]));

        // Rank-stabilised, 2/√4 instead of 2/4: more ranks of zeros change nothing else.
        new PeftAdapter("base", [new PeftModule("model.layers.0.self_attn.q_proj", 4, 2, 2, 2, [3, 4, 0, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0, 0])], UseRsLora: true)
            .Write(_folder["stabilised"]);
        Assert.Matches("scaled by alpha/√rank\n(.*\n)*model.layers.0.self_attn.q_proj +4 +2 +2 × 2 +5 +2 +10\n", Ecolora.Succeed("inspect", _folder["stabilised"]));
    }

    [Fact]
    public void A_frame_shows_its_identity_and_with_a_layout_what_is_in_it()
    {
        var layout = LoraLayout.Of([new LoraModule("model.layers.0.self_attn.q_proj", 2, 2, 1)]);
        var header = new FrameHeader(FrameKind.Segment, FrameHeader.KeyOf("x"), 3, 7, 0, 1, 3, (uint)layout.Fingerprint);
        byte[] frame = FrameEncoder.Encode(header, layout, [1, 2, 3, 4], new Compression(0.5, 1, ValueMode.Fp16));
        File.WriteAllBytes(_folder["one.frame"], frame);
        JsonNode plain = JsonNode.Parse(Ecolora.Succeed("inspect", _folder["one.frame"], "--json"))!;
        Assert.Equal((3, 7, frame.Length), ((int)plain["round"]!, (int)plain["client"]!, (int)plain["framedBytes"]!));
        Assert.Null(plain["keptA"]);
        JsonNode decoded = JsonNode.Parse(Ecolora.Succeed("inspect", _folder["one.frame"], "--layout", _folder["adapter"], "--json"))!;
        Assert.Equal((2, 1, 2, 2), ((int)decoded["entriesA"]!, (int)decoded["keptA"]!, (int)decoded["entriesB"]!, (int)decoded["keptB"]!));
        Assert.Contains("Frame: segment 0/1 of client 7, round 3, base version 3\n", Ecolora.Succeed("inspect", _folder["one.frame"]),
            StringComparison.Ordinal);

        frame[^1] ^= 1;
        File.WriteAllBytes(_folder["one.frame"], frame);
        Outcome outcome = Ecolora.Run("inspect", _folder["one.frame"]);
        Assert.Equal(ExitCodes.BadInput, outcome.Code);
        Assert.StartsWith($"ecolora: {_folder["one.frame"]}: frame: chunk checksum: expected ", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_ledger_shows_totals_by_direction_and_stage()
    {
        LedgerRow[] rows =
        [
            new(0, "client-0", Direction.Up, 0, 800, 400, 80, 60, 45, 40, 50, 5, 10, 5, 10),
            new(0, "client-1", Direction.Up, 1, 800, 400, 80, 60, 35, 30, 40, 5, 10, 5, 10),
            new(0, "site-0", Direction.Down, LedgerRow.NoSegment, 800, 400, 400, 300, 95, 90, 100, 5, 10, 5, 10),
            LedgerRow.Control(0, "site-0", Direction.ControlUp, 10),
        ];
        using (StreamWriter writer = File.CreateText(_folder["ledger.csv"])) LedgerCsv.Write(writer, rows);
        JsonNode json = JsonNode.Parse(Ecolora.Succeed("inspect", _folder["ledger.csv"], "--json"))!;
        Assert.Equal((4, 1, 90, 70), ((int)json["rows"]!, (int)json["rounds"]!, (int)json["up"]!["framed"]!, (int)json["up"]!["coded"]!));
        Assert.Equal(16, (double)json["timesFewerBytes"]!["upFp32"]!, 1e-12);
        Assert.Equal(6, (double)json["timesFewerBytes"]!["totalFp16"]!, 1e-12);
        string table = Ecolora.Succeed("inspect", _folder["ledger.csv"]);
        Assert.Matches("\nup +2 +1.60 kB +800 B +160 B +120 B +80 B +70 B +90 B\n", table);
        Assert.Matches("\ndense fp32 +16.0× +8.00× +12.0×\n", table);

        File.AppendAllText(_folder["ledger.csv"], "nonsense\n");
        Outcome outcome = Ecolora.Run("inspect", _folder["ledger.csv"]);
        Assert.Equal(ExitCodes.BadInput, outcome.Code);
        Assert.StartsWith($"ecolora: {_folder["ledger.csv"]}: line 6: ", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_report_and_a_run_s_folder_show_the_comparison()
    {
        var evaluation = new Evaluation(10, 2.5, 0.1, []);
        var facts = new RunFacts("x", 5, "0.1.0", JsonSerializer.Deserialize<JsonElement>("{}"), new ModelFacts("base", 100, 4, 1, 2, ["q_proj"]),
            new DataFacts("tasks", 20, 10, 0, "iid", [], []), null);
        var arm = new ArmFacts("fedit + ecolora", "fedit", Exchange.EcoLora, 4, 1, evaluation, [], []);
        Directory.CreateDirectory(_folder["run"]);
        File.WriteAllBytes(_folder["run/report.json"], ReportJson.Write(RunReport.Of(facts, [arm], null)));
        string json = Ecolora.Succeed("inspect", _folder["run"], "--json");
        Assert.Equal(json, Ecolora.Succeed("inspect", _folder["run/report.json"], "--json"));
        JsonNode report = JsonNode.Parse(json)!;
        Assert.Equal(("report", "x", 5, 2.5), ((string?)report["kind"], (string?)report["run"], (int)report["seed"]!, (double)report["before"]!));
        Assert.Equal("fedit + ecolora", (string?)report["rows"]![0]!["arm"]);
        Assert.StartsWith("x: held-out loss 2.5000, exact match 10.0% before the first round\n", Ecolora.Succeed("inspect", _folder["run"]),
            StringComparison.Ordinal);
    }
}
