using System.Diagnostics;
using System.Text.Json.Nodes;
using EcoLora.Formats.HuggingFace;
using EcoLora.TestKit;
using EcoLora.Training;

namespace EcoLora.Local.Tests.Bench;

public sealed class TrainBenchTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_small_run_has_the_promised_rows_in_table_and_json()
    {
        string text = Ecolora.Succeed("bench", "train", "--shape", "tiny", "--engines", "ecolora", "--threads", "1,2", "--sequence", "16,40", "--labels", ".5,1",
            "--sequences", "9", "--steps", "2", "--repeats", "1", "--json", "--out", _folder["out"]);
        Assert.Equal(text, File.ReadAllText(_folder["out/train.json"]));
        JsonNode json = JsonNode.Parse(text)!;
        Assert.Equal("bench-train", (string?)json["kind"]);
        JsonObject[] rows = [.. json["rows"]!.AsArray().Select(row => row!.AsObject())];
        Assert.Equal(
            [(16, 0.5, 1), (16, 0.5, 2), (16, 1.0, 1), (16, 1.0, 2), (40, 0.5, 1), (40, 0.5, 2), (40, 1.0, 1), (40, 1.0, 2)],
            rows.Select(row => ((int)row["sequence"]!, (double)row["labels"]!, (int)row["threads"]!)));
        foreach (JsonObject row in rows)
        {
            Assert.Equal(("ecolora", "tiny", 9), ((string?)row["engine"], (string?)row["shape"], (int)row["sequences"]!));
            foreach (string field in (string[])["tokens_per_s", "peak_mib", "gflops", "machine_gflops"]) Assert.True((double)row[field]! > 0, field);
            Assert.Null(row["tokens_per_s_to_pytorch"]);
            Assert.InRange((double)row["loss"]!, Math.Log(512) - 0.5, Math.Log(512) + 0.5);
        }
        string[] lines = File.ReadAllLines(_folder["out/train.md"]);
        Assert.Equal(8, lines.Count(line => line.StartsWith("| ecolora |", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_peer_s_script_computes_the_loss_of_random_weights_or_is_marked_absent()
    {
        JsonNode json = JsonNode.Parse(Ecolora.Succeed(
            "bench", "train", "--shape", "tiny", "--engines", "pytorch", "--threads", "1", "--sequence", "16", "--steps", "1", "--repeats", "1", "--json"))!;
        JsonObject row = json["rows"]!.AsArray().Single()!.AsObject();
        string note = (string)row["note"]!;
        if (note.StartsWith("absent: ", StringComparison.Ordinal)) Assert.Null(row["tokens_per_s"]);
        else Assert.InRange((double)row["loss"]!, Math.Log(512) - 1.5, Math.Log(512) + 1.5);
    }

    [Theory]
    [InlineData("--threads", "0", "--threads: expected whole numbers of 1 to 1024, found '0'")]
    [InlineData("--sequence", "many", "--sequence: expected whole numbers of 1 to 8192, found 'many'")]
    [InlineData("--model", "/nowhere", "/nowhere/config.json: expected a file, found none")]
    public void A_wrong_option_is_refused(string option, string value, string expected)
        => Assert.Contains(expected, Ecolora.Run("bench", "train", option, value).Error, StringComparison.Ordinal);

    /// <summary>docs/training.md's formula, on a folder of real size: SmolLM2-135M's shape in bfloat16.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_training_step_on_a_mapped_folder_needs_no_more_memory_than_the_docs_say(bool recompute)
    {
        string folder = _folder["smollm2"];
        WriteRandomModel("smollm2-135m", folder);
        string[] more = recompute ? ["--recompute"] : [];
        JsonNode json = JsonNode.Parse(Ecolora.Succeed(
            ["bench", "train", "--model", folder, "--engines", "ecolora", "--threads", "1", "--sequences", "1", "--sequence", "256", "--steps", "1",
                "--repeats", "1", "--json", .. more]))!;
        double peak = (double)json["rows"]!.AsArray().Single()!["peak_mib"]!;
        LlamaConfig c = LlamaConfig.Of(ModelFolder.ReadConfig(folder));
        const double N = 256, Mib = 1 << 20, Rank = 16;
        double d = c.HiddenSize, q = c.QueryWidth, kv = c.KeyValueWidth, f = c.IntermediateSize;
        double kept = c.Layers * (recompute ? d : 2 * d + 2 * q + 2 * kv + 2 * f + c.Heads + 2 * Rank);
        double shared = (recompute ? d + 2 * q + 2 * kv + 2 * f : 0) + 3 * d + 2 * q + 2 * kv + 3 * f;
        double activations = 4 * (N * (kept + shared + 4 * d) + 128.0 * c.Vocabulary) / Mib, weights = 2 * ParameterLayout.Of(c).Length / Mib;
        Assert.InRange(peak, weights, 1.5 * weights + activations);
    }

    private static void WriteRandomModel(string shape, string folder)
    {
        string script = Path.Combine(Repository.Root, "tools/models/random_model.py");
        var start = new ProcessStartInfo(File.Exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3", [script, shape, folder]) { RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.SkipWhen(errors.Contains("No module named 'numpy'", StringComparison.Ordinal), "needs numpy");
        Assert.True(process.ExitCode == 0, errors);
    }
}
