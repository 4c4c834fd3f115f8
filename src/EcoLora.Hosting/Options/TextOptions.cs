using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace EcoLora.Hosting;

/// <summary>A text of a given form.</summary>
/// <param name="Form">The form in words.</param>
/// <param name="Pattern">The form as a regular expression that matches the whole text; it must not backtrack.</param>
public sealed record TextOption(string Form, string Pattern) : OptionType
{
    /// <inheritdoc/>
    public override string Expected => Form;

    /// <inheritdoc/>
    public override object? Read(YamlNode node) =>
        node is YamlScalar { IsEmpty: false } scalar && Regex.IsMatch(scalar.Text, Pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)
            ? scalar.Text
            : null;

    /// <inheritdoc/>
    public override JsonObject Schema() => new() { ["type"] = "string", ["pattern"] = Pattern };
}

/// <summary>One of a few words.</summary>
/// <param name="Words">The words.</param>
public sealed record ChoiceOption(params IReadOnlyList<string> Words) : OptionType
{
    /// <inheritdoc/>
    public override string Expected => Words.Count == 1 ? Words[0] : $"{string.Join(", ", Words.SkipLast(1))} or {Words[^1]}";

    /// <inheritdoc/>
    public override object? Read(YamlNode node) => node is YamlScalar scalar && Words.Contains(scalar.Text) ? scalar.Text : null;

    /// <inheritdoc/>
    public override JsonObject Schema() => new() { ["enum"] = new JsonArray([.. Words.Select(word => JsonValue.Create(word))]) };
}

/// <summary>A list of different texts; a single text stands for a list of one.</summary>
/// <param name="Item">What each text must be.</param>
/// <param name="Least">Smallest number of items.</param>
public sealed record ListOption(OptionType Item, int Least) : OptionType
{
    /// <inheritdoc/>
    public override string Expected => $"a list of {(Least == 0 ? "" : $"at least {Least} of ")}{Item.Expected}, each once";

    /// <inheritdoc/>
    public override object? Read(YamlNode node)
    {
        IReadOnlyList<YamlNode> nodes = node is YamlList list ? list.Items : [node];
        string?[] items = [.. nodes.Select(item => Item.Read(item) as string)];
        return items.Contains(null) || items.Distinct().Count() != items.Length || items.Length < Least ? null : items;
    }

    /// <inheritdoc/>
    public override JsonObject Schema() => new()
    {
        ["anyOf"] = new JsonArray(
            Item.Schema(),
            new JsonObject { ["type"] = "array", ["items"] = Item.Schema(), ["minItems"] = Least, ["uniqueItems"] = true }),
    };
}
