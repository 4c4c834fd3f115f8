using System.Globalization;
using System.Text;

namespace EcoLora.Formats.Tokenizers;

/// <summary>A way to cut text into words before merging; no merge crosses a cut.</summary>
internal enum WordSplit
{
    /// <summary>GPT-2: <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>.</summary>
    Gpt2,

    /// <summary>Llama 3: contractions in any case, digits by up to three, line ends kept together.</summary>
    Llama3,

    /// <summary>Qwen2: as Llama 3, with every digit alone.</summary>
    Qwen2,

    /// <summary>Every digit alone.</summary>
    SingleDigits,

    /// <summary>Every run of digits alone.</summary>
    DigitRuns,
}

/// <summary>
/// The patterns of <see cref="WordSplit"/> as scanners: one pass, no backtracking, so no text can make them slow. <c>\p{L}</c>, <c>\p{N}</c> and <c>\s</c>
/// (White_Space) are asked of whole characters, beyond the basic plane too, with the Unicode version of this .NET.
/// </summary>
internal static class WordScanner
{
    /// <summary>The regular expression that tokenizer.json files of Llama 3 models carry.</summary>
    public const string Llama3Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>The regular expression that tokenizer.json files of Qwen2 and Qwen2.5 models carry.</summary>
    public const string Qwen2Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>The regular expression of GPT-2, as some files spell it out.</summary>
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static readonly Kind[] Kinds = [.. Enumerable.Range(0, 0x10000).Select(c => KindOf(Rune.IsValid(c) ? new Rune(c) : Rune.ReplacementChar))];

    private enum Kind : byte { Letter, Number, Space, Other }

    /// <summary>Length of the word at the start of a text that is not empty; at least 1.</summary>
    public static int Next(WordSplit split, ReadOnlySpan<char> text) => split switch
    {
        WordSplit.Gpt2 => NextGpt2(text),
        WordSplit.Llama3 => NextLlama3(text, mostDigits: 3),
        WordSplit.Qwen2 => NextLlama3(text, mostDigits: 1),
        _ => NextDigits(text, single: split == WordSplit.SingleDigits),
    };

    private static int NextGpt2(ReadOnlySpan<char> text)
    {
        if (text[0] == '\'' && Contraction(text, anyCase: false) is int contraction and > 0) return contraction;
        int start = text[0] == ' ' && text.Length > 1 ? 1 : 0;
        Kind kind = KindAt(text, start, out _);
        if (kind != Kind.Space) return start + RunOf(text[start..], kind);
        return SpacesBeforeWord(text);
    }

    private static int NextLlama3(ReadOnlySpan<char> text, int mostDigits)
    {
        if (text[0] == '\'' && Contraction(text, anyCase: true) is int contraction and > 0) return contraction;
        Kind kind = KindAt(text, 0, out int length);
        if (kind == Kind.Letter) return RunOf(text, Kind.Letter);
        bool mayLead = kind != Kind.Number && text[0] is not ('\r' or '\n');
        if (mayLead && text.Length > length && KindAt(text, length, out _) == Kind.Letter) return length + RunOf(text[length..], Kind.Letter);
        if (kind == Kind.Number) return RunOf(text, Kind.Number, mostDigits);
        int start = text[0] == ' ' && text.Length > 1 ? 1 : 0;
        if (KindAt(text, start, out _) == Kind.Other)
        {
            int end = start + RunOf(text[start..], Kind.Other);
            while (end < text.Length && text[end] is '\r' or '\n') end++;
            return end;
        }
        int spaces = RunOf(text, Kind.Space);
        int lastLineEnd = text[..spaces].LastIndexOfAny('\r', '\n');
        return lastLineEnd >= 0 ? lastLineEnd + 1 : SpacesBeforeWord(text);
    }

    private static int NextDigits(ReadOnlySpan<char> text, bool single)
    {
        bool number = KindAt(text, 0, out int length) == Kind.Number;
        if (number && single) return length;
        while (length < text.Length && KindAt(text, length, out int next) == Kind.Number == number) length += next;
        return length;
    }

    /// <summary><c>\s+(?!\S)|\s+</c>: all of the white space but the last one, which belongs to the word that follows.</summary>
    private static int SpacesBeforeWord(ReadOnlySpan<char> text)
    {
        int spaces = RunOf(text, Kind.Space);
        return spaces == text.Length || spaces == 1 ? spaces : spaces - 1;
    }

    /// <summary>
    /// Length of <c>'s|'t|'re|'ve|'m|'ll|'d</c> at the start of a text that starts with its quote, or 0. In any case, the long s (U+017F) is an s: the
    /// references' engines (Oniguruma, Rust's regex) fold case by Unicode's rules, under which no other character than these is one of the letters.
    /// </summary>
    private static int Contraction(ReadOnlySpan<char> text, bool anyCase)
    {
        char first = text.Length > 1 ? Folded(text[1]) : ' ', second = text.Length > 2 ? Folded(text[2]) : ' ';
        return (first, second) switch
        {
            ('s' or 't' or 'm' or 'd', _) => 2,
            ('r' or 'v', 'e') or ('l', 'l') => 3,
            _ => 0,
        };

        char Folded(char c) => !anyCase ? c : c == '\u017F' ? 's' : char.ToLowerInvariant(c);
    }

    private static int RunOf(ReadOnlySpan<char> text, Kind kind, int most = int.MaxValue)
    {
        int end = 0;
        for (int count = 0; end < text.Length && count < most && KindAt(text, end, out int length) == kind; count++) end += length;
        return end;
    }

    private static Kind KindAt(ReadOnlySpan<char> text, int index, out int length)
    {
        char c = text[index];
        length = 1;
        if (!char.IsSurrogate(c)) return Kinds[c];
        Rune.DecodeFromUtf16(text[index..], out Rune rune, out length);
        return KindOf(rune);
    }

    private static Kind KindOf(Rune rune)
    {
        if (Rune.IsWhiteSpace(rune)) return Kind.Space;
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
            _ => Kind.Other,
        };
    }
}
