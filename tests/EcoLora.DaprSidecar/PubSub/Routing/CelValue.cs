using System.Collections;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace EcoLora.DaprSidecar;

/// <summary>
/// The values of match expressions: null, bool, long, double, text, a list, and JSON objects and arrays of the event. Numbers of an event are doubles, as
/// Go reads them; a whole number equals a double of the same value.
/// </summary>
internal static class CelValue
{
    public static bool IsFunction(string name) => name is "size" or "int" or "double" or "string";

    public static bool IsMethod(string name, int arguments) =>
        arguments == 0 ? name == "size" : arguments == 1 && name is "startsWith" or "endsWith" or "contains" or "matches";

    public static bool Truth(object? value) => value is bool truth ? truth : throw NoOverload("a condition", value);

    public static object? Item(object? of, object? index)
    {
        if (of is JsonElement { ValueKind: JsonValueKind.Object } map && index is string name)
            return map.TryGetProperty(name, out JsonElement value) ? Of(value) : throw new CelException($"no such key: {name}");
        List<object?>? list = List(of);
        if (list is null || Number(index) is not { } place) throw NoOverload("an index", of, index);
        return place >= 0 && place < list.Count && place == Math.Floor(place) ? list[(int)place] : throw new CelException($"index out of bounds: {place}");
    }

    public static bool Has(object? of, string name) => of is JsonElement { ValueKind: JsonValueKind.Object } map
        ? map.TryGetProperty(name, out _)
        : throw NoOverload("has", of);

    public static object Related(string sign, object? a, object? b)
    {
        switch (sign)
        {
            case "==":
                return AreEqual(a, b);
            case "!=":
                return !AreEqual(a, b);
            case "in":
                if (b is JsonElement { ValueKind: JsonValueKind.Object } map) return a is string name && map.TryGetProperty(name, out _);
                return List(b) is { } list ? list.Any(item => AreEqual(a, item)) : throw NoOverload("in", a, b);
            default:
                int order = a is string left && b is string right ? string.CompareOrdinal(left, right)
                    : Number(a) is { } x && Number(b) is { } y ? x.CompareTo(y)
                    : throw NoOverload(sign, a, b);
                return sign switch { "<" => order < 0, "<=" => order <= 0, ">" => order > 0, _ => order >= 0 };
        }
    }

    public static object Computed(string sign, object? a, object? b)
    {
        if (sign == "+" && a is string left && b is string right) return left + right;
        if (a is long x && b is long y)
        {
            if (y == 0 && sign is "/" or "%") throw new CelException("division by zero");
            return sign switch { "+" => x + y, "-" => x - y, "*" => x * y, "/" => x / y, _ => x % y };
        }
        // Unlike comparisons, arithmetic does not mix whole numbers and doubles, but for the sign of a double.
        if (b is double d && (a is double || (sign == "-" && a is 0L)) && sign != "%")
        {
            double c = a as double? ?? 0;
            return sign switch { "+" => c + d, "-" => c - d, "*" => c * d, _ => c / d };
        }
        throw NoOverload(sign, a, b);
    }

    public static object Call(string name, object? of, object? argument)
    {
        switch (name)
        {
            case "size":
                if (of is string counted) return (long)counted.EnumerateRunes().Count();
                if (of is JsonElement { ValueKind: JsonValueKind.Object } map) return (long)map.EnumerateObject().Count();
                return List(of) is { } list ? (long)list.Count : throw NoOverload(name, of);
            case "int":
                if (of is string digits && long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole)) return whole;
                return Number(of) is { } number and > long.MinValue and < long.MaxValue ? (long)number : throw NoOverload(name, of);
            case "double":
                if (of is string text && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double real)) return real;
                return Number(of) ?? throw NoOverload(name, of);
            case "string":
                return of is string or bool or long or double
                    ? Convert.ToString(of, CultureInfo.InvariantCulture)! is var shown && of is bool ? shown.ToLowerInvariant() : shown
                    : throw NoOverload(name, of);
            default:
                if (of is not string whole1 || argument is not string part) throw NoOverload(name, of, argument);
                return name switch
                {
                    "startsWith" => whole1.StartsWith(part, StringComparison.Ordinal),
                    "endsWith" => whole1.EndsWith(part, StringComparison.Ordinal),
                    "contains" => whole1.Contains(part, StringComparison.Ordinal),
                    _ => IsMatch(whole1, part),
                };
        }
    }

    private static bool IsMatch(string text, string pattern)
    {
        try
        {
            return Regex.IsMatch(text, pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            throw new CelException($"matches: {error.Message}");
        }
    }

    private static bool AreEqual(object? a, object? b)
    {
        if (Number(a) is { } x && Number(b) is { } y) return x == y;
        if (a is JsonElement left && b is JsonElement right) return JsonElement.DeepEquals(left, right);
        if (List(a) is { } some && List(b) is { } others) return some.Count == others.Count && some.Zip(others).All(p => AreEqual(p.First, p.Second));
        return Equals(a, b);
    }

    private static object? Of(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number => value.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Null => null,
        _ => value,
    };

    private static List<object?>? List(object? value) => value switch
    {
        List<object?> list => list,
        JsonElement { ValueKind: JsonValueKind.Array } array => [.. array.EnumerateArray().Select(Of)],
        _ => null,
    };

    private static double? Number(object? value) => value switch { long whole => whole, double real => real, _ => null };

    private static CelException NoOverload(string what, params object?[] of) =>
        new($"no such overload: {what} of {string.Join(", ", of.Select(Kind))}");

    private static string Kind(object? value) => value switch { null => "null", IList => "list", JsonElement json => $"{json.ValueKind}", _ => value.GetType().Name };
}
