using System.Globalization;

namespace EcoLora.Training;

/// <summary>The checks of options: each failure names the option, its value and the limit.</summary>
internal static class Limit
{
    public static void Range(string option, long value, long least, long most)
    {
        if (value < least || value > most) throw Fail(option, value, string.Create(CultureInfo.InvariantCulture, $"{least} to {most}"));
    }

    public static void Positive(string option, double value)
    {
        if (!(value > 0) || double.IsInfinity(value)) throw Fail(option, value, "a finite number above 0");
    }

    public static void NotNegative(string option, double value)
    {
        if (!(value >= 0) || double.IsInfinity(value)) throw Fail(option, value, "a finite number of at least 0");
    }

    public static void Fraction(string option, double value)
    {
        if (!(value is >= 0 and < 1)) throw Fail(option, value, "a number from 0 to below 1");
    }

    private static ArgumentException Fail(string option, IFormattable value, string expected)
        => new($"{option} is {value.ToString(null, CultureInfo.InvariantCulture)}; expected {expected}");
}
