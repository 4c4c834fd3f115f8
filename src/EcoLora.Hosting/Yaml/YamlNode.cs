namespace EcoLora.Hosting;

/// <summary>A value of a YAML file and where it stands.</summary>
/// <param name="Line">Line, from 1.</param>
/// <param name="Column">Column, from 1.</param>
public abstract record YamlNode(int Line, int Column)
{
    /// <summary>What the value is, for a message: <c>'five'</c>, <c>a list</c>, <c>a group of options</c>, <c>nothing</c>.</summary>
    public abstract string Description { get; }
}

/// <summary>A single value.</summary>
/// <param name="Text">Its text, without quotes.</param>
/// <param name="Plain">Written without quotes: only such a text can be a number, a truth value or nothing.</param>
/// <param name="Line">Line, from 1.</param>
/// <param name="Column">Column, from 1.</param>
public sealed record YamlScalar(string Text, bool Plain, int Line, int Column) : YamlNode(Line, Column)
{
    private const int LongestShown = 60;

    /// <summary>Nothing was written (or <c>~</c>, or <c>null</c>).</summary>
    public bool IsEmpty => Plain && Text is "" or "~" or "null";

    /// <inheritdoc/>
    public override string Description
    {
        get
        {
            if (IsEmpty) return "nothing";
            string shown = Text.Length <= LongestShown ? Text : Text[..LongestShown] + "…";
            string printable = string.Concat(shown.Select(c => char.IsControl(c) ? '·' : c));
            return Plain ? $"'{printable}'" : $"the text '{printable}'";
        }
    }
}

/// <summary>A list.</summary>
/// <param name="Items">Its items, in order.</param>
/// <param name="Line">Line, from 1.</param>
/// <param name="Column">Column, from 1.</param>
public sealed record YamlList(IReadOnlyList<YamlNode> Items, int Line, int Column) : YamlNode(Line, Column)
{
    /// <inheritdoc/>
    public override string Description => "a list";
}

/// <summary>Keys with values.</summary>
/// <param name="Entries">The entries, in the order of the file; no key occurs twice.</param>
/// <param name="Line">Line, from 1.</param>
/// <param name="Column">Column, from 1.</param>
public sealed record YamlMap(IReadOnlyList<YamlEntry> Entries, int Line, int Column) : YamlNode(Line, Column)
{
    /// <inheritdoc/>
    public override string Description => "a group of options";
}

/// <summary>One key of a map with its value.</summary>
/// <param name="Key">The key and its place.</param>
/// <param name="Value">The value.</param>
public sealed record YamlEntry(YamlScalar Key, YamlNode Value);
