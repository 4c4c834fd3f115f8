using System.Globalization;
using System.Text;

namespace EcoLora.DaprSidecar;

/// <summary>What a token of a match expression is.</summary>
internal enum CelKind
{
    End,
    Name,
    Sign,
    Literal,
}

/// <summary>A token: its text, and the value of a literal.</summary>
internal readonly record struct CelToken(CelKind Kind, string Text, object? Value = null);

/// <summary>Cuts a match expression into tokens. Numbers are decimal; texts are in single or double quotation marks.</summary>
internal static class CelTokens
{
    private static readonly string[] _signs =
        ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ".", ",", "?", ":", "+", "-", "*", "/", "%"];

    public static List<CelToken> Of(string text)
    {
        List<CelToken> tokens = [];
        int at = 0;
        while (at < text.Length)
        {
            char c = text[at];
            if (char.IsWhiteSpace(c)) at++;
            else if (c is '"' or '\'') tokens.Add(Quoted(text, ref at));
            else if (char.IsAsciiDigit(c)) tokens.Add(Number(text, ref at));
            else if (char.IsAsciiLetter(c) || c == '_') tokens.Add(Name(text, ref at));
            else if (Array.Find(_signs, s => text.AsSpan(at).StartsWith(s)) is { } sign)
            {
                tokens.Add(new(CelKind.Sign, sign));
                at += sign.Length;
            }
            else throw new FormatException($"expected a name, a literal or an operator, found '{c}' at {at}");
        }
        tokens.Add(new(CelKind.End, "the end"));
        return tokens;
    }

    private static CelToken Name(string text, ref int at)
    {
        int start = at;
        while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] == '_')) at++;
        if (at < text.Length && text[at] is '"' or '\'')
            throw new FormatException($"expected a text without a prefix, found {text[start..(at + 1)]} (not known to this tool)");
        string name = text[start..at];
        return name switch
        {
            "true" => new(CelKind.Literal, name, true),
            "false" => new(CelKind.Literal, name, false),
            "null" => new(CelKind.Literal, name),
            "in" => new(CelKind.Sign, name),
            _ => new(CelKind.Name, name),
        };
    }

    private static CelToken Number(string text, ref int at)
    {
        int start = at;
        while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] == '.' || (text[at] is '+' or '-' && text[at - 1] is 'e' or 'E'))) at++;
        string number = text[start..at];
        if (long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long whole)) return new(CelKind.Literal, number, whole);
        return double.TryParse(number, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out double real)
            ? new(CelKind.Literal, number, real)
            : throw new FormatException($"expected a decimal number, found {number}");
    }

    private static CelToken Quoted(string text, ref int at)
    {
        int start = at;
        char mark = text[at++];
        StringBuilder value = new();
        while (true)
        {
            if (at == text.Length) throw new FormatException($"expected {mark} at the end of the text that begins at {start}");
            char c = text[at++];
            if (c == mark) return new(CelKind.Literal, text[start..at], value.ToString());
            if (c == '\\')
            {
                if (at == text.Length) continue;
                c = text[at++];
                c = c switch
                {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    '\\' or '"' or '\'' or '`' or '?' => c,
                    _ => throw new FormatException($"expected one of the escapes \\n \\t \\r \\\\ \\\" \\', found \\{c} (not known to this tool)"),
                };
            }
            value.Append(c);
        }
    }
}
