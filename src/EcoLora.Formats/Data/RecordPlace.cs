using System.Text.Json;

namespace EcoLora.Formats.Data;

/// <summary>Where a record lies, for what is wrong in it.</summary>
/// <param name="File">Path of the file, as the caller named it.</param>
/// <param name="Raw">The record.</param>
internal readonly record struct RecordPlace(string File, RawRecord Raw)
{
    /// <summary>Parses the record's JSON object.</summary>
    /// <exception cref="DataSetException">It is none, or <paramref name="read"/> says so.</exception>
    public T Read<T>(Func<JsonElement, RecordPlace, T> read)
    {
        try
        {
            using JsonDocument record = JsonDocument.Parse(Raw.Json);
            JsonElement root = record.RootElement;
            if (root.ValueKind != JsonValueKind.Object) throw new DataSetException(File, Raw.Place, "a JSON object", Describe(root));
            return read(root, this);
        }
        catch (JsonException error)
        {
            throw new DataSetException(File, Raw.Place, "a JSON object", $"malformed JSON at byte {error.BytePositionInLine}", error);
        }
        catch (InvalidOperationException error)
        {
            // A field's name, which is unescaped to be compared.
            throw new DataSetException(File, Raw.Place, "a JSON object", "a field whose name is not Unicode", error);
        }
    }

    /// <summary>What is wrong with a field.</summary>
    public DataSetException Wrong(string field, string expected, string found, Exception? cause = null) =>
        new(File, $"{Raw.Place}, field '{field}'", expected, found, cause);

    /// <summary>A string that is not blank.</summary>
    public string Text(JsonElement? value, string field)
    {
        string text = String(value, field);
        return string.IsNullOrWhiteSpace(text) ? throw Wrong(field, "text", "blank text") : text;
    }

    /// <summary>Any string.</summary>
    public string String(JsonElement? value, string field)
    {
        if (value is not { ValueKind: JsonValueKind.String } present) throw Wrong(field, "a string", Describe(value));
        try
        {
            return present.GetString()!;
        }
        catch (InvalidOperationException error)
        {
            throw Wrong(field, "text", "bytes or escapes that are not Unicode", error);
        }
    }

    /// <summary>A field of an object, or null.</summary>
    public static JsonElement? Field(JsonElement parent, string name) => parent.TryGetProperty(name, out JsonElement value) ? value : null;

    /// <summary>What a value is, as errors name it.</summary>
    public static string Describe(JsonElement? value) => value?.ValueKind switch
    {
        null => "no such field",
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "a boolean",
    };
}
