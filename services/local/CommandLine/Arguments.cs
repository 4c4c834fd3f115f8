using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace EcoLora.Local;

/// <summary>Options that several commands have, so that they read the same everywhere.</summary>
internal static class Arguments
{
    public static Option<bool> Json(string what) => new("--json") { Description = $"Print {what} as JSON instead of a table." };

    public static Option<string?> Text(string name, string valueName, string description) => new(name) { Description = description, HelpName = valueName };

    public static Option<string[]> Texts(string name, string valueName, string description) =>
        new(name) { Description = description, HelpName = valueName, Arity = ArgumentArity.ZeroOrMore, DefaultValueFactory = _ => [] };

    public static Option<string[]> Set() => new("--set")
    {
        Description = "Replace one option of the file, such as exchange.segments=3; can be given several times.",
        HelpName = "KEY=VALUE",
        Arity = ArgumentArity.ZeroOrMore,
        DefaultValueFactory = _ => [],
    };

    public static Option<string?> Choice(string name, IReadOnlyList<string> words, string description) => new(name)
    {
        Description = description,
        HelpName = string.Join('|', words),
        CustomParser = result => Parsed(result, words.Contains(result.Tokens[^1].Value), result.Tokens[^1].Value, string.Join(" or ", words)),
    };

    /// <summary>A whole number that is optional: null when it was not given.</summary>
    public static Option<long?> Integer(string name, long minimum, long maximum, string description) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result =>
        {
            bool whole = long.TryParse(result.Tokens[^1].Value, NumberStyles.None, CultureInfo.InvariantCulture, out long value);
            return Parsed<long?>(result, whole && value >= minimum && value <= maximum, value, $"a whole number of {minimum} to {maximum}");
        },
    };

    /// <summary>A number that is optional: null when it was not given.</summary>
    public static Option<double?> Number(string name, Func<double, bool> isValid, string expected, string description) => new(name)
    {
        Description = description,
        HelpName = "NUMBER",
        CustomParser = result =>
        {
            bool number = double.TryParse(result.Tokens[^1].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out double value);
            return Parsed<double?>(result, number && isValid(value), value, expected);
        },
    };

    /// <summary>Words with commas between, each out of the known ones where there are such: empty when they were not given.</summary>
    public static Option<string[]> Words(string name, IReadOnlyList<string>? known, string description) => new(name)
    {
        Description = description,
        HelpName = "LIST",
        CustomParser = result =>
        {
            string[] words = Parts(result);
            bool valid = words.Length > 0 && (known is null || words.All(known.Contains));
            return Parsed(result, valid, words, known is null ? "words with commas between" : $"some of {string.Join(", ", known)}");
        },
    };

    /// <summary>Numbers in (0, 1] with commas between: empty when they were not given.</summary>
    public static Option<double[]> Fractions(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "LIST",
        CustomParser = result =>
        {
            double[] values = [.. Parts(result).Select(part => double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out double v) ? v : 0)];
            return Parsed(result, values.Length > 0 && values.All(value => value is > 0 and <= 1), values, "numbers in (0, 1] with commas between");
        },
    };

    private static string[] Parts(ArgumentResult result) =>
        result.Tokens[^1].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static T? Parsed<T>(ArgumentResult result, bool valid, T value, string expected)
    {
        if (valid) return value;
        string option = result.Parent is OptionResult { Option.Name: var name } ? name : result.Argument.Name;
        result.AddError($"{option}: expected {expected}, found '{result.Tokens[^1].Value}'");
        return default;
    }
}
