using System.Text.Encodings.Web;
using System.Text.Json;

namespace EcoLora.Formats.Tokenizers;

/// <summary>Writes tokenizer.json and tokenizer_config.json of a byte-level tokenizer, in the fields and order that the tokenizers library uses.</summary>
internal static class TokenizerJsonWriter
{
    /// <param name="special">Special tokens; their ids are 0, 1, …; the first is BOS and stands before every text.</param>
    /// <param name="tokens">The other tokens; their ids follow.</param>
    /// <param name="merges">Indices into <paramref name="tokens"/>, by rank.</param>
    public static byte[] ByteLevel(IReadOnlyList<string> special, IReadOnlyList<string> tokens, IReadOnlyList<(int Left, int Right)> merges) => Write(json =>
    {
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        for (int id = 0; id < special.Count; id++)
        {
            json.WriteStartObject();
            json.WriteNumber("id", id);
            json.WriteString("content", special[id]);
            foreach (string name in (ReadOnlySpan<string>)["single_word", "lstrip", "rstrip", "normalized"]) json.WriteBoolean(name, false);
            json.WriteBoolean("special", true);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteNull("normalizer");
        WriteByteLevel(json, "pre_tokenizer");
        WriteTemplate(json, special[0]);
        WriteByteLevel(json, "decoder");
        WriteModel(json, special, tokens, merges);
    });

    /// <summary>tokenizer_config.json for <see cref="ByteLevel"/>.</summary>
    public static byte[] Config(bool padding) => Write(json =>
    {
        json.WriteBoolean("add_prefix_space", false);
        json.WriteString("bos_token", "<s>");
        json.WriteBoolean("clean_up_tokenization_spaces", false);
        json.WriteString("eos_token", "</s>");
        if (padding) json.WriteString("pad_token", "<pad>");
        json.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
    });

    private static byte[] Write(Action<Utf8JsonWriter> members)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer,
            new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }
        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    private static void WriteByteLevel(Utf8JsonWriter json, string name)
    {
        json.WriteStartObject(name);
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", true);
        json.WriteEndObject();
    }

    private static void WriteTemplate(Utf8JsonWriter json, string bos)
    {
        json.WriteStartObject("post_processor");
        json.WriteString("type", "TemplateProcessing");
        foreach ((string name, string[] sequences) in new[] { ("single", new[] { "A" }), ("pair", ["A", "B"]) })
        {
            json.WriteStartArray(name);
            for (int type = 0; type < sequences.Length; type++)
                foreach ((string kind, string id) in new[] { ("SpecialToken", bos), ("Sequence", sequences[type]) })
                {
                    json.WriteStartObject();
                    json.WriteStartObject(kind);
                    json.WriteString("id", id);
                    json.WriteNumber("type_id", type);
                    json.WriteEndObject();
                    json.WriteEndObject();
                }
            json.WriteEndArray();
        }
        json.WriteStartObject("special_tokens");
        json.WriteStartObject(bos);
        json.WriteString("id", bos);
        json.WriteStartArray("ids");
        json.WriteNumberValue(0);
        json.WriteEndArray();
        json.WriteStartArray("tokens");
        json.WriteStringValue(bos);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter json, IReadOnlyList<string> special, IReadOnlyList<string> tokens,
        IReadOnlyList<(int Left, int Right)> merges)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        foreach (string name in (ReadOnlySpan<string>)["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"]) json.WriteNull(name);
        foreach (string name in (ReadOnlySpan<string>)["fuse_unk", "byte_fallback", "ignore_merges"]) json.WriteBoolean(name, false);
        json.WriteStartObject("vocab");
        for (int id = 0; id < special.Count; id++) json.WriteNumber(special[id], id);
        for (int i = 0; i < tokens.Count; i++) json.WriteNumber(tokens[i], special.Count + i);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach ((int left, int right) in merges) json.WriteStringValue($"{tokens[left]} {tokens[right]}");
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
