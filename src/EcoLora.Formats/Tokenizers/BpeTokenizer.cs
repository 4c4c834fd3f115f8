using EcoLora.Formats.Files;
using EcoLora.Formats.Json;

namespace EcoLora.Formats.Tokenizers;

/// <summary>
/// Byte-pair encoding as a Hugging Face tokenizer.json describes it: SentencePiece style (Llama, Mistral) and byte-level (GPT-2, Llama 3). Thread-safe.
/// </summary>
/// <remarks>
/// Supported: model BPE; normalizers Prepend, Replace, Sequence; pre-tokenizers none, Metaspace, ByteLevel, Digits, Split with the patterns of GPT-2 and
/// Llama 3, Sequence; decoders of the same; TemplateProcessing. Everything else is refused, because a tokenizer that is almost right trains on wrong ids.
/// Lone surrogates in a text count as U+FFFD.
/// </remarks>
public sealed class BpeTokenizer
{
    private const string FileName = "tokenizer.json";
    private const string ConfigName = "tokenizer_config.json";

    private readonly TokenizerDefinition _definition;
    private readonly HashSet<int> _special;
    private readonly AddedTokenScanner _all, _plain;
    private readonly byte[] _json, _configJson;

    private BpeTokenizer(byte[] json, byte[] configJson)
    {
        (_json, _configJson) = (json, configJson);
        _definition = TokenizerReader.Read(JsonField.Parse(json, FileName, Refusal));
        _special = [.. _definition.Added.Where(t => t.Special).Select(t => t.Id)];
        _all = new AddedTokenScanner(_definition.Added);
        _plain = new AddedTokenScanner(_definition.Added.Where(t => !t.Special));
        VocabularySize = _definition.Tokens.Keys.Max() + 1;
        JsonField config = configJson.Length > 0 ? JsonField.Parse(configJson, ConfigName, Refusal) : default;
        BosId = NamedToken(config, "bos_token") ?? (_definition.Prefix.Count > 0 ? _definition.Prefix[0] : null);
        EosId = NamedToken(config, "eos_token") ?? (_definition.Suffix.Count > 0 ? _definition.Suffix[^1] : null);
        PadId = NamedToken(config, "pad_token");
        Prefix = _definition.Prefix;
        Suffix = _definition.Suffix;
        if (_definition.HasTemplate) return;
        if (BosId is int bos && config["add_bos_token"].BooleanOr(false)) Prefix = [bos];
        if (EosId is int eos && config["add_eos_token"].BooleanOr(false)) Suffix = [eos];
    }

    /// <summary>Largest id + 1: the least vocab_size of a model for this tokenizer.</summary>
    public int VocabularySize { get; }

    /// <summary>Begin of text: <c>bos_token</c> of tokenizer_config.json, else what the template puts first; null when neither says.</summary>
    public int? BosId { get; }

    /// <summary>End of text: <c>eos_token</c> of tokenizer_config.json, else what the template puts last; null when neither says.</summary>
    public int? EosId { get; }

    /// <summary>Padding: <c>pad_token</c> of tokenizer_config.json; null when it has none.</summary>
    public int? PadId { get; }

    /// <summary>Ids that belong before a text (usually BOS): by the template, else by <c>add_bos_token</c>. <see cref="Encode"/> does not add them.</summary>
    public IReadOnlyList<int> Prefix { get; }

    /// <summary>Ids that belong after a text (usually none): by the template, else by <c>add_eos_token</c>. <see cref="Encode"/> does not add them.</summary>
    public IReadOnlyList<int> Suffix { get; }

    /// <summary>Reads tokenizer.json and, where it is there, tokenizer_config.json of a folder.</summary>
    /// <exception cref="TokenizerException">tokenizer.json is absent, malformed, or asks for what is not supported.</exception>
    public static BpeTokenizer Open(string folder)
    {
        string path = Path.Combine(folder, FileName), configPath = Path.Combine(folder, ConfigName);
        return new BpeTokenizer(JsonField.ReadBytes(path, Refusal), File.Exists(configPath) ? JsonField.ReadBytes(configPath, Refusal) : []);
    }

    /// <summary>Makes a tokenizer from the bytes of tokenizer.json and tokenizer_config.json (empty: none).</summary>
    /// <exception cref="TokenizerException">They are malformed or ask for what is not supported.</exception>
    public static BpeTokenizer Parse(ReadOnlySpan<byte> tokenizerJson, ReadOnlySpan<byte> tokenizerConfigJson = default) =>
        new(tokenizerJson.ToArray(), tokenizerConfigJson.ToArray());

