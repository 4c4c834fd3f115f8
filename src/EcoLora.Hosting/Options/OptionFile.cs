using System.Text.Encodings.Web;
using System.Text.Json;

namespace EcoLora.Hosting;

/// <summary>An option given on the command line, which replaces what the file says.</summary>
/// <param name="Path">The option's path.</param>
/// <param name="Value">Its value as YAML.</param>
/// <param name="Source">What was written on the command line, for messages.</param>
public sealed record OptionOverride(string Path, string Value, string Source)
{
    /// <summary>From the argument of <c>--set</c>.</summary>
    /// <param name="assignment"><c>path=value</c>.</param>
    /// <exception cref="OptionsException">There is no path or no '='.</exception>
    public static OptionOverride Parse(string assignment)
    {
        int equals = assignment.IndexOf('=');
        string source = $"--set {assignment}";
        if (equals < 1) throw new OptionsException($"{source}: expected key=value, such as exchange.segments=3");
        return new OptionOverride(assignment[..equals].Trim(), assignment[(equals + 1)..], source);
    }

    /// <summary>From texts that are taken as they are, such as paths.</summary>
    /// <param name="path">The option's path.</param>
    /// <param name="texts">One text, or several for an option that takes a list.</param>
    /// <param name="source">What was written on the command line.</param>
    public static OptionOverride OfTexts(string path, IReadOnlyList<string> texts, string source)
    {
        IEnumerable<string> quoted = texts.Select(text => $"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"");
        return new OptionOverride(path, $"[{string.Join(", ", quoted)}]", source);
    }
}

/// <summary>Reads an option file and the <c>--set</c> options over it.</summary>
public sealed class OptionFile
{
    private readonly OptionTable _table;
    private readonly string _file;
    private readonly Dictionary<string, (object Value, string Source)> _given = new(StringComparer.Ordinal);

    private OptionFile(OptionTable table, string file) => (_table, _file) = (table, file);

    /// <summary>Reads a file.</summary>
    /// <param name="table">The options that it may give.</param>
    /// <param name="file">The file.</param>
    /// <param name="overrides">What the command line says; of several for one path the last counts.</param>
    /// <exception cref="OptionsException">The file or an override cannot be used.</exception>
    public static OptionValues Read(OptionTable table, string file, IEnumerable<OptionOverride> overrides) => Read(table, file, YamlText.ReadFile(file), overrides);

    /// <summary>Reads options that came otherwise than in a file.</summary>
    /// <param name="table">The options that may be given.</param>
    /// <param name="source">What the text is called in a refusal.</param>
    /// <param name="text">YAML, or JSON, which is YAML too.</param>
    /// <param name="overrides">What replaces options of the text.</param>
    /// <exception cref="OptionsException">The text or an override cannot be used.</exception>
    public static OptionValues Parse(OptionTable table, string source, string text, IEnumerable<OptionOverride> overrides) =>
        Read(table, source, YamlText.ReadText(source, text), overrides);

    private static OptionValues Read(OptionTable table, string file, YamlMap root, IEnumerable<OptionOverride> overrides)
    {
        var reader = new OptionFile(table, file);
        reader.ReadSection(root, "");
        reader.RefuseBoth();
        OptionOverride[] replacing = [.. overrides];
        // A preset of the command line is meant as a whole: what the file says of its options no longer counts.
        if (table.Presets is { } presets && replacing.Any(each => each.Path == presets.Path))
            foreach (string path in presets.Values.Values.SelectMany(values => values.Keys)) reader._given.Remove(path);
        foreach (OptionOverride each in replacing) reader.Replace(each);
        return new OptionValues(table, file, reader._given);
    }

    private void ReadSection(YamlMap map, string section)
    {
        foreach (YamlEntry entry in map.Entries)
        {
            string path = section.Length == 0 ? entry.Key.Text : $"{section}.{entry.Key.Text}";
            if (_table.Find(path) is { } option && option.Section == section) Add(option, entry.Value, Place(entry.Value));
            else if (section.Length == 0 && _table.Sections.Any(child => child.Key == path && path.Length > 0)) ReadChild(path, entry.Value);
            else throw new OptionsException($"{Place(entry.Key)}: unknown option {(entry.Key with { Plain = true }).Description}{Within(section)}; "
                + $"did you mean '{Suggestion(path, section)}'?");
        }
    }

    private void ReadChild(string section, YamlNode node)
    {
        if (node is YamlScalar { IsEmpty: true }) return;
        if (node is not YamlMap map) throw new OptionsException($"{Place(node)}: {section}: expected a group of options, found {node.Description}");
        ReadSection(map, section);
    }

    private void Add(OptionDefinition option, YamlNode node, string source)
    {
        object value = option.Type.Read(node)
            ?? throw new OptionsException($"{source}: {option.Path}: expected {option.Type.Expected}, found {Found(option, node)}");
        _given[option.Path] = (value, source);
    }

    private void Replace(OptionOverride given)
    {
        if (_table.Find(given.Path) is null && _table.Children(given.Path).FirstOrDefault() is { } child)
            throw new OptionsException($"{given.Source}: expected an option of {given.Path}, such as {child}, found the group '{given.Path}'");
        OptionDefinition option = _table.Find(given.Path)
            ?? throw new OptionsException($"{given.Source}: unknown option '{given.Path}'; did you mean '{_table.Nearest(given.Path)}'?");
        YamlNode value = YamlText.ReadValue(given.Source, given.Value);
        if (value is YamlList { Items: [var only] } && option.Type is not ListOption) value = only;
        Add(option, value, given.Source);
        if (option.InsteadOf is not null) _given.Remove(option.InsteadOf);
    }

    private void RefuseBoth()
    {
        foreach (OptionDefinition option in _table.Options)
        {
            if (option.InsteadOf is { } other && _given.ContainsKey(option.Path) && _given.TryGetValue(other, out var second))
                throw new OptionsException($"{second.Source}: {other}: expected it or {option.Path}, found both");
        }
    }

    private string Suggestion(string path, string section)
    {
        string nearest = _table.Nearest(path);
        return section.Length > 0 && nearest.StartsWith(section + ".", StringComparison.Ordinal) ? nearest[(section.Length + 1)..] : nearest;
    }

    private string Place(YamlNode node) => $"{_file}:{node.Line}:{node.Column}";

    private static string Within(string section) => section.Length == 0 ? "" : $" in {section}";

    private static string Found(OptionDefinition option, YamlNode node)
    {
        YamlNode? wrong = option.Type is ListOption type && node is YamlList list ? list.Items.FirstOrDefault(item => type.Item.Read(item) is null) : null;
        if (wrong is not null) return wrong.Description;
        return node is YamlList items && option.Type is ListOption
            ? $"[{string.Join(", ", items.Items.OfType<YamlScalar>().Select(item => item.Text))}]"
            : node.Description;
    }
}
