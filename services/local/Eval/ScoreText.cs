namespace EcoLora.Local;

/// <summary>How scores are written.</summary>
internal static class ScoreText
{
    /// <summary>A number of JSON; null for one that is missing or not finite.</summary>
    public static double? Number(double? value) => value is { } number && double.IsFinite(number) ? number : null;

    /// <summary>A value and its standard error, <c>2.3456 ± 0.0123</c>; the value alone where it has none.</summary>
    public static string WithError(Func<double?, string> write, double? value, double? error) =>
        Number(error) is null ? write(value) : $"{write(value)} ± {write(error)}";
}
