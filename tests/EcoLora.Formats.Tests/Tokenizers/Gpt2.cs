using System.Text.Encodings.Web;
using System.Text.Json;
using EcoLora.Formats.Tokenizers;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Tokenizers;

/// <summary>GPT-2's tokenizer as a tokenizer.json, made of vocab.json and merges.txt.</summary>
internal static class Gpt2
{
    private const string ByteLevel = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true}""";

    public static BpeTokenizer Open(string preTokenizer = ByteLevel) => BpeTokenizer.Parse(Json(
        preTokenizer,
        JsonElement.Parse(File.ReadAllBytes(SharedData.Path("tokenizers/gpt2/vocab.json"))),
        File.ReadLines(SharedData.Path("tokenizers/gpt2/merges.txt"))
            .Where(line => line.Length > 0 && !line.StartsWith("#version", StringComparison.Ordinal))));

    private static byte[] Json(string preTokenizer, JsonElement vocabulary, IEnumerable<string> merges)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WritePropertyName("added_tokens");
            json.WriteRawValue("""[{"id":50256,"content":"<|endoftext|>","single_word":false,"lstrip":false,"rstrip":false,"special":true}]""");
            json.WritePropertyName("pre_tokenizer");
            json.WriteRawValue(preTokenizer);
            json.WritePropertyName("decoder");
            json.WriteRawValue("""{"type":"ByteLevel"}""");
            json.WriteStartObject("model");
            json.WriteString("type", "BPE");
            json.WritePropertyName("vocab");
            vocabulary.WriteTo(json);
            json.WriteStartArray("merges");
            foreach (string merge in merges) json.WriteStringValue(merge);
            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return buffer.ToArray();
    }
}
