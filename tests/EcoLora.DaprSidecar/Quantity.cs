using System.Globalization;

namespace EcoLora.DaprSidecar;

/// <summary>A Kubernetes quantity: 4Mi is 4·2²⁰, 4M is 4·10⁶.</summary>
internal static class Quantity
{
    private static readonly (string Suffix, decimal Factor)[] Suffixes =
    [
        ("Ki", 1024m), ("Mi", 1024m * 1024), ("Gi", 1024m * 1024 * 1024), ("k", 1e3m), ("M", 1e6m), ("G", 1e9m), ("", 1m),
    ];

    public static long Parse(string text)
    {
        (string suffix, decimal factor) = Suffixes.First(s => text.EndsWith(s.Suffix, StringComparison.Ordinal));
        string number = text[..^suffix.Length];
        return decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value) && value * factor < int.MaxValue
            ? (long)decimal.Ceiling(value * factor)
            : throw new FormatException($"quantity: expected a number below 2Gi with Ki, Mi, Gi, k, M, G or nothing behind it, found {text}");
    }
}

/// <summary>A duration as Go writes it (1m30s, 500ms) or, as many components allow, a whole number of milliseconds.</summary>
internal static class GoDuration
{
    private static readonly (string Unit, double Milliseconds)[] Units = [("ms", 1), ("us", 1e-3), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

    public static TimeSpan Parse(string text)
    {
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int plain)) return TimeSpan.FromMilliseconds(plain);
        double total = 0;
        ReadOnlySpan<char> rest = text;
        while (rest.Length > 0)
        {
            int digits = 0;
            while (digits < rest.Length && (char.IsAsciiDigit(rest[digits]) || rest[digits] == '.')) digits++;
            if (digits == 0 || !double.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number))
                throw Wrong(text);
            rest = rest[digits..];
            int unit = 0;
            while (unit < Units.Length && !rest.StartsWith(Units[unit].Unit)) unit++;
            if (unit == Units.Length) throw Wrong(text);
            total += number * Units[unit].Milliseconds;
            rest = rest[Units[unit].Unit.Length..];
        }
        return text.Length > 0 && total < int.MaxValue ? TimeSpan.FromMilliseconds(total) : throw Wrong(text);
    }

    private static FormatException Wrong(string text) => new($"duration: expected something like 15s, 500ms or 1m30s, found '{text}'");
}
