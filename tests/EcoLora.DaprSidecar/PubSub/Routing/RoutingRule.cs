namespace EcoLora.DaprSidecar;

/// <summary>Where events go that match; those of a rule without an expression are all that no earlier rule has taken.</summary>
internal sealed record RoutingRule(CelExpression? Match, string Path)
{
    public static RoutingRule Of(string? match, string path) => new(match?.Trim() is { Length: > 0 } text ? CelExpression.Parse(text) : null, path);
}
