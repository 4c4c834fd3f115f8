using System.Text.Json;
using EcoLora.Formats.Json;

namespace EcoLora.Formats.Data;

/// <summary>Parses one record of ARC.</summary>
internal static class ArcRecord
{
    /// <exception cref="DataSetException">Not an object as <see cref="MultipleChoiceFile"/> describes it.</exception>
    public static MultipleChoiceQuestion Parse(RawRecord raw, string file)
    {
        try
        {
            using JsonDocument record = JsonDocument.Parse(raw.Json);
            JsonElement root = record.RootElement;
            if (root.ValueKind != JsonValueKind.Object) throw new DataSetException(file, raw.Place, "a JSON object", Describe(root));
            return Parse(root, new Place(file, raw));
        }
        catch (JsonException error)
        {
            throw new DataSetException(file, raw.Place, "a JSON object", $"malformed JSON at byte {error.BytePositionInLine}", error);
        }
        catch (InvalidOperationException error)
        {
            // A field's name, which is unescaped to be compared.
            throw new DataSetException(file, raw.Place, "a JSON object", "a field whose name is not Unicode", error);
        }
    }

    private static MultipleChoiceQuestion Parse(JsonElement root, Place place)
    {
        string question = place.Text(Field(root, "question"), "question");
        JsonElement? choices = Field(root, "choices");
        if (choices is not { ValueKind: JsonValueKind.Object } both) throw place.Wrong("choices", "an object", Describe(choices));
        string[] texts = place.Texts(Field(both, "text"), "choices.text"), labels = place.Texts(Field(both, "label"), "choices.label");
        if (labels.Length != texts.Length) throw place.Wrong("choices.label", $"{texts.Length} labels, one per choice", $"{labels.Length}");
        if (labels.Distinct(StringComparer.Ordinal).Count() < labels.Length) throw place.Wrong("choices.label", "different labels", Listed(labels));
        string key = place.Text(Field(root, "answerKey"), "answerKey");
        int answer = Array.IndexOf(labels, key);
        if (answer < 0) throw place.Wrong("answerKey", $"one of {Listed(labels)}", $"'{PrintableText.Of(key)}'");
        return new MultipleChoiceQuestion(question, texts, answer, IsLettered: false);
    }

    private static string Listed(string[] labels) => PrintableText.Of(string.Join(", ", labels));

    private static JsonElement? Field(JsonElement parent, string name) => parent.TryGetProperty(name, out JsonElement value) ? value : null;

    private static string Describe(JsonElement? value) => value?.ValueKind switch
    {
        null => "no such field",
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "a boolean",
    };

    /// <summary>Where a record lies, for what is wrong in it.</summary>
    private readonly record struct Place(string File, RawRecord Raw)
    {
        public DataSetException Wrong(string field, string expected, string found, Exception? cause = null) =>
            new(File, $"{Raw.Place}, field '{field}'", expected, found, cause);

        /// <summary>A string that is not blank.</summary>
        public string Text(JsonElement? value, string field)
        {
            if (value is not { ValueKind: JsonValueKind.String } present) throw Wrong(field, "a string", Describe(value));
            try
            {
                string text = present.GetString()!;
                return string.IsNullOrWhiteSpace(text) ? throw Wrong(field, "text", "blank text") : text;
            }
            catch (InvalidOperationException error)
            {
                throw Wrong(field, "text", "bytes or escapes that are not Unicode", error);
            }
        }

        /// <summary>An array of 3 to 5 such strings.</summary>
        public string[] Texts(JsonElement? value, string field)
        {
            if (value is not { ValueKind: JsonValueKind.Array } present) throw Wrong(field, "an array", Describe(value));
            if (present.GetArrayLength() is < 3 or > 5) throw Wrong(field, "3 to 5 texts", $"{present.GetArrayLength()}");
            string[] texts = new string[present.GetArrayLength()];
            for (int i = 0; i < texts.Length; i++) texts[i] = Text(present[i], $"{field}[{i}]");
            return texts;
        }
    }
}
