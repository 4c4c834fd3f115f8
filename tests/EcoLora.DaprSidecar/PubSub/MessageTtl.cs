using System.Globalization;

namespace EcoLora.DaprSidecar;

/// <summary>
/// How long a message is good for, in a publish's metadata: <c>ttl</c> or <c>ttlInSeconds</c>, a duration or seconds. One that is neither is ignored.
/// </summary>
internal static class MessageTtl
{
    public static TimeSpan? Of(IReadOnlyDictionary<string, string> metadata)
    {
        string? text = Value("ttl") ?? Value("ttlInSeconds");
        if (string.IsNullOrEmpty(text)) return null;
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long seconds))
            return seconds > 0 ? TimeSpan.FromSeconds(Math.Min(seconds, int.MaxValue)) : null;
        try
        {
            return GoDuration.Parse(text);
        }
        catch (FormatException)
        {
            return null;
        }

        string? Value(string key) => metadata.FirstOrDefault(m => string.Equals(m.Key, key, StringComparison.OrdinalIgnoreCase)).Value;
    }
}
