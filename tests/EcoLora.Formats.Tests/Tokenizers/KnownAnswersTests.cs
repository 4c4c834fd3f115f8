using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EcoLora.Formats.Tokenizers;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Tokenizers;

/// <summary>Ids by SentencePiece 0.1.97 itself, made by the data's authors.</summary>
public class KnownAnswersTests
{
    private const string Json = "tokenizer.json", Model = "tokenizer.model";

    [Theory]
    [InlineData("model/stories260K-hf", Json, "tokenizer", 61)]
    [InlineData("model/stories260K-hf", Model, "tokenizer", 61)]
    [InlineData("tokenizers/mistral-v1", Json, "cases", 60)]
    [InlineData("tokenizers/mistral-v1", Model, "cases", 60)]
    public void Ids_and_text_are_those_of_SentencePiece(string folder, string file, string list, int count)
    {
        BpeTokenizer tokenizer = Open(folder, file);
        JsonElement[] cases = [.. Read(folder).GetProperty(list).EnumerateArray()];
        Assert.Equal(count, cases.Length);
        foreach (JsonElement known in cases)
        {
            string text = known.GetProperty("text").GetString()!;
            int[] ids = tokenizer.Encode(text);
            Assert.Equal(known.GetProperty("ids").Deserialize<int[]>(), ids);
            Assert.Equal(known.TryGetProperty("decoded", out JsonElement decoded) ? decoded.GetString() : text, tokenizer.Decode(ids));
        }
    }

    [Theory]
    [InlineData("model/stories260K-hf", Json)]
    [InlineData("model/stories260K-hf", Model)]
    [InlineData("tokenizers/mistral-v1", Json)]
    [InlineData("tokenizers/mistral-v1", Model)]
    public void The_ids_of_15011_Dolly_responses_have_the_known_digest(string folder, string file)
    {
        BpeTokenizer tokenizer = Open(folder, file);
        JsonElement known = Read(folder).GetProperty("dolly_responses");
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var lines = new StreamReader(new GZipStream(File.OpenRead(SharedData.Path("instruction/databricks-dolly-15k.jsonl.gz")),
            CompressionMode.Decompress));
        int tokens = 0, records = 0;
        while (lines.ReadLine() is { } line)
        {
            using JsonDocument record = JsonDocument.Parse(line);
            int[] ids = tokenizer.Encode(record.RootElement.GetProperty("response").GetString()!);
            digest.AppendData(Encoding.ASCII.GetBytes(string.Join(' ', ids.Select(id => id.ToString(CultureInfo.InvariantCulture))) + "\n"));
            tokens += ids.Length;
            records++;
        }
        Assert.Equal(known.GetProperty("records").GetInt32(), records);
        Assert.Equal(known.GetProperty("total_tokens").GetInt32(), tokens);
        Assert.Equal(known.GetProperty("sha256_of_ids_lines").GetString(), Convert.ToHexStringLower(digest.GetHashAndReset()));
    }

    /// <summary>From a folder that has only that file and tokenizer_config.json.</summary>
    private static BpeTokenizer Open(string folder, string file)
    {
        using var only = new TemporaryFolder();
        foreach (string name in (string[])[file, "tokenizer_config.json"]) File.Copy(SharedData.Path($"{folder}/{name}"), only[name]);
        return BpeTokenizer.Open(only.Path);
    }

    private static JsonElement Read(string folder) => JsonElement.Parse(File.ReadAllBytes(SharedData.Path(folder + "/known_answers.json")));
}
