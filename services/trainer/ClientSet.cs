using System.Globalization;
using EcoLora.Hosting;

namespace EcoLora.Services.Trainer;

/// <summary>The clients that a trainer hosts.</summary>
internal static class ClientSet
{
    /// <summary>Every client of a run.</summary>
    public const string All = "all";

    /// <summary>Reads <c>all</c>, or numbers and ranges such as <c>0-4,7</c>.</summary>
    /// <exception cref="SettingException">The text is neither.</exception>
    public static Func<int, bool> Parse(string setting, string text)
    {
        if (text == All) return _ => true;
        var ranges = new List<(int First, int Last)>();
        foreach (string word in text.Split(','))
        {
            string[] ends = word.Split('-', 2);
            bool isRange = int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out int first)
                & int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out int last) && first <= last;
            if (!isRange) throw new SettingException(setting, "all, or numbers and ranges such as 0-4,7", text);
            ranges.Add((first, last));
        }
        return client => ranges.Any(range => client >= range.First && client <= range.Last);
    }
}
