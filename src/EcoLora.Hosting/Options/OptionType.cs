using System.Globalization;
using System.Text.Json.Nodes;

namespace EcoLora.Hosting;

/// <summary>
/// What values an option takes: how a text becomes one, what a refusal says was expected, and the same as JSON Schema. A value is a
/// <see cref="long"/>, a <see cref="double"/>, a <see cref="bool"/>, a <see cref="string"/> or an array of strings or of whole numbers.
/// </summary>
public abstract record OptionType
{
    /// <summary>The values in words, to follow "expected".</summary>
    public abstract string Expected { get; }

    /// <summary>The value that a YAML node stands for, or null where it stands for none of this type.</summary>
    public abstract object? Read(YamlNode node);

    /// <summary>The same values as JSON Schema keywords.</summary>
    public abstract JsonObject Schema();

    /// <summary>The text of a single value that may be a number, a truth value or a word; null for anything else.</summary>
    private protected static string? Plain(YamlNode node) => node is YamlScalar { Plain: true, IsEmpty: false } scalar ? scalar.Text : null;

    private protected static JsonObject Or(JsonObject schema, string? word) =>
        word is null ? schema : new JsonObject { ["anyOf"] = new JsonArray(schema, new JsonObject { ["const"] = word }) };
}

/// <summary>A whole number.</summary>
/// <param name="Minimum">Smallest value.</param>
/// <param name="Maximum">Largest value.</param>
/// <param name="Word">A word that may stand in place of a number, or null.</param>
public sealed record IntegerOption(long Minimum, long Maximum = int.MaxValue, string? Word = null) : OptionType
{
    /// <inheritdoc/>
    public override string Expected =>
        (Maximum >= int.MaxValue ? $"a whole number of {Minimum} or more" : $"a whole number of {Minimum} to {Maximum}") + (Word is null ? "" : $", or {Word}");

    /// <inheritdoc/>
    public override object? Read(YamlNode node)
    {
        if (Word is not null && node is YamlScalar scalar && scalar.Text == Word) return Word;
        bool whole = long.TryParse(Plain(node), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value);
        return whole && value >= Minimum && value <= Maximum ? value : null;
    }

    /// <inheritdoc/>
    public override JsonObject Schema() => Or(new JsonObject { ["type"] = "integer", ["minimum"] = Minimum, ["maximum"] = Maximum }, Word);
}

/// <summary>A list of one or more whole numbers, in order; a single one stands for a list of one.</summary>
/// <param name="Minimum">Smallest value.</param>
/// <param name="Maximum">Largest value.</param>
public sealed record IntegerListOption(long Minimum, long Maximum) : OptionType
{
    private readonly IntegerOption _item = new(Minimum, Maximum);

    /// <inheritdoc/>
    public override string Expected => $"a list of 1 or more, each {_item.Expected}";

    /// <inheritdoc/>
    public override object? Read(YamlNode node)
    {
        IReadOnlyList<YamlNode> nodes = node is YamlList list ? list.Items : [node];
        object?[] items = [.. nodes.Select(_item.Read)];
        return items.Length == 0 || items.Contains(null) ? null : items.Cast<long>().ToArray();
    }

    /// <inheritdoc/>
    public override JsonObject Schema() => new()
    {
        ["anyOf"] = new JsonArray(_item.Schema(), new JsonObject { ["type"] = "array", ["items"] = _item.Schema(), ["minItems"] = 1 }),
    };
}

