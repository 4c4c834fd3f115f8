using System.Text.Json.Nodes;
using EcoLora.Hosting;
using EcoLora.Local.Bench;
using EcoLora.TestKit;

namespace EcoLora.Local.Tests.Bench;

public sealed class MethodBenchTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Studies =>
        [.. Directory.EnumerateFiles(Path.Combine(Repository.Root, "bench/methods"), "*.yaml").Select(path => Path.GetFileName(path)).Where(name => !name.StartsWith("dolly", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Studies))]
    public void Every_row_of_a_committed_study_is_a_run_file(string name)
    {
        MethodStudy study = MethodStudy.Read(Path.Combine(Repository.Root, "bench/methods", name));
        RunFile[] files = [.. study.Rows.Select(row => study.FileOf(row, study.Seeds[0], []))];
        Assert.All(files, file => Assert.Empty(file.Baselines));
        Assert.Equal(files.Length, files.Select(file => file.Values.ToCanonicalText()).Distinct().Count());
    }

    [Theory]
    [InlineData("title: x\nrun: run.yaml\nrows: [\"a: seed\"]", "rows: expected a list of at least 1 of name: key=value key=value ..., each once, found the text 'a: seed'")]
    [InlineData("title: x\nrun: run.yaml\nrows: [\"a: lora.rank=2\", \"a: lora.rank=4\"]", "rows: expected names of their own, found a twice")]
    [InlineData("title: x\nrun: run.yaml", "rows: expected at least one, found nothing")]
    [InlineData("title: x\nrows: [\"a:\"]", "run: expected a path, found nothing")]
    [InlineData("title: x\nrun: run.yaml\nseeds: [-1]\nrows: [\"a:\"]", "seeds: expected a list of 1 or more, each a whole number of 0 or more, found")]
    [InlineData("title: x\nrun: run.yaml\nzstd: 23\nrows: [\"a:\"]", "zstd: expected a whole number of 1 to 22, found '23'")]
    [InlineData("title: x\nrun: run.yaml\nseeds: [2, 2]\nrows: [\"a:\"]", "seeds: expected each once, found [2, 2]")]
    public void A_study_that_cannot_be_used_is_refused(string text, string refusal) =>
        Assert.Contains(refusal, Assert.Throws<OptionsException>(() => MethodStudy.Read(Write("study.yaml", text))).Message, StringComparison.Ordinal);

    [Fact]
    public void Lines_compare_seed_by_seed()
    {
        StudyRun[] reference = [Run(4, 3, 1000), Run(5, 3, 1000)];
        var line = new StudyLine(new StudyRow("row", []), [Run(4, 3.1, 90), Run(5, 3, 110)], reference);
        Assert.Equal((10, 10, 10), (line.RatioUp, line.RatioDown, line.RatioTotal));
        Assert.Equal(0.95, line.Recovered.Mean, 12);
        Assert.Equal(0.1 / Math.Sqrt(2), line.Recovered.Deviation, 12); // 0.9 and 1.0
        Assert.Equal(3.05, line.Loss.Mean, 12);
        Assert.Equal(0, new StudyLine(new StudyRow("one", []), [reference[0]], [reference[0]]).Loss.Deviation);
        Assert.Equal(20, (reference[0] with { Curve = [(10, 3.9), (20, 3.5), (30, 3.6)] }).BytesTo(3.5));
        Assert.Null((reference[0] with { Curve = [(10, 3.9)] }).BytesTo(3.5));
        var curves = new StudyLine(new StudyRow("row", []), [Run(4, 3, 90) with { Curve = [(20, 3.2), (40, 3)] }, Run(5, 3.2, 110) with { Curve = [(30, 3.3), (50, 3.1)] }], reference);
        Assert.Equal([(25, 3.25), (45, 3.05)], curves.MeanCurve);
        Assert.Equal(25, curves.BytesTo(0.8)); // Of improvements of 1 and 2, to 3.2 and 3.4.
        Assert.Equal(45, curves.BytesTo(0.95));
        Assert.Null(curves.BytesTo(1));
    }

    [Fact]
    public void A_study_runs_each_row_once_and_writes_its_table()
    {
        WriteRun();
        string study = Write("tiny.yaml", "title: A small study\nrun: run.yaml\nseeds: [1, 2]\nrows: [\"dense-fp16: exchange.preset=dense-fp16\", \"ecolora+: exchange.preset=ecolora+ exchange.dense_rounds=1\"]");
        string[] command = ["bench", "methods", study, "--work", _folder["work"], "--out", _folder["out"], "--threads", "1", "--json"];

        Outcome first = Ecolora.Run(command), again = Ecolora.Run(command);

        Assert.True(first.Code == 0 && again.Code == 0, first.Error + again.Error);
        Assert.Equal(first.Output, again.Output);
        JsonNode result = JsonNode.Parse(first.Output)!;
        JsonArray rows = result["rows"]!.AsArray();
        Assert.Equal(["dense-fp16", "ecolora+"], rows.Select(row => (string)row!["row"]!));
        Assert.Equal((1.0, 1.0), ((double)rows[0]!["ratio_total"]!, (double)rows[0]!["recovered"]!));
        Assert.True((double)rows[1]!["ratio_up"]! > 1);
        JsonNode run = rows[1]!["runs"]!.AsArray()[1]!;
        Assert.Equal((long)run["up"]! + (long)run["down"]!, (long)run["curve"]!.AsArray()[^1]![0]!);
        Assert.Equal((double)run["loss"]!, (double)run["curve"]!.AsArray()[^1]![1]!);
        Assert.Contains("<title>A small study", File.ReadAllText(_folder["out/methods-tiny.html"]), StringComparison.Ordinal);
        Assert.Equal(4, Directory.GetDirectories(_folder["work"]).Length);
        Assert.Contains("| ecolora+ | `exchange.preset=ecolora+` `exchange.dense_rounds=1` |", File.ReadAllText(_folder["out/methods-tiny.md"]), StringComparison.Ordinal);
        Assert.Equal(first.Output.Trim(), File.ReadAllText(_folder["out/methods-tiny.json"]).Trim());
    }

    [Fact]
    public void A_study_can_hold_the_references_frames_against_a_general_compressors()
    {
        Assert.SkipWhen(new ZstdLibrary().Absent is not null, $"needs libzstd: {new ZstdLibrary().Absent}");
        WriteRun();
        string study = Write("packed.yaml", "title: Packed\nrun: run.yaml\nseeds: [1]\nzstd: 19\nrows: [\"dense-fp16: exchange.preset=dense-fp16\", \"ecolora:\"]");

        JsonArray rows = JsonNode.Parse(Ecolora.Succeed("bench", "methods", study, "--work", _folder["work"], "--threads", "1", "--json"))!["rows"]!.AsArray();

        Assert.Equal(["dense-fp16", "dense-fp16+zstd-19", "ecolora"], rows.Select(row => (string)row!["row"]!));
        JsonNode plain = rows[0]!["runs"]![0]!, packed = rows[1]!["runs"]![0]!;
        Assert.Equal((double)plain["loss"]!, (double)packed["loss"]!);
        // Half of an FP16 number's bits are noise, the exponents are not.
        Assert.InRange((double)packed["up"]! / (double)plain["up"]!, 0.7, 0.99);
        Assert.InRange((double)packed["down"]! / (double)plain["down"]!, 0.7, 0.99);
        Assert.Equal((long)packed["up"]! + (long)packed["down"]!, (long)packed["curve"]!.AsArray()[^1]![0]!);
        Assert.Equal((long)plain["control"]!, (long)packed["control"]!);
    }

    private static StudyRun Run(double before, double loss, long bytes) => new(before, loss, null, bytes, bytes, 0, []);

    private string Write(string name, string text)
    {
        File.WriteAllText(_folder[name], text);
        return _folder[name];
    }

    private void WriteRun()
    {
        SmallModel.Make(_folder.Path, "model");
        Write("data.jsonl", string.Concat(Enumerable.Range(0, 24).Select(i => $"{{\"instruction\": \"say {i}\", \"context\": \"\", \"response\": \"it is {i % 4}\", \"category\": \"c\"}}\n")));
        Write("run.yaml", """
            name: tiny
            model: model
            data: { files: data.jsonl, held_out: 4, window: 48 }
            partition: { scheme: iid }
            lora: { rank: 2 }
            training: { steps: 2, batch_size: 2, learning_rate: 0.01 }
            federation: { clients: 3, participants: 2, rounds: 2 }
            exchange: { segments: 1 }
            evaluation: { exact_match: false }
            """);
    }
}
