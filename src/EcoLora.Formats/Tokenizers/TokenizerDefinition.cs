namespace EcoLora.Formats.Tokenizers;

/// <summary>What a tokenizer.json or tokenizer.model says, checked and resolved to ids.</summary>
internal sealed class TokenizerDefinition
{
    /// <summary>Token → id of the model's vocabulary and the added tokens.</summary>
    public required Dictionary<string, int> Ids { get; init; }

    /// <summary>Id → token.</summary>
    public required Dictionary<int, string> Tokens { get; init; }

    public required List<AddedToken> Added { get; init; }

    public required BpeModel Model { get; init; }

    /// <summary>Steps before the text is cut.</summary>
    public required List<PreparationStep> Preparation { get; init; }

    public required SpaceCut SpaceCut { get; init; }

    /// <summary>Patterns, one after the other: each cuts the words of the one before.</summary>
    public required List<WordSplit> Splits { get; init; }

    public required TokenDecoder Decoder { get; init; }

    /// <summary>Ids that the template puts before a text.</summary>
    public required List<int> Prefix { get; init; }

    /// <summary>Ids that the template puts after a text.</summary>
    public required List<int> Suffix { get; init; }

    /// <summary>The post-processor is a template; without one, tokenizer_config.json decides about BOS and EOS.</summary>
    public required bool HasTemplate { get; init; }

    /// <summary>Begin of text where tokenizer_config.json names none; null when the file has none.</summary>
    public required int? BosId { get; init; }

    /// <summary>End of text where tokenizer_config.json names none; null when the file has none.</summary>
    public required int? EosId { get; init; }

    /// <summary>Padding where tokenizer_config.json names none; null when the file has none.</summary>
    public int? PadId { get; init; }
}
