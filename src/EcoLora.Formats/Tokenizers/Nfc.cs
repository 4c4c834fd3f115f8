using System.Globalization;
using System.Text;

namespace EcoLora.Formats.Tokenizers;

/// <summary>
/// Unicode Normalization Form C (UAX #15), which Qwen2's tokenizers ask for. <see cref="string.Normalize()"/> cannot do it here: with
/// <c>InvariantGlobalization</c> it returns its input. The table is made by tools/golden/nfc_table.py; O(n log n) in the text.
/// </summary>
internal static class Nfc
{
    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TailBase = 0x11A7, Leads = 19, Vowels = 21, Tails = 28;

    /// <summary>No character below combines with the one before it or decomposes.</summary>
    private const char FirstToCheck = '\u0300';

    private static readonly Dictionary<int, byte> Classes = [];
    private static readonly Dictionary<int, (int First, int Second)> Decompositions = [];
    private static readonly Dictionary<(int First, int Second), int> Compositions = [];

    static Nfc()
    {
        using Stream stream = typeof(Nfc).Assembly.GetManifestResourceStream("NfcTable.txt")!;
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
            foreach (string entry in line[2..].Split(' '))
                if (line[0] == 'C') AddClasses(entry);
                else AddDecomposition(entry);
    }

    /// <summary>The composed form; lone surrogates become U+FFFD.</summary>
    public static string Of(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange(FirstToCheck, '\uFFFF')) return text;
        var runes = new List<(int Rune, int Class)>(text.Length);
        foreach (Rune rune in text.EnumerateRunes()) Decompose(rune.Value, runes);
        Order(runes);
        Compose(runes);
        var result = new StringBuilder(text.Length);
        foreach ((int rune, _) in runes) result.Append(new Rune(rune).ToString());
        return result.ToString();
    }

    private static void Decompose(int rune, List<(int Rune, int Class)> result)
    {
        int hangul = rune - HangulBase;
        if (hangul is >= 0 and < Leads * Vowels * Tails)
        {
            result.Add((LeadBase + (hangul / (Vowels * Tails)), 0));
            result.Add((VowelBase + (hangul / Tails % Vowels), 0));
            if (hangul % Tails > 0) result.Add((TailBase + (hangul % Tails), 0));
        }
        else if (Decompositions.TryGetValue(rune, out (int First, int Second) parts))
        {
            Decompose(parts.First, result);
            if (parts.Second > 0) Decompose(parts.Second, result);
        }
        else result.Add((rune, Classes.GetValueOrDefault(rune)));
    }

    /// <summary>Marks between two characters of class 0 in the order of their classes, otherwise as they stood.</summary>
    private static void Order(List<(int Rune, int Class)> runes)
    {
        for (int start = 0; start < runes.Count; start++)
        {
            if (runes[start].Class == 0) continue;
            int end = start + 1;
            bool ordered = true;
            for (; end < runes.Count && runes[end].Class > 0; end++) ordered &= runes[end - 1].Class <= runes[end].Class;
            if (!ordered)
            {
                (int Rune, int Class)[] sorted = [.. runes[start..end].OrderBy(rune => rune.Class)];
                for (int i = 0; i < sorted.Length; i++) runes[start + i] = sorted[i];
            }
            start = end;
        }
    }

    private static void Compose(List<(int Rune, int Class)> runes)
    {
        int starter = -1, kept = 0;
        for (int at = 0; at < runes.Count; at++)
        {
            (int rune, int @class) = runes[at];
            // A mark is blocked from its starter by a mark of the same class or a higher one, and a character of class 0 by any mark.
            bool open = starter >= 0 && (kept == starter + 1 || (@class > 0 && runes[kept - 1].Class < @class));
            if (open && Composed(runes[starter].Rune, rune) is { } composed)
            {
                runes[starter] = (composed, 0);
                continue;
            }
            if (@class == 0) starter = kept;
            runes[kept++] = (rune, @class);
        }
        runes.RemoveRange(kept, runes.Count - kept);
    }

    private static int? Composed(int first, int second)
    {
        int lead = first - LeadBase, vowel = second - VowelBase, hangul = first - HangulBase, tail = second - TailBase;
        if (lead is >= 0 and < Leads && vowel is >= 0 and < Vowels) return HangulBase + (((lead * Vowels) + vowel) * Tails);
        if (hangul is >= 0 and < Leads * Vowels * Tails && hangul % Tails == 0 && tail is > 0 and < Tails) return first + tail;
        return Compositions.TryGetValue((first, second), out int composed) ? composed : null;
    }

    private static void AddClasses(string entry)
    {
        string[] parts = entry.Split('-', '=');
        for (int rune = Hex(parts[0]); rune <= Hex(parts[1]); rune++) Classes.Add(rune, byte.Parse(parts[2], CultureInfo.InvariantCulture));
    }

    private static void AddDecomposition(string entry)
    {
        string[] parts = entry.TrimEnd('!').Split('=', '+');
        (int First, int Second) pair = (Hex(parts[1]), parts.Length > 2 ? Hex(parts[2]) : 0);
        Decompositions.Add(Hex(parts[0]), pair);
        if (!entry.EndsWith('!')) Compositions.Add(pair, Hex(parts[0]));
    }

    private static int Hex(string text) => int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
