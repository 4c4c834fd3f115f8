using System.Text;
using EcoLora.Formats.Files;
using EcoLora.Formats.Json;

namespace EcoLora.Formats.Tokenizers;

/// <summary>
/// Byte-pair encoding as a Hugging Face tokenizer.json describes it, SentencePiece style (Llama 2, TinyLlama, Mistral) and byte-level (GPT-2, Llama 3, Qwen2,
/// SmolLM), or as SentencePiece's own tokenizer.model does. Thread-safe.
/// </summary>
/// <remarks>
/// Supported of tokenizer.json: model BPE; normalizers NFC, Prepend, Replace, Sequence; pre-tokenizers none, Metaspace, ByteLevel, Digits, Split with the
/// patterns of GPT-2, Llama 3 and Qwen2, Sequence; decoders of the same; TemplateProcessing. Of tokenizer.model: BPE without normalisation. Everything
/// else (Unigram in either file, for one) is refused, because a tokenizer that is almost right trains on wrong ids. Lone surrogates in a text count as U+FFFD.
/// </remarks>
public sealed class BpeTokenizer
{
    private const string JsonName = "tokenizer.json";
    private const string ConfigName = "tokenizer_config.json";

    private readonly TokenizerDefinition _definition;
    private readonly HashSet<int> _special;
    private readonly AddedTokenScanner _all, _plain;
    private readonly string _file;
    private readonly byte[] _bytes, _configBytes;

    private BpeTokenizer(string file, byte[] bytes, byte[] configBytes)
    {
        (_file, _bytes, _configBytes) = (file, bytes, configBytes);
        JsonField config = configBytes.Length > 0 ? JsonField.Parse(configBytes, ConfigName, Refusal) : default;
        _definition = file == JsonName
            ? TokenizerReader.Read(JsonField.Parse(bytes, JsonName, Refusal))
            : SentencePieceReader.Read(SentencePieceModel.Read(bytes), config);
        _special = [.. _definition.Added.Where(t => t.Special).Select(t => t.Id)];
        _all = new AddedTokenScanner(_definition.Added);
        _plain = new AddedTokenScanner(_definition.Added.Where(t => !t.Special));
        VocabularySize = _definition.Tokens.Keys.Max() + 1;
        BosId = NamedToken(config, "bos_token") ?? _definition.BosId;
        EosId = NamedToken(config, "eos_token") ?? _definition.EosId;
        PadId = NamedToken(config, "pad_token") ?? _definition.PadId;
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

    /// <summary>Ids that belong before a text (usually BOS): by the template, else by <c>add_bos_token</c>.
    /// <see cref="Encode(string, bool)"/> does not add them.</summary>
    public IReadOnlyList<int> Prefix { get; }

    /// <summary>Ids that belong after a text (usually none): by the template, else by <c>add_eos_token</c>.
    /// <see cref="Encode(string, bool)"/> does not add them.</summary>
    public IReadOnlyList<int> Suffix { get; }

    /// <summary>Reads tokenizer.json of a folder, else tokenizer.model, and, where it is there, tokenizer_config.json.</summary>
    /// <exception cref="TokenizerException">Both are absent, or a file is malformed or asks for what is not supported.</exception>
    public static BpeTokenizer Open(string folder)
    {
        string configPath = Path.Combine(folder, ConfigName);
        string file = Array.Find([JsonName, SentencePieceModel.FileName], name => File.Exists(Path.Combine(folder, name)))
            ?? throw new TokenizerException($"{folder}: expected {JsonName} or {SentencePieceModel.FileName}, found neither");
        return new BpeTokenizer(
            file, JsonField.ReadBytes(Path.Combine(folder, file), Refusal), File.Exists(configPath) ? JsonField.ReadBytes(configPath, Refusal) : []);
    }

    /// <summary>Makes a tokenizer from the bytes of tokenizer.json and tokenizer_config.json (empty: none).</summary>
    /// <exception cref="TokenizerException">They are malformed or ask for what is not supported.</exception>
    public static BpeTokenizer Parse(ReadOnlySpan<byte> tokenizerJson, ReadOnlySpan<byte> tokenizerConfigJson = default) =>
        new(JsonName, tokenizerJson.ToArray(), tokenizerConfigJson.ToArray());

    /// <summary>Makes a tokenizer from the bytes of SentencePiece's tokenizer.model and tokenizer_config.json (empty: none).</summary>
    /// <exception cref="TokenizerException">They are malformed or ask for what is not supported.</exception>
    public static BpeTokenizer ParseModel(ReadOnlySpan<byte> tokenizerModel, ReadOnlySpan<byte> tokenizerConfigJson = default) =>
        new(SentencePieceModel.FileName, tokenizerModel.ToArray(), tokenizerConfigJson.ToArray());

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
        Encode(text, allowSpecial ? _all : _plain, isStart: true, _definition.Model.NewQueue(), result);
        return [.. result];
    }

    /// <summary>
    /// The ids of texts and special tokens in turn: what <see cref="Encode(string, bool)"/> gives for all of it as one text with special tokens allowed,
    /// except that the texts cannot produce any. Neighbouring texts are one text.
    /// </summary>
    /// <param name="parts">In order.</param>
    /// <exception cref="TokenizerException">A special token is none of this tokenizer's.</exception>
    public int[] Encode(IEnumerable<TextPart> parts)
    {
        var result = new List<int>();
        var text = new StringBuilder();
        MergeQueue queue = _definition.Model.NewQueue();
        foreach (TextPart part in parts)
        {
            if (!part.IsSpecial) text.Append(part.Text);
            else
            {
                Flush();
                result.Add(SpecialIdOf(part.Text) ?? throw new TokenizerException($"{_file}: expected a special token '{part.Text}', found none"));
            }
        }
        Flush();
        return [.. result];

        void Flush()
        {
            Encode(text.ToString(), _plain, isStart: result.Count == 0, queue, result);
            text.Clear();
        }
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

    /// <summary>The id of a special token as the vocabulary writes it; null where it is none, or an ordinary token.</summary>
    public int? SpecialIdOf(string token) => IdOf(token) is { } id && IsSpecial(id) ? id : null;

    /// <summary>Whether an id is a special token.</summary>
    public bool IsSpecial(int id) => _special.Contains(id);

    /// <summary>Writes tokenizer.json or tokenizer.model and tokenizer_config.json, byte for byte as they were read or trained.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public void Save(string folder)
    {
        AtomicFile.Write(Path.Combine(folder, _file), stream => stream.Write(_bytes));
        if (_configBytes.Length > 0) AtomicFile.Write(Path.Combine(folder, ConfigName), stream => stream.Write(_configBytes));
    }

    /// <summary>As <see cref="Encode(string, bool)"/> for plain text, without <see cref="SpaceCut.SpaceAfterText"/>: the reference that the cut is tested against.</summary>
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
        return IdOf(field.String()) ?? throw field.Refuse($"a token of {_file}");
    }

    private void Encode(string text, AddedTokenScanner scanner, bool isStart, MergeQueue queue, List<int> result)
    {
        for (int at = 0; at < text.Length;)
        {
            AddedToken? token = scanner.Find(text, at, out int start, out int end);
            EncodeStretch(start - at == text.Length ? text : text[at..start], isStart && at == 0, queue, result);
            if (token is not null) result.Add(token.Id);
            at = end;
        }
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
