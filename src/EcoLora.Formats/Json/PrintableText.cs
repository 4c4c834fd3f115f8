using System.Globalization;
using System.Text;

namespace EcoLora.Formats.Json;

/// <summary>Text from a file, made fit for one line of an error message.</summary>
internal static class PrintableText
{
    private const int Longest = 80;

    /// <summary>At most 80 characters; control characters, line separators and lone surrogates as <c>\uXXXX</c>.</summary>
    public static string Of(string text)
    {
        var result = new StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            if (result.Length >= Longest) return result.Append('…').ToString();
            char c = text[i];
            bool pair = char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            if (pair) result.Append(c).Append(text[++i]);
            else if (char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029') result.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else result.Append(c);
        }
        return result.ToString();
    }
}
