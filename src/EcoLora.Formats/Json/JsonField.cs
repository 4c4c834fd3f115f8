using System.Globalization;
using System.Text.Json;

namespace EcoLora.Formats.Json;

/// <summary>
/// One value of a JSON file together with where it stands, so that everything read from the file is checked in one place and
/// a refusal always says file, field, expected and found. The exception type is the file format's own.
/// </summary>
internal readonly struct JsonField
{
    private const long LongestFile = 256L << 20;

    private readonly string _file;
    private readonly JsonElement _element;
    private readonly Func<string, FormatException> _refusal;

    private JsonField(string file, string path, JsonElement element, Func<string, FormatException> refusal) =>
        (_file, Path, _element, _refusal) = (file, path, element, refusal);

    /// <summary>Names from the root to here, joined by dots; empty at the root.</summary>
    public string Path { get; }

    /// <summary>The field is there and not null.</summary>
    public bool Exists => _element.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null);

    public bool IsString => _element.ValueKind == JsonValueKind.String;
    public bool IsNumber => _element.ValueKind == JsonValueKind.Number;
    public bool IsArray => _element.ValueKind == JsonValueKind.Array;
    public bool IsObject => _element.ValueKind == JsonValueKind.Object;
    public bool IsBoolean => _element.ValueKind is JsonValueKind.True or JsonValueKind.False;

    /// <summary>A member of an object; a field that does not exist where this is null or lacks it.</summary>
    public JsonField this[string name]
    {
        get
        {
            string path = string.IsNullOrEmpty(Path) ? name : $"{Path}.{name}";
            if (!Exists) return new JsonField(_file, path, default, _refusal);
            if (!IsObject) throw Refuse("an object");
            return new JsonField(_file, path, _element.TryGetProperty(name, out JsonElement member) ? member : default, _refusal);
        }
    }

    /// <summary>Reads and parses a whole file; one that is absent is refused like any other fault of the format.</summary>
    public static JsonField ReadFile(string path, Func<string, FormatException> refusal) =>
        Parse(ReadBytes(path, refusal), System.IO.Path.GetFileName(path), refusal);

    /// <summary>The bytes of a file of at most 256 MiB.</summary>
    public static byte[] ReadBytes(string path, Func<string, FormatException> refusal)
    {
        if (!File.Exists(path)) throw refusal($"{path}: expected a file, found none");
        long length = new FileInfo(path).Length;
        if (length > LongestFile) throw refusal($"{path}: expected at most {LongestFile} bytes of JSON, found {length}");
        return File.ReadAllBytes(path);
    }

    /// <summary>Parses UTF-8; duplicate names, comments, trailing commas and more than 64 levels are refused.</summary>
    public static JsonField Parse(ReadOnlySpan<byte> utf8, string file, Func<string, FormatException> refusal)
    {
        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        if (utf8.StartsWith(mark)) utf8 = utf8[3..];
        if (!System.Text.Unicode.Utf8.IsValid(utf8)) throw refusal($"{file}: expected UTF-8, found other bytes");
        try
        {
            JsonElement root = JsonElement.Parse(utf8, new JsonDocumentOptions { MaxDepth = 64, AllowDuplicateProperties = false });
            var field = new JsonField(file, "", root, refusal);
            return field.IsObject ? field : throw field.Refuse("a JSON object");
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escaped lone surrogate in a property name.
            throw refusal($"{file}: expected well-formed JSON, found: {PrintableText.Of(fault.Message)}");
        }
    }

    /// <summary>The refusal of this field's value: file, field, expected, found.</summary>
    public FormatException Refuse(string expected)
    {
        string found = _element.ValueKind switch
        {
            JsonValueKind.Undefined => "no such field",
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "a list",
            _ => PrintableText.Of(_element.GetRawText()),
        };
        string where = Path.Length == 0 ? _file : $"{_file}: field '{PrintableText.Of(Path)}'";
        return _refusal($"{where}: expected {expected}, found {found}");
    }

    public int Int32(int least, int most)
    {
        if (IsNumber && _element.TryGetInt32(out int value) && value >= least && value <= most) return value;
        throw Refuse($"an integer from {least} to {most}");
    }

    public int Int32Or(int fallback, int least, int most) => Exists ? Int32(least, most) : fallback;

    public double Double(double least, double most)
    {
        if (IsNumber && _element.TryGetDouble(out double value) && value >= least && value <= most) return value;
        throw Refuse(string.Create(CultureInfo.InvariantCulture, $"a number from {least} to {most}"));
    }

    public double DoubleOr(double fallback, double least, double most) => Exists ? Double(least, most) : fallback;

    public bool BooleanOr(bool fallback)
    {
        if (!Exists) return fallback;
        return IsBoolean ? _element.GetBoolean() : throw Refuse("true or false");
    }

    public string String()
    {
        if (!IsString) throw Refuse("a string");
        try
        {
            return _element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Refuse("a string of Unicode text");
        }
    }

    public string StringOr(string fallback) => Exists ? String() : fallback;

    /// <summary>Number of items of a list, of members of an object.</summary>
    public int Count => IsArray ? _element.GetArrayLength() : IsObject ? _element.GetPropertyCount() : 0;

    /// <summary>The items of a list, in order.</summary>
    public IEnumerable<JsonField> Items()
    {
        if (!IsArray) throw Refuse("a list");
        return Enumerate(this);

        static IEnumerable<JsonField> Enumerate(JsonField list)
        {
            int index = 0;
            foreach (JsonElement item in list._element.EnumerateArray())
                yield return new JsonField(list._file, string.Create(CultureInfo.InvariantCulture, $"{list.Path}[{index++}]"), item, list._refusal);
        }
    }

    /// <summary>The members of an object, in the file's order.</summary>
    public IEnumerable<(string Name, JsonField Value)> Members()
    {
        if (!IsObject) throw Refuse("an object");
        return Enumerate(this);

        static IEnumerable<(string, JsonField)> Enumerate(JsonField owner)
        {
            foreach (JsonProperty member in owner._element.EnumerateObject())
            {
                string name;
                try
                {
                    name = member.Name;
                }
                catch (InvalidOperationException)
                {
                    throw owner.Refuse("names of Unicode text");
                }
                yield return (name, new JsonField(owner._file, owner.Path.Length == 0 ? name : $"{owner.Path}.{name}", member.Value, owner._refusal));
            }
        }
    }
}
