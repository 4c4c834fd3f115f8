namespace EcoLora.Formats.Tokenizers;

/// <summary>What is done to a stretch of text before it is cut into words.</summary>
internal enum PreparationKind
{
    /// <summary>Put <c>To</c> before a text that is not empty.</summary>
    Prepend,

    /// <summary>As <see cref="Prepend"/>, but only at the very start, not after an added token.</summary>
    PrependAtStart,

    /// <summary>Put <c>To</c> before a text that is not empty and does not start with it.</summary>
    PrependOnce,

    /// <summary>As <see cref="PrependOnce"/>, but only at the very start, not after an added token.</summary>
    PrependOnceAtStart,

    /// <summary>Replace every <c>From</c> by <c>To</c>.</summary>
    Replace,

    /// <summary>Unicode's composed form (<see cref="Tokenizers.Nfc"/>).</summary>
    Nfc,
}

/// <summary>One step of a normalizer or of a Metaspace pre-tokenizer.</summary>
internal readonly record struct PreparationStep(PreparationKind Kind, string From, string To)
{
    /// <param name="text">A stretch between added tokens.</param>
    /// <param name="first">The stretch starts the whole text.</param>
    public string Apply(string text, bool first)
    {
        bool starts = text.StartsWith(To, StringComparison.Ordinal);
        return Kind switch
        {
            _ when text.Length == 0 => text,
            PreparationKind.Prepend => To + text,
            PreparationKind.PrependAtStart when first => To + text,
            PreparationKind.PrependOnce when !starts => To + text,
            PreparationKind.PrependOnceAtStart when !starts && first => To + text,
            PreparationKind.Nfc => Tokenizers.Nfc.Of(text),
            PreparationKind.Replace => text.Replace(From, To, StringComparison.Ordinal),
            _ => text,
        };
    }
}

/// <summary>Where prepared text is cut although no pattern asks for it.</summary>
internal enum SpaceCut
{
    /// <summary>Nowhere: a stretch is one word.</summary>
    None,

    /// <summary>Before every <c>▁</c> (Metaspace with <c>split</c>).</summary>
    EachSpace,

    /// <summary>Before a <c>▁</c> that follows another character. Changes no id when no merge joins such a pair, and makes words that can be
    /// remembered.</summary>
    SpaceAfterText,
}