/// <summary>A finite number.</summary>
/// <param name="Minimum">Lower end.</param>
/// <param name="Maximum">Upper end, or infinity for none.</param>
/// <param name="Above">The lower end itself is excluded.</param>
/// <param name="Below">The upper end itself is excluded.</param>
/// <param name="Word">A word that may stand in place of a number, or null.</param>
public sealed record NumberOption(double Minimum, double Maximum = double.PositiveInfinity, bool Above = false, bool Below = false, string? Word = null)
    : OptionType
{
    /// <inheritdoc/>
    public override string Expected => string.Create(CultureInfo.InvariantCulture, $"{Range()}{(Word is null ? "" : $", or {Word}")}");

    /// <inheritdoc/>
    public override object? Read(YamlNode node)
    {
        if (Word is not null && node is YamlScalar scalar && scalar.Text == Word) return Word;
        bool number = double.TryParse(Plain(node), NumberStyles.Float, CultureInfo.InvariantCulture, out double value);
        bool inside = double.IsFinite(value) && (Above ? value > Minimum : value >= Minimum) && (Below ? value < Maximum : value <= Maximum);
        return number && inside ? value : null;
    }

    /// <inheritdoc/>
    public override JsonObject Schema()
    {
        var schema = new JsonObject { ["type"] = "number", [Above ? "exclusiveMinimum" : "minimum"] = Minimum };
        if (double.IsFinite(Maximum)) schema[Below ? "exclusiveMaximum" : "maximum"] = Maximum;
        return Or(schema, Word);
    }

    private FormattableString Range() => double.IsInfinity(Maximum)
        ? Above ? (FormattableString)$"a number above {Minimum}" : $"a number of {Minimum} or more"
        : $"a number in {(Above ? "(" : "[")}{Minimum}, {Maximum}{(Below ? ")" : "]")}";
}

/// <summary>A number of bytes: a whole number of them, or a number and a unit of a thousand, a million or a thousand million, such as 20 MB.</summary>
/// <param name="Word">A word that may stand in place of it.</param>
public sealed record ByteCountOption(string Word) : OptionType
{
    private static readonly (string Name, double Bytes)[] Units = [(" kB", 1e3), (" MB", 1e6), (" GB", 1e9)];

    /// <inheritdoc/>
    public override string Expected => $"a number of bytes above 0, such as 20 MB, or {Word}";

    /// <inheritdoc/>
    public override object? Read(YamlNode node)
    {
        if (node is not YamlScalar scalar) return null;
        if (scalar.Text == Word) return Word;
        (string Name, double Bytes) unit = Units.FirstOrDefault(each => scalar.Text.EndsWith(each.Name, StringComparison.Ordinal), ("", 1));
        bool number = double.TryParse(scalar.Text[..^unit.Name.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value);
        double bytes = value * unit.Bytes;
        return number && bytes is >= 1 and <= 9007199254740991 && (unit.Bytes > 1 || Math.Floor(bytes) == bytes) ? (long)bytes : null;
    }

    /// <inheritdoc/>
    public override JsonObject Schema() => new()
    {
        ["anyOf"] = new JsonArray(
            new JsonObject { ["type"] = "integer", ["minimum"] = 1 },
            new JsonObject { ["type"] = "string", ["pattern"] = "^[0-9]+([.][0-9]+)? [kMG]B$" },
            new JsonObject { ["const"] = Word }),
    };
}

/// <summary>A share of the records, in (0, 1), or a number of them, whole and at least 1.</summary>
public sealed record ShareOrCountOption : OptionType
{
    /// <inheritdoc/>
    public override string Expected => "a share in (0, 1) or a whole number of 1 or more";

    /// <inheritdoc/>
    public override object? Read(YamlNode node)
    {
        bool number = double.TryParse(Plain(node), NumberStyles.Float, CultureInfo.InvariantCulture, out double value);
        return number && (value is > 0 and < 1 || (value is >= 1 and <= int.MaxValue && Math.Floor(value) == value)) ? value : null;
    }

    /// <inheritdoc/>
    public override JsonObject Schema() => new()
    {
        ["anyOf"] = new JsonArray(
            new JsonObject { ["type"] = "number", ["exclusiveMinimum"] = 0, ["exclusiveMaximum"] = 1 },
            new JsonObject { ["type"] = "integer", ["minimum"] = 1, ["maximum"] = int.MaxValue }),
    };
}

/// <summary><c>true</c> or <c>false</c>.</summary>
public sealed record BooleanOption : OptionType
{
    /// <inheritdoc/>
    public override string Expected => "true or false";

    /// <inheritdoc/>
    public override object? Read(YamlNode node) => Plain(node) switch { "true" => true, "false" => false, _ => null };

    /// <inheritdoc/>
    public override JsonObject Schema() => new() { ["type"] = "boolean" };
}
