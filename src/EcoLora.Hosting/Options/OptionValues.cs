using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EcoLora.Hosting;

/// <summary>The value of every option of a table: what was given, else what the preset says, else the default.</summary>
public sealed class OptionValues
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly OptionTable _table;
    private readonly Dictionary<string, (object Value, string Source)> _given;

    internal OptionValues(OptionTable table, string file, Dictionary<string, (object Value, string Source)> given) =>
        (_table, File, _given) = (table, file, given);

    /// <summary>The file, as it was named.</summary>
    public string File { get; }

    /// <summary>True for an option that the file or a <c>--set</c> gives.</summary>
    public bool IsGiven(string path) => _given.ContainsKey(path);

    /// <summary>Where an option's value stands: <c>file:line:column</c>, a <c>--set</c>, or the file alone for a default.</summary>
    public string SourceOf(string path) => _given.TryGetValue(path, out var given) ? given.Source : File;

    /// <summary>A whole number; null where a word or nothing stands in its place.</summary>
    public int? IntegerOrNull(string path) => Value(path) is long value ? checked((int)value) : null;

    /// <summary>A whole number.</summary>
    public int Integer(string path) => IntegerOrNull(path) ?? throw Wrong(path);

    /// <summary>A whole number of up to 2^63 − 1.</summary>
    public long LongInteger(string path) => Value(path) is long value ? value : throw Wrong(path);

    /// <summary>A value as it stands in an option file.</summary>
    public static string Shown(object value) => value switch
    {
        string[] list => $"[{string.Join(", ", list)}]",
        long[] list => $"[{string.Join(", ", list)}]",
        bool truth => truth ? "true" : "false",
        _ => FormattableString.Invariant($"{value}"),
    };

    /// <summary>The same; null where a word stands in its place.</summary>
    public long? LongIntegerOrNull(string path) => Value(path) as long?;

    /// <summary>A number; null where a word or nothing stands in its place.</summary>
    public double? NumberOrNull(string path) => Value(path) switch { double value => value, long value => value, _ => null };

    /// <summary>A number.</summary>
    public double Number(string path) => NumberOrNull(path) ?? throw Wrong(path);

    /// <summary>A truth value.</summary>
    public bool Boolean(string path) => Value(path) is bool value ? value : throw Wrong(path);

    /// <summary>A text; null where there is none.</summary>
    public string? TextOrNull(string path) => Value(path) as string;

    /// <summary>A text.</summary>
    public string Text(string path) => TextOrNull(path) ?? throw Wrong(path);

    /// <summary>A list of texts; empty where there is none.</summary>
    public IReadOnlyList<string> Texts(string path) => Value(path) as string[] ?? [];

    /// <summary>A list of whole numbers; empty where there is none.</summary>
    public IReadOnlyList<int> Integers(string path) => Value(path) is long[] values ? [.. values.Select(value => checked((int)value))] : [];

    /// <summary>
    /// The canonical form: every option that changes results and has a value, in the table's order, defaults included. Two files with the same
    /// canonical form describe the same run.
    /// </summary>
    public JsonObject ToJson()
    {
        var root = new JsonObject();
        foreach (OptionDefinition option in _table.Options.Where(option => option.ChangesResults))
        {
            if (Value(option.Path) is not { } value) continue;
            JsonObject parent = root;
            if (option.Section.Length > 0)
            {
                root[option.Section] ??= new JsonObject();
                parent = root[option.Section]!.AsObject();
            }
            parent[option.Key] = ToJson(value);
        }
        return root;
    }

    /// <summary><see cref="ToJson()"/> as indented text with a final line break.</summary>
    public string ToCanonicalText() => ToJson().ToJsonString(Indented) + "\n";

    /// <summary>A value of an option as JSON.</summary>
    internal static JsonNode ToJson(object value) => value switch
    {
        long number => JsonValue.Create(number),
        double number => JsonValue.Create(number),
        bool truth => JsonValue.Create(truth),
        string text => JsonValue.Create(text),
        long[] numbers => new JsonArray([.. numbers.Select(number => JsonValue.Create(number))]),
        _ => new JsonArray([.. ((string[])value).Select(text => JsonValue.Create(text))]),
    };

    private object? Value(string path)
    {
        OptionDefinition option = _table.Find(path) ?? throw new InvalidOperationException($"no option {path} in the table");
        if (_given.TryGetValue(path, out var given)) return given.Value;
        if (option.InsteadOf is { } other && _given.ContainsKey(other)) return null;
        return _table.Presets is { } presets && path != presets.Path && presets.Values[Text(presets.Path)].TryGetValue(path, out object? value) ? value : option.Default;
    }

    private InvalidOperationException Wrong(string path) => new($"option {path} has the value {Value(path) ?? "nothing"}, which its reader did not expect");
}

/// <summary>Two canonical forms that are not the same.</summary>
/// <param name="Path">The first option that differs.</param>
/// <param name="Before">Its earlier value as JSON, or <c>nothing</c>.</param>
/// <param name="Now">Its present value as JSON, or <c>nothing</c>.</param>
public sealed record OptionDifference(string Path, string Before, string Now)
{
    /// <summary>Finds the first difference between two canonical forms.</summary>
    /// <returns>The difference, or null when they are the same.</returns>
    public static OptionDifference? First(JsonObject before, JsonObject now)
    {
        Dictionary<string, string> old = Flatten(before), current = Flatten(now);
        foreach (string path in old.Keys.Concat(current.Keys))
        {
            string was = old.GetValueOrDefault(path, "nothing"), isNow = current.GetValueOrDefault(path, "nothing");
            if (was != isNow) return new OptionDifference(path, was, isNow);
        }
        return null;
    }

    private static Dictionary<string, string> Flatten(JsonObject root)
    {
        var flat = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string key, JsonNode? node) in root)
        {
            if (node is not JsonObject section) flat[key] = Show(node);
            else foreach ((string inner, JsonNode? value) in section) flat[$"{key}.{inner}"] = Show(value);
        }
        return flat;
    }

    private static string Show(JsonNode? node) => node?.ToJsonString(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping })
        ?? "nothing";
}
