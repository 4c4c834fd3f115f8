using System.Globalization;
using EcoLora.Formats.Json;

namespace EcoLora.Formats.Tokenizers;

/// <summary>
/// Reads the parts of a Hugging Face tokenizer.json that byte-pair encoding needs and refuses every part that it does not know: a tokenizer that
/// is almost right would train a model on wrong ids without anybody noticing.
/// </summary>
internal static partial class TokenizerReader
{
    private const string Space = "▁";
    private const int LongestPrefix = 16;
    private const int LargestId = (1 << 24) - 1;
    private const int MostMerges = 1 << 21;

    /// <summary>Each is looked for wherever its first character stands in a text.</summary>
    private const int MostAdded = 1 << 14;

    public static TokenizerDefinition Read(JsonField root)
    {
        JsonField model = root["model"];
        if (model["type"].StringOr("BPE") != "BPE") throw model["type"].Refuse("BPE");
        foreach (string name in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
            if (model[name].Exists && model[name].String().Length > 0)
                throw model[name].Refuse("null");
        if (model["dropout"].DoubleOr(0, 0, 1) > 0) throw model["dropout"].Refuse("null");

        var preparation = new List<PreparationStep>();
        var splits = new List<WordSplit>();
        ReadNormalizer(root["normalizer"], preparation);
        bool byteLevel = false;
        SpaceCut cut = SpaceCut.None;
        ReadPreTokenizer(root["pre_tokenizer"], preparation, splits, ref byteLevel, ref cut);
        if (splits.Count > 0 && !byteLevel) throw root["pre_tokenizer"].Refuse("ByteLevel after a split");

        (Dictionary<string, int> ids, Dictionary<int, string> tokens) = ReadVocabulary(model["vocab"]);
        List<AddedToken> added = ReadAdded(root["added_tokens"], ids, tokens);
        var ordinary = new Dictionary<string, int>(ids, StringComparer.Ordinal);
        foreach (AddedToken token in added.Where(t => t.Special)) ordinary.Remove(token.Text);
        MergeTable merges = ReadMerges(model["merges"], ids, ordinary, out bool spaceAfterText);
        if (!byteLevel && cut == SpaceCut.None && !spaceAfterText && ordinary.ContainsKey(Space)) cut = SpaceCut.SpaceAfterText;

        int? unknown = null;
        if (model["unk_token"].Exists)
            unknown = ids.TryGetValue(model["unk_token"].String(), out int id) ? id : throw model["unk_token"].Refuse("a token of the vocabulary");
        var rules = new BpeRules(byteLevel, model["byte_fallback"].BooleanOr(false), model["fuse_unk"].BooleanOr(false),
            model["ignore_merges"].BooleanOr(false), unknown);
        (List<int> prefix, List<int> suffix, bool hasTemplate) = ReadTemplate(root["post_processor"], ids);
        return new TokenizerDefinition
        {
            Ids = ids,
            Tokens = tokens,
            Added = added,
            Model = new BpeModel(ordinary, merges, rules),
            Preparation = preparation,
            SpaceCut = cut,
            Splits = splits,
            Decoder = ReadDecoder(root["decoder"]),
            Prefix = prefix,
            Suffix = suffix,
            HasTemplate = hasTemplate,
            BosId = prefix.Count > 0 ? prefix[0] : null,
            EosId = suffix.Count > 0 ? suffix[^1] : null,
        };
    }

    private static void ReadNormalizer(JsonField normalizer, List<PreparationStep> steps)
    {
        if (!normalizer.Exists) return;
        switch (normalizer["type"].String())
        {
            case "Sequence":
                foreach (JsonField part in normalizer["normalizers"].Items()) ReadNormalizer(part, steps);
                break;
            case "Prepend":
                string prefix = normalizer["prepend"].String();
                if (prefix.Length > LongestPrefix) throw normalizer["prepend"].Refuse($"at most {LongestPrefix} characters");
                steps.Add(new PreparationStep(PreparationKind.Prepend, "", prefix));
                break;
            case "Replace":
                (string from, string to) = ReadReplacement(normalizer);
                steps.Add(new PreparationStep(PreparationKind.Replace, from, to));
                break;
            case "NFC":
                steps.Add(new PreparationStep(PreparationKind.Nfc, "", ""));
                break;
            default:
                throw normalizer["type"].Refuse("NFC, Prepend, Replace or Sequence");
        }
    }

    private static void ReadPreTokenizer(JsonField part, List<PreparationStep> steps, List<WordSplit> splits, ref bool byteLevel, ref SpaceCut cut)
    {
        if (!part.Exists) return;
        string type = part["type"].String();
        if (byteLevel || cut != SpaceCut.None) throw part["type"].Refuse("nothing after ByteLevel or Metaspace");
        switch (type)
        {
            case "Sequence":
                foreach (JsonField item in part["pretokenizers"].Items()) ReadPreTokenizer(item, steps, splits, ref byteLevel, ref cut);
                break;
            case "ByteLevel":
                if (part["add_prefix_space"].BooleanOr(true))
                {
                    if (splits.Count > 0) throw part["add_prefix_space"].Refuse("false after a split");
                    steps.Add(new PreparationStep(PreparationKind.PrependOnce, "", " "));
                }
                if (part["use_regex"].BooleanOr(true)) splits.Add(WordSplit.Gpt2);
                byteLevel = true;
                break;
            case "Digits":
                splits.Add(part["individual_digits"].BooleanOr(false) ? WordSplit.SingleDigits : WordSplit.DigitRuns);
                break;
            case "Split":
                splits.Add(ReadSplit(part));
                break;
            case "Metaspace":
                if (splits.Count > 0) throw part["type"].Refuse("no split before Metaspace");
                cut = ReadMetaspace(part, steps);
                break;
            default:
                throw part["type"].Refuse("ByteLevel, Digits, Metaspace, Sequence or Split");
        }
    }

    private static WordSplit ReadSplit(JsonField part)
    {
        if (part["behavior"].String() != "Isolated") throw part["behavior"].Refuse("Isolated");
        if (part["invert"].BooleanOr(false)) throw part["invert"].Refuse("false");
        return part["pattern"]["Regex"].String() switch
        {
            WordScanner.Gpt2Pattern => WordSplit.Gpt2,
            WordScanner.Llama3Pattern => WordSplit.Llama3,
            WordScanner.Qwen2Pattern => WordSplit.Qwen2,
            _ => throw part["pattern"]["Regex"].Refuse("the pattern of GPT-2, Llama 3 or Qwen2"),
        };
    }

    private static SpaceCut ReadMetaspace(JsonField part, List<PreparationStep> steps)
    {
        string replacement = part["replacement"].StringOr(Space);
        if (replacement != Space) throw part["replacement"].Refuse(Space);
        steps.Add(new PreparationStep(PreparationKind.Replace, " ", Space));
        // Files of before prepend_scheme have add_prefix_space, true by default.
        string scheme = part["prepend_scheme"].StringOr(part["add_prefix_space"].BooleanOr(true) ? "always" : "never");
        if (scheme == "always") steps.Add(new PreparationStep(PreparationKind.PrependOnce, "", Space));
        else if (scheme == "first") steps.Add(new PreparationStep(PreparationKind.PrependOnceAtStart, "", Space));
        else if (scheme != "never") throw part["prepend_scheme"].Refuse("always, first or never");
        return part["split"].BooleanOr(true) ? SpaceCut.EachSpace : SpaceCut.None;
    }

    private static (Dictionary<string, int> Ids, Dictionary<int, string> Tokens) ReadVocabulary(JsonField vocabulary)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        var tokens = new Dictionary<int, string>();
        foreach ((string token, JsonField value) in vocabulary.Members())
        {
            int id = value.Int32(0, LargestId);
            if (!tokens.TryAdd(id, token)) throw value.Refuse($"an id of its own, not that of '{PrintableText.Of(tokens[id])}'");
            ids.Add(token, id);
        }
        return ids.Count > 0 ? (ids, tokens) : throw vocabulary.Refuse("at least one token");
    }

