using System.Text;

namespace EcoLora.Telemetry;

/// <summary>The lines of a ledger file, bounded in length, with their numbers for messages.</summary>
internal sealed class LedgerLines(TextReader reader, string name)
{
    /// <summary>A longer line is refused before more of it is read.</summary>
    private const int MaxLine = 2048;

    private readonly StringBuilder _line = new();
    private int _number;

    /// <summary>The next line without its line feed, or null at the end.</summary>
    /// <exception cref="LedgerException">The line is too long, not ended by a line feed, or not UTF-8.</exception>
    public string? Next()
    {
        _number++;
        _line.Clear();
        for (int c = ReadChar(); c >= 0; c = ReadChar())
        {
            if (c == '\n') return _line.ToString();
            if (_line.Length == MaxLine) throw Error($"a line of at most {MaxLine} characters", "a longer one");
            _line.Append((char)c);
        }
        return _line.Length == 0 ? null : throw Error("a line feed at the end", "the end of the file: it is cut off");
    }

    /// <summary>The fields of a line; a field may be quoted, with a quote inside it doubled.</summary>
    public string[] Split(string line)
    {
        var fields = new List<string>();
        int at = 0;
        while (true)
        {
            fields.Add(at < line.Length && line[at] == '"' ? QuotedField(line, ref at) : PlainField(line, ref at));
            if (at == line.Length) return [.. fields];
            at++;
        }
    }

    /// <summary>An exception about the current line.</summary>
    public LedgerException Error(string expected, string found) => new($"{name}: line {_number}: expected {expected}, found {found}");

    /// <summary>An exception about a field of the current line.</summary>
    public LedgerException Error(string field, string expected, string found) =>
        new($"{name}: line {_number}: field '{field}': expected {expected}, found {found}");

    /// <summary>Untrusted text for a message: in quotes, control characters as \uXXXX, at most 60 characters.</summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder("'");
        foreach (char c in text.Length > 60 ? text[..60] + "…" : text) _ = char.IsControl(c) ? quoted.Append($"\\u{(int)c:x4}") : quoted.Append(c);
        return quoted.Append('\'').ToString();
    }

    private static string PlainField(string line, ref int at)
    {
        int comma = line.IndexOf(',', at);
        int end = comma < 0 ? line.Length : comma;
        string field = line[at..end];
        at = end;
        return field;
    }

    private string QuotedField(string line, ref int at)
    {
        var field = new StringBuilder();
        for (at++; at < line.Length; at++)
        {
            if (line[at] != '"') field.Append(line[at]);
            else if (at + 1 < line.Length && line[at + 1] == '"') field.Append(line[at++]);
            else if (++at == line.Length || line[at] == ',') return field.ToString();
            else throw Error("a comma after a closing quote", Quote(line[at..]));
        }
        throw Error("a closing quote", "the end of the line");
    }

    private int ReadChar()
    {
        try
        {
            return reader.Read();
        }
        catch (DecoderFallbackException cause)
        {
            throw new LedgerException($"{name}: line {_number}: expected UTF-8, found the bytes {Convert.ToHexStringLower(cause.BytesUnknown ?? [])}", cause);
        }
    }
}
