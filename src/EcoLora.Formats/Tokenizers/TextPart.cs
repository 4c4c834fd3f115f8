namespace EcoLora.Formats.Tokenizers;

/// <summary>A part of a text whose special tokens the program itself chose.</summary>
/// <param name="Text">Text that cannot become a special token, or the special token as the vocabulary writes it.</param>
/// <param name="IsSpecial">It is a special token.</param>
public readonly record struct TextPart(string Text, bool IsSpecial)
{
    /// <summary>Text that cannot become a special token, whatever it says.</summary>
    public static TextPart Plain(string text) => new(text, false);

    /// <summary>A special token.</summary>
    public static TextPart Special(string token) => new(token, true);
}