    /// <summary>Reads <c>added_tokens_decoder</c> of tokenizer_config.json: id → token. Tokens that are in <paramref name="added"/> already stay.</summary>
    public static void ReadAddedById(JsonField list, Dictionary<string, int> ids, Dictionary<int, string> tokens, List<AddedToken> added)
    {
        if (!list.Exists) return;
        if (list.Count > MostAdded) throw list.Refuse($"at most {MostAdded} tokens");
        HashSet<int> known = [.. added.Select(token => token.Id)];
        foreach ((string name, JsonField item) in list.Members())
        {
            if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int id) || id > LargestId)
                throw item.Refuse($"an id from 0 to {LargestId} as its name");
            AddedToken token = ReadAdded(item, id, ids, tokens);
            if (known.Add(id)) added.Add(token);
        }
    }

    private static List<AddedToken> ReadAdded(JsonField list, Dictionary<string, int> ids, Dictionary<int, string> tokens)
    {
        if (!list.Exists) return [];
        if (list.Count > MostAdded) throw list.Refuse($"at most {MostAdded} tokens");
        return [.. list.Items().Select(item => ReadAdded(item, item["id"].Int32(0, LargestId), ids, tokens))];
    }

    private static AddedToken ReadAdded(JsonField item, int id, Dictionary<string, int> ids, Dictionary<int, string> tokens)
    {
        string text = NotEmpty(item["content"]);
        if (item["single_word"].BooleanOr(false)) throw item["single_word"].Refuse("false");
        if (ids.TryGetValue(text, out int known) ? known != id : !tokens.TryAdd(id, text))
            throw (item["id"].Exists ? item["id"] : item).Refuse($"the id of '{PrintableText.Of(text)}' or a free one");
        ids[text] = id;
        return new AddedToken(id, text, item["special"].BooleanOr(false), item["lstrip"].BooleanOr(false), item["rstrip"].BooleanOr(false));
    }

    /// <summary>Merges that make a special token are left out: plain text must never become one.</summary>
    private static MergeTable ReadMerges(JsonField list, Dictionary<string, int> ids, Dictionary<string, int> ordinary, out bool spaceAfterText)
    {
        if (list.Count > MostMerges) throw list.Refuse($"at most {MostMerges} merges");
        var merges = new MergeTable(list.Count);
        spaceAfterText = false;
        int rank = 0;
        foreach (JsonField item in list.Items())
        {
            (string left, string right) = ReadPair(item);
            if (!ids.TryGetValue(left, out int leftId) || !ids.TryGetValue(right, out int rightId) || !ids.ContainsKey(left + right))
                throw item.Refuse("two tokens whose merge is in the vocabulary");
            if (ordinary.ContainsKey(left) && ordinary.ContainsKey(right) && ordinary.TryGetValue(left + right, out int merged))
            {
                merges.Set(leftId, rightId, new Merge(rank, merged));
                spaceAfterText |= right.StartsWith(Space, StringComparison.Ordinal) && !left.EndsWith(Space, StringComparison.Ordinal);
            }
            rank++;
        }
        return merges;
    }

    private static (string Left, string Right) ReadPair(JsonField item)
    {
        if (item.IsArray)
        {
            if (item.Count != 2) throw item.Refuse("a list of two tokens");
            JsonField[] pair = [.. item.Items()];
            return (NotEmpty(pair[0]), NotEmpty(pair[1]));
        }
        string text = item.String();
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        if (space < 1 || space == text.Length - 1 || text.IndexOf(' ', space + 1) >= 0) throw item.Refuse("two tokens with one space between them");
        return (text[..space], text[(space + 1)..]);
    }

    private static (List<int> Prefix, List<int> Suffix, bool HasTemplate) ReadTemplate(JsonField part, Dictionary<string, int> ids)
    {
        List<int> prefix = [], suffix = [];
        bool hasTemplate = false;
        if (!part.Exists) return (prefix, suffix, false);
        string type = part["type"].String();
        if (type == "Sequence")
        {
            foreach (JsonField item in part["processors"].Items())
            {
                (List<int> before, List<int> after, bool template) = ReadTemplate(item, ids);
                (prefix, suffix, hasTemplate) = ([.. before, .. prefix], [.. suffix, .. after], hasTemplate || template);
            }
        }
        else if (type == "TemplateProcessing")
        {
            bool beforeText = true;
            hasTemplate = true;
            foreach (JsonField item in part["single"].Items())
            {
                if (item["Sequence"].Exists) beforeText = false;
                else
                {
                    JsonField token = item["SpecialToken"]["id"];
                    (beforeText ? prefix : suffix).Add(ids.TryGetValue(token.String(), out int id) ? id : throw token.Refuse("a token of the vocabulary"));
                }
            }
        }
        else if (type != "ByteLevel") throw part["type"].Refuse("ByteLevel, Sequence or TemplateProcessing");
        return (prefix, suffix, hasTemplate);
    }

    /// <summary>A replacement may not be longer than what it replaces: a chain of growing ones would let the file choose how much memory a text
    /// takes.</summary>
    private static (string From, string To) ReadReplacement(JsonField part)
    {
        string from = NotEmpty(part["pattern"]["String"]), to = part["content"].String();
        return to.Length <= from.Length ? (from, to) : throw part["content"].Refuse($"at most {from.Length} characters, as the pattern has");
    }

    private static string NotEmpty(JsonField field) => field.String() is { Length: > 0 } text ? text : throw field.Refuse("a text that is not empty");
}
