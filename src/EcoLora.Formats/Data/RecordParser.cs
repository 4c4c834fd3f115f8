using System.Text.Json;

namespace EcoLora.Formats.Data;

/// <summary>Parses the JSON object of one record, and shares the text of equal categories.</summary>
internal sealed class RecordParser(string file)
{
    private static readonly string[] FieldNames = ["instruction", "context", "input", "response", "output", "category"];
    private readonly Dictionary<string, string> _categories = [];
    private readonly string?[] _fields = new string?[FieldNames.Length];

    /// <summary>The record; its response is empty where there is none. Of two names for one field (context and input), the first that is not empty
    /// counts.</summary>
    /// <exception cref="DataSetException">Not a JSON object, a field that is neither a string nor null, or no instruction.</exception>
    public Instruction Parse(RawRecord raw)
    {
        Array.Clear(_fields);
        try
        {
            ReadFields(raw);
        }
        catch (JsonException error)
        {
            throw new DataSetException(file, raw.Place, "a JSON object", $"malformed JSON at byte {error.BytePositionInLine}", error);
        }
        string text = _fields[0] ?? "";
        if (string.IsNullOrWhiteSpace(text))
            throw new DataSetException(file, $"{raw.Place}, field 'instruction'", "text", _fields[0] is null ? "no such field" : "blank text");
        return new Instruction(text, First(_fields[1], _fields[2]), First(_fields[3], _fields[4]), Shared(_fields[5] ?? ""));
    }

    private void ReadFields(RawRecord raw)
    {
        var reader = new Utf8JsonReader(raw.Json.Span);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) throw new DataSetException(file, raw.Place, "a JSON object", Describe(reader.TokenType));
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            int field = 0;
            while (field < FieldNames.Length && !reader.ValueTextEquals(FieldNames[field])) field++;
            reader.Read();
            if (field == FieldNames.Length) reader.Skip();
            else _fields[field] = ReadText(ref reader, raw, FieldNames[field]);
        }
        if (reader.Read()) throw new JsonException();
    }

    private string? ReadText(ref Utf8JsonReader reader, RawRecord raw, string field)
    {
        if (reader.TokenType == JsonTokenType.Null) return null;
        if (reader.TokenType != JsonTokenType.String) throw new DataSetException(file, $"{raw.Place}, field '{field}'", "a string", Describe(reader.TokenType));
        try
        {
            return reader.GetString();
        }
        catch (InvalidOperationException error)
        {
            throw new DataSetException(file, $"{raw.Place}, field '{field}'", "text", "bytes or escapes that are not Unicode", error);
        }
    }

    private string Shared(string category)
    {
        if (!_categories.TryGetValue(category, out string? shared)) _categories.Add(shared = category, category);
        return shared;
    }

    private static string First(string? preferred, string? other) => string.IsNullOrEmpty(preferred) ? other ?? "" : preferred;

    private static string Describe(JsonTokenType type) => type switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => "a number",
        JsonTokenType.Null => "null",
        _ => "a boolean",
    };
}