    /// <summary>
    /// The ids of a text, without <see cref="Prefix"/> and <see cref="Suffix"/>.
    /// </summary>
    /// <param name="text">Any text.</param>
    /// <param name="allowSpecial">
    /// Whether <c>&lt;/s&gt;</c> and the like in the text become their special tokens. False by default, unlike the reference: data of users must not be
    /// able to end a prompt or start a turn. True is for texts that the program itself wrote, such as a chat template. Added tokens that are not special are
    /// found either way.
    /// </param>
    public int[] Encode(string text, bool allowSpecial = false)
    {
        var result = new List<int>((text.Length / 3) + 4);
        var queue = _definition.Model.NewQueue();
        AddedTokenScanner scanner = allowSpecial ? _all : _plain;
        for (int at = 0; at < text.Length;)
        {
            AddedToken? token = scanner.Find(text, at, out int start, out int end);
            EncodeStretch(text[at..start], at == 0, queue, result);
            if (token is not null) result.Add(token.Id);
            at = end;
        }
        return [.. result];
    }

    /// <summary>
    /// The text of ids. Bytes that are not UTF-8 become U+FFFD; ids without a token are left out. Decode a whole answer at once: pieces that are
    /// decoded apart lose
    /// characters at their seams.
    /// </summary>
    /// <param name="ids">Ids in order.</param>
    /// <param name="skipSpecial">Leave special tokens out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = true)
    {
        var tokens = new List<string>(ids.Length);
        foreach (int id in ids)
            if (_definition.Tokens.TryGetValue(id, out string? token) && !(skipSpecial && _special.Contains(id)))
                tokens.Add(token);
        return _definition.Decoder.Decode(tokens);
    }

    /// <summary>The token of an id as the vocabulary writes it, or null.</summary>
    public string? TokenOf(int id) => _definition.Tokens.GetValueOrDefault(id);

    /// <summary>The id of a token as the vocabulary writes it, or null.</summary>
    public int? IdOf(string token) => _definition.Ids.TryGetValue(token, out int id) ? id : null;

    /// <summary>Whether an id is a special token.</summary>
    public bool IsSpecial(int id) => _special.Contains(id);

    /// <summary>Writes tokenizer.json and tokenizer_config.json, byte for byte as they were read or trained.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public void Save(string folder)
    {
        AtomicFile.Write(Path.Combine(folder, FileName), stream => stream.Write(_json));
        if (_configJson.Length > 0) AtomicFile.Write(Path.Combine(folder, ConfigName), stream => stream.Write(_configJson));
    }

    /// <summary>As <see cref="Encode"/> for plain text, without <see cref="SpaceCut.SpaceAfterText"/>: the reference that the cut is tested against.</summary>
    internal int[] EncodeUncut(string text)
    {
        var result = new List<int>();
        foreach (PreparationStep step in _definition.Preparation) text = step.Apply(text, first: true);
        EncodeWords(text, 0, _definition.Model.NewQueue(), result);
        return [.. result];
    }

    private static TokenizerException Refusal(string message) => new(message);

    private int? NamedToken(JsonField config, string name)
    {
        JsonField field = config[name];
        if (field.IsObject) field = field["content"];
        if (!field.Exists) return null;
        return IdOf(field.String()) ?? throw field.Refuse($"a token of {FileName}");
    }

    private void EncodeStretch(string text, bool first, MergeQueue queue, List<int> result)
    {
        foreach (PreparationStep step in _definition.Preparation) text = step.Apply(text, first);
        if (_definition.SpaceCut == SpaceCut.None) EncodeWords(text, 0, queue, result);
        else EncodeCut(text, queue, result);
    }

    private void EncodeCut(ReadOnlySpan<char> text, MergeQueue queue, List<int> result)
    {
        const char Space = '▁';
        int start = 0;
        for (int i = 1; i <= text.Length; i++)
        {
            bool cut = i == text.Length || (text[i] == Space && (_definition.SpaceCut == SpaceCut.EachSpace || text[i - 1] != Space));
            if (!cut) continue;
            _definition.Model.Encode(text[start..i], queue, result);
            start = i;
        }
    }

    private void EncodeWords(ReadOnlySpan<char> text, int split, MergeQueue queue, List<int> result)
    {
        if (split == _definition.Splits.Count)
        {
            if (text.Length > 0) _definition.Model.Encode(text, queue, result);
            return;
        }
        while (text.Length > 0)
        {
            int length = WordScanner.Next(_definition.Splits[split], text);
            EncodeWords(text[..length], split + 1, queue, result);
            text = text[length..];
        }
    }
}
