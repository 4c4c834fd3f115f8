using System.Globalization;
using System.Text;

namespace EcoLora.Formats.Tokenizers;

/// <summary>Tokens → text.</summary>
internal sealed class TokenDecoder
{
    /// <summary>Tokens are bytes in <see cref="ByteAlphabet"/>; the other members do not apply.</summary>
    public bool ByteLevel { get; set; }

    /// <summary>Replacements in each token, in order.</summary>
    public List<(string From, string To)> Replacements { get; } = [];

    /// <summary><c>&lt;0xNN&gt;</c> is a byte; a run of such bytes that is not UTF-8 becomes one U+FFFD per byte, as the reference does.</summary>
    public bool ByteFallback { get; set; }

    /// <summary>Number of leading spaces that are taken off the text.</summary>
    public int StripSpaces { get; set; }

    /// <summary>Metaspace: every space of the first token is dropped.</summary>
    public bool DropSpacesOfFirst { get; set; }

    /// <summary>The text of consecutive tokens.</summary>
    public string Decode(IEnumerable<string> tokens)
    {
        if (ByteLevel) return DecodeBytes(tokens);
        var text = new StringBuilder();
        var bytes = new List<byte>();
        bool first = true;
        foreach (string token in tokens)
        {
            if (ByteFallback && TryByte(token, out byte value)) bytes.Add(value);
            else
            {
                Flush(bytes, text);
                string piece = token;
                foreach ((string from, string to) in Replacements)
                    piece = piece.Replace(from, first && DropSpacesOfFirst && to == " " ? "" : to, StringComparison.Ordinal);
                text.Append(piece);
            }
            first = false;
        }
        Flush(bytes, text);
        int strip = 0;
        while (strip < StripSpaces && strip < text.Length && text[strip] == ' ') strip++;
        return text.ToString(strip, text.Length - strip);
    }

    /// <summary>The byte of a token <c>&lt;0xNN&gt;</c>.</summary>
    public static bool TryByte(string token, out byte value)
    {
        value = 0;
        bool form = token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>';
        return form && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    private static string DecodeBytes(IEnumerable<string> tokens)
    {
        var bytes = new List<byte>();
        foreach (string token in tokens) bytes.AddRange(ByteAlphabet.BytesOf(token));
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static void Flush(List<byte> bytes, StringBuilder text)
    {
        if (bytes.Count == 0) return;
        byte[] run = [.. bytes];
        if (System.Text.Unicode.Utf8.IsValid(run)) text.Append(Encoding.UTF8.GetString(run));
        else text.Append('\uFFFD', run.Length);
        bytes.Clear();
    }
}
