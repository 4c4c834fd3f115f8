using System.Text;
using EcoLora.Formats.Json;

namespace EcoLora.Formats.Tokenizers;

/// <summary>
/// A SentencePiece BPE model as merges: two pieces merge where both together are a piece, those with the higher score first, then the leftmost.
/// </summary>
internal static class SentencePieceReader
{
    private const string Space = "▁";
    private const int MostMerges = 1 << 21;

    /// <param name="model">tokenizer.model.</param>
    /// <param name="config">tokenizer_config.json, whose <c>added_tokens_decoder</c> may name further tokens.</param>
    /// <exception cref="TokenizerException">The model cannot be had as merges, or an added token is malformed.</exception>
    public static TokenizerDefinition Read(SentencePieceModel model, JsonField config)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        var tokens = new Dictionary<int, string>();
        var added = new List<AddedToken>();
        foreach (Piece piece in model.Pieces)
        {
            if (piece.Type is PieceType.Control or PieceType.Unknown) added.Add(new AddedToken(ids.Count, piece.Text, Special: true, false, false));
            tokens.Add(ids.Count, piece.Text);
            ids.Add(piece.Text, ids.Count);
        }
        TokenizerReader.ReadAddedById(config["added_tokens_decoder"], ids, tokens, added);
        var ordinary = new Dictionary<string, int>(ids, StringComparer.Ordinal);
        foreach (AddedToken token in added) ordinary.Remove(token.Text);
        MergeTable merges = Merges(model, ordinary, out bool spaceAfterText);
        var preparation = new List<PreparationStep> { new(PreparationKind.Replace, " ", Space) };
        // SentencePiece knows no text after a special token; transformers puts a space there unless "legacy" is false.
        PreparationKind prepend = config["legacy"].BooleanOr(true) ? PreparationKind.Prepend : PreparationKind.PrependAtStart;
        if (model.AddsSpace) preparation.Insert(0, new PreparationStep(prepend, "", Space));
        var decoder = new TokenDecoder { ByteFallback = true, StripSpaces = model.AddsSpace ? 1 : 0 };
        decoder.Replacements.Add((Space, " "));
        return new TokenizerDefinition
        {
            Ids = ids,
            Tokens = tokens,
            Added = added,
            Model = new BpeModel(ordinary, merges, new BpeRules(ByteLevel: false, model.ByteFallback, FuseUnknown: true, WholeWords: false, model.UnknownId)),
            Preparation = preparation,
            SpaceCut = !spaceAfterText && ordinary.ContainsKey(Space) ? SpaceCut.SpaceAfterText : SpaceCut.None,
            Splits = [],
            Decoder = decoder,
            // What transformers' LlamaTokenizer does where tokenizer_config.json does not say.
            Prefix = model.BosId is { } bos && config["add_bos_token"].BooleanOr(true) ? [bos] : [],
            Suffix = model.EosId is { } eos && config["add_eos_token"].BooleanOr(false) ? [eos] : [],
            HasTemplate = true,
            BosId = model.BosId,
            EosId = model.EosId,
            PadId = model.PadId,
        };
    }

    private static MergeTable Merges(SentencePieceModel model, Dictionary<string, int> ordinary, out bool spaceAfterText)
    {
        // Byte pieces are never part of a merge, whatever their text.
        Dictionary<string, int> normal = ordinary.Where(token => token.Value < model.Pieces.Count && model.Pieces[token.Value].Type == PieceType.Normal)
            .ToDictionary(StringComparer.Ordinal);
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids = normal.GetAlternateLookup<ReadOnlySpan<char>>();
        Dictionary<float, int> ranks = model.Pieces.Select(piece => piece.Score).Distinct().OrderDescending()
            .Select((score, rank) => KeyValuePair.Create(score, rank)).ToDictionary();
        var found = new List<(int Left, int Right, Merge Merge)>();
        spaceAfterText = false;
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            Piece piece = model.Pieces[id];
            if (!normal.ContainsKey(piece.Text)) continue;
            ReadOnlySpan<char> text = piece.Text;
            int length = 0;
            foreach (Rune rune in text.EnumerateRunes())
            {
                // SentencePiece would merge from a character that is no piece, too; as ids that cannot be said, and no trained model needs it.
                if (rune.Utf16SequenceLength < text.Length && !ids.ContainsKey(text.Slice(length, rune.Utf16SequenceLength)))
                    throw new TokenizerException($"{SentencePieceModel.FileName}: field 'pieces[{id}].piece': "
                        + $"expected characters that are pieces themselves, found '{PrintableText.Of(piece.Text)}'");
                length += rune.Utf16SequenceLength;
                ReadOnlySpan<char> left = text[..length], right = text[length..];
                if (right.IsEmpty || !ids.TryGetValue(left, out int leftId) || !ids.TryGetValue(right, out int rightId)) continue;
                if (found.Count == MostMerges)
                    throw new TokenizerException($"{SentencePieceModel.FileName}: field 'pieces': expected at most {MostMerges} merges, found more");
                found.Add((leftId, rightId, new Merge(ranks[piece.Score], id)));
                spaceAfterText |= right.StartsWith(Space, StringComparison.Ordinal) && !left.EndsWith(Space, StringComparison.Ordinal);
            }
        }
        var merges = new MergeTable(found.Count);
        foreach ((int left, int right, Merge merge) in found) merges.Set(left, right, merge);
        return merges;
    }
}
