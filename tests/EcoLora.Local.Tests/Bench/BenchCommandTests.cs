using System.Text.Json.Nodes;
using EcoLora.Formats.Safetensors;
using EcoLora.Local.Bench;
using EcoLora.TestKit;

namespace EcoLora.Local.Tests.Bench;

public sealed class BenchCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_small_run_has_a_row_of_every_codec_with_the_promised_fields()
    {
        string text = Ecolora.Succeed("bench", "codec", "--entries", "5000", "--density", ".1,.5", "--seconds", "0", "--json", "--out", _folder["out"]);
        Assert.Equal(text, File.ReadAllText(_folder["out/codec.json"]));
        JsonNode json = JsonNode.Parse(text)!;
        Assert.Equal("bench-codec", (string?)json["kind"]);
        foreach (string field in (string[])["cpu", "isa", "dotnet", "libraries", "memcpy_gb_s", "date"]) Assert.NotNull(json["machine"]![field]);
        Assert.True((double)json["machine"]!["memcpy_gb_s"]! > 0);

        JsonObject[] rows = [.. json["rows"]!.AsArray().Select(row => row!.AsObject())];
        foreach (string data in SyntheticUpdate.Names)
            foreach (double density in (double[])[0.1, 0.5])
            {
                string[] codecs = [.. rows.Where(r => (string?)r["data"] == data && (double)r["density"]! == density).Select(r => (string)r["codec"]!)];
                Assert.Equal(CodecBench.Names.Where(name => name != "bound-classes" || data != "gaussian"), codecs);
            }
        Assert.All(rows, AssertFields);
        JsonArray kernels = json["kernels"]!.AsArray();
        string[] names = ["accumulate", "top-k", "select-round-residual", "change-to-frame"];
        Assert.Equal([.. names, .. names], kernels.Select(kernel => (string?)kernel!["kernel"]));
        Assert.All(kernels, kernel => Assert.True((double)kernel!["to_memcpy"]! > 0));

        string page = File.ReadAllText(_folder["out/codec.md"]);
        foreach (string data in SyntheticUpdate.Names)
            Assert.Contains($"\n## {data}: bits per kept entry\n\n| codec | 0.1 | 0.5 |\n", page, StringComparison.Ordinal);
        Assert.Matches(@"\n\| golomb\+fp16 \(4096 entries\) \| \d+\.\d{3} \| \d+\.\d{3} \|\n", page);
    }

    [Fact]
    public void Kept_updates_and_chosen_codecs_make_a_table()
    {
        float[] values = [.. Enumerable.Range(1, 4096).Select(i => i % 7 == 0 ? 1e-3f * i : 1e-6f)];
        SafetensorsWriter.Write(_folder["mine/updates/round-00000-client-00000.safetensors"], [new("m.lora_A.weight", [16, 256], values)]);
        string table = Ecolora.Succeed(
            "bench", "codec", "--data", _folder["mine/updates"], "--density", "0.125", "--peers", "ecolora,bound", "--seconds", "0");
        Assert.Matches(@"\necolora +mine/updates +0\.125 +4096 +\d+\.\d{3} +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+\n", table);
        Assert.Matches(@"\nbound +mine/updates +0\.125 +4096 +\d+\.\d{3} +– +– +– +–\n", table);
        Assert.DoesNotContain("zstd-1 ", table, StringComparison.Ordinal);
    }

    [Fact]
    public void Tokenizers_have_a_row_each_with_the_promised_fields()
    {
        string file = _folder["records.jsonl"];
        File.WriteAllText(file, """{"instruction":"Who ran?","context":"","response":"Tom ran."}""" + "\n");
        string samples = Path.Combine(Repository.Root, "samples/base"), sentencePiece = SharedData.Path("model/stories260K-hf");
        JsonNode json = JsonNode.Parse(Ecolora.Succeed(
            "bench", "tokenizer", "--model", samples, "--model", sentencePiece, "--data", file, "--seconds", "0", "--json"))!;
        Assert.Equal("bench-tokenizer", (string?)json["kind"]);
        JsonNode[] rows = [.. json["rows"]!.AsArray().Select(row => row!)];
        Assert.Equal(["base", "stories260K-hf", "stories260K-hf (SentencePiece)"], rows.Select(row => (string?)row["tokenizer"]));
        Assert.All(rows, row => Assert.Equal(("records.jsonl", 16e-6), ((string?)row["text"], (double)row["mb"]!)));
        Assert.All(rows[..2], row => Assert.True((double)row["mb_s"]! > 0 && (double)row["first_mb_s"]! > 0 && (double)row["tokens_s"]! > 0));
        // SentencePiece may not be installed: then the row says so, and has no numbers.
        Assert.Equal(rows[2]["absent"] is null, rows[2]["mb_s"] is not null);
        Assert.Matches("\nbase +records.jsonl +0.00 ", Ecolora.Succeed("bench", "tokenizer", "--model", samples, "--data", file, "--seconds", "0"));
    }

    private static void AssertFields(JsonObject row)
    {
        foreach (string field in (string[])["codec", "data", "density", "entries", "kept", "bits_per_kept", "encode_to_memcpy", "decode_to_memcpy"])
            Assert.True(row.ContainsKey(field), $"{row["codec"]} lacks {field}");
        if (row["absent"] is not null) return;
        // Values alone are more than 8 bits, and nothing here is worse than raw positions of 32 bits.
        Assert.InRange((double)row["bits_per_kept"]!, 8, 60);
        bool isBound = ((string)row["codec"]!).StartsWith("bound", StringComparison.Ordinal);
        Assert.Equal(isBound, row["encode_to_memcpy"] is null);
        Assert.Equal(isBound, row["decode_to_memcpy"] is null);
        if (!isBound) Assert.True((double)row["encode_to_memcpy"]! > 0 && (double)row["decode_to_memcpy"]! > 0);
    }
}
