using System.Text.Json.Nodes;

namespace EcoLora.Hosting;

/// <summary>One option of an option file: the only place that says its name, values, default and meaning.</summary>
/// <param name="Path"><c>key</c> or <c>section.key</c>, in snake_case.</param>
/// <param name="Type">The values that it takes.</param>
/// <param name="Default">Its value when it is not given; null when it then has none.</param>
/// <param name="Description">What it does, in one or two sentences.</param>
public sealed record OptionDefinition(string Path, OptionType Type, object? Default, string Description)
{
    /// <summary>Path of an option that says the same in another way: a <c>--set</c> of one replaces the other, and a file gives one of them.</summary>
    public string? InsteadOf { get; init; }

    /// <summary>False for an option that does not change any result, such as the number of threads.</summary>
    public bool ChangesResults { get; init; } = true;

    /// <summary>The section, or an empty text.</summary>
    public string Section => Path.Contains('.') ? Path[..Path.IndexOf('.')] : "";

    /// <summary>The key within the section.</summary>
    public string Key => Path[(Path.IndexOf('.') + 1)..];
}

/// <summary>A group of options.</summary>
/// <param name="Key">Its key in the file; empty for the options at the top.</param>
/// <param name="Description">What it is about.</param>
public sealed record OptionSection(string Key, string Description);

/// <summary>Values of other options that go by one name: where an option is not given, the preset's value counts before the default.</summary>
/// <param name="Path">The option that names the preset.</param>
/// <param name="Values">By preset, then by path, values of the options.</param>
public sealed record OptionPresets(string Path, IReadOnlyDictionary<string, IReadOnlyDictionary<string, object>> Values);

/// <summary>All options of one kind of file. Reading, <c>--set</c>, defaults, the JSON Schema and the reference page all come from it.</summary>
public sealed class OptionTable
{
    private readonly Dictionary<string, OptionDefinition> _byPath;

    /// <summary>Makes a table.</summary>
    /// <param name="title">What the file is, for the schema.</param>
    /// <param name="sections">The sections, in the order of the documents.</param>
    /// <param name="options">The options, in the order of the documents.</param>
    /// <param name="presets">Named values, or null.</param>
    public OptionTable(string title, IReadOnlyList<OptionSection> sections, IReadOnlyList<OptionDefinition> options, OptionPresets? presets = null)
    {
        (Title, Sections, Options, Presets) = (title, sections, options, presets);
        _byPath = options.ToDictionary(option => option.Path, StringComparer.Ordinal);
    }

    /// <summary>What the file is.</summary>
    public string Title { get; }

    /// <summary>The sections.</summary>
    public IReadOnlyList<OptionSection> Sections { get; }

    /// <summary>The options.</summary>
    public IReadOnlyList<OptionDefinition> Options { get; }

    /// <summary>Named values, or null.</summary>
    public OptionPresets? Presets { get; }

    /// <summary>The option at a path, or null.</summary>
    public OptionDefinition? Find(string path) => _byPath.GetValueOrDefault(path);

    /// <summary>The paths that may stand in a section (options), or at the top (options and sections).</summary>
    public IEnumerable<string> Children(string section) =>
        Options.Where(option => option.Section == section).Select(option => option.Path)
            .Concat(section.Length == 0 ? Sections.Where(child => child.Key.Length > 0).Select(child => child.Key) : []);

    /// <summary>The known path that a writer most likely meant by an unknown one.</summary>
    /// <param name="path">The unknown path.</param>
    public string Nearest(string path)
    {
        string section = path.Contains('.') ? path[..path.LastIndexOf('.')] : "";
        string key = path[(path.LastIndexOf('.') + 1)..];
        string sibling = NearestName.Of(path, Children(section).DefaultIfEmpty(""));
        if (sibling.Length > 0 && NearestName.Distance(path, sibling) <= Math.Max(2, key.Length / 3)) return sibling;
        return Options.FirstOrDefault(option => option.Key == key)?.Path ?? NearestName.Of(path, Options.Select(option => option.Path));
    }

    /// <summary>The file's JSON Schema (draft 2020-12), for editors.</summary>
    public JsonObject Schema()
    {
        var schema = new JsonObject { ["$schema"] = "https://json-schema.org/draft/2020-12/schema", ["title"] = Title };
        AddProperties(schema, "");
        return schema;
    }

    private void AddProperties(JsonObject schema, string section)
    {
        var properties = new JsonObject();
        foreach (OptionDefinition option in Options.Where(option => option.Section == section))
        {
            var property = new JsonObject { ["description"] = option.Description };
            if (option.Default is not null) property["default"] = OptionValues.ToJson(option.Default);
            foreach ((string keyword, JsonNode? value) in option.Type.Schema()) property[keyword] = value?.DeepClone();
            properties[option.Key] = property;
        }
        foreach (OptionSection child in Sections.Where(child => section.Length == 0 && child.Key.Length > 0))
        {
            var property = new JsonObject { ["description"] = child.Description };
            AddProperties(property, child.Key);
            properties[child.Key] = property;
        }
        schema["type"] = "object";
        schema["additionalProperties"] = false;
        schema["properties"] = properties;
        IEnumerable<OptionDefinition> alternatives = Options.Where(option => option.Section == section && option.InsteadOf is not null);
        JsonNode[] exclusive = [.. alternatives.Select(option => JsonValue.Create(option.Key))];
        if (exclusive.Length > 0) schema["not"] = new JsonObject { ["required"] = new JsonArray(exclusive) };
    }
}
