using EcoLora.Formats.Json;

namespace EcoLora.Formats.Tokenizers;

/// <summary>What a piece is for; the numbers are those of the file.</summary>
internal enum PieceType { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 }

/// <summary>A token of a SentencePiece model.</summary>
/// <param name="Text">Its text, with <c>▁</c> for a space.</param>
/// <param name="Score">Merges with a higher score come first.</param>
/// <param name="Type">What it is for.</param>
internal readonly record struct Piece(string Text, float Score, PieceType Type);

/// <summary>
/// A tokenizer.model: the protobuf message ModelProto of SentencePiece (sentencepiece_model.proto), read and checked as far as BPE without normalisation
/// goes. What would give other ids than SentencePiece is refused: other models than BPE, a normalisation, pieces of the types user-defined and unused.
/// </summary>
internal sealed class SentencePieceModel
{
    public const string FileName = "tokenizer.model";

    /// <summary>Far above what is in use (Llama 0.5 MB, Gemma 4 MB).</summary>
    private const int LargestFile = 16 << 20;

    private const int LongestPiece = 128, Bpe = 2;

    private readonly List<Piece> _pieces = [];
    private readonly HashSet<string> _texts = new(StringComparer.Ordinal);

    private SentencePieceModel()
    {
    }

    /// <summary>The pieces; a piece's id is its index.</summary>
    public IReadOnlyList<Piece> Pieces => _pieces;

    /// <summary>A character that is no piece becomes its bytes' pieces.</summary>
    public bool ByteFallback { get; private set; }

    /// <summary>A text gets a space before it.</summary>
    public bool AddsSpace { get; private set; } = true;

    /// <summary>Id of the unknown piece.</summary>
    public int UnknownId { get; private set; }

    /// <summary>Id, or null where the model has none.</summary>
    public int? BosId { get; private set; } = 1;

    /// <summary>Id, or null where the model has none.</summary>
    public int? EosId { get; private set; } = 2;

    /// <summary>Id, or null where the model has none.</summary>
    public int? PadId { get; private set; }

    /// <summary>Reads the bytes of a tokenizer.model.</summary>
    /// <exception cref="TokenizerException">They are malformed or ask for what is not supported.</exception>
    public static SentencePieceModel Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > LargestFile) throw new TokenizerException($"{FileName}: expected at most {LargestFile} bytes, found {bytes.Length}");
        var model = new SentencePieceModel();
        var reader = new ProtobufReader(bytes, FileName);
        ReadOnlySpan<byte> trainer = default, normalizer = default;
        bool denormalizes = false;
        while (reader.Next())
            switch (reader.Field)
            {
                case 1: model.ReadPiece(reader.Message("pieces")); break;
                case 2: trainer = reader.Message("trainer_spec"); break;
                case 3: normalizer = reader.Message("normalizer_spec"); break;
                case 5: denormalizes |= reader.Message("denormalizer_spec").Length > 0; break;
                default: reader.Skip(); break;
            }
        if (model._pieces.Count == 0) throw Refuse("pieces", "at least one", "none");
        if (denormalizes) throw Refuse("denormalizer_spec", "none", "one");
        model.ReadTrainer(trainer);
        model.ReadNormalizer(normalizer);
        model.CheckIds();
        return model;
    }

    private void ReadPiece(ReadOnlySpan<byte> message)
    {
        string where = $"pieces[{_pieces.Count}]";
        var reader = new ProtobufReader(message, $"{FileName}: field '{where}'");
        string text = "";
        float score = 0;
        int type = (int)PieceType.Normal;
        while (reader.Next())
            switch (reader.Field)
            {
                case 1: text = reader.String("piece"); break;
                case 2: score = reader.Single("score"); break;
                case 3: type = reader.Int32("type"); break;
                default: reader.Skip(); break;
            }
        if (text.Length is 0 or > LongestPiece) throw Refuse($"{where}.piece", $"1 to {LongestPiece} characters", $"{text.Length}");
        if (!float.IsFinite(score)) throw Refuse($"{where}.score", "a finite number", "another");
        if ((PieceType)type is not (PieceType.Normal or PieceType.Unknown or PieceType.Control or PieceType.Byte))
            throw Refuse($"{where}.type", "normal, unknown, control or byte (1, 2, 3, 6)", $"{type}");
        if ((PieceType)type == PieceType.Byte && !TokenDecoder.TryByte(text, out _))
            throw Refuse($"{where}.piece", "<0x00> to <0xFF>", $"'{PrintableText.Of(text)}'");
        if (!_texts.Add(text)) throw Refuse($"{where}.piece", "a text that no other piece has", $"'{PrintableText.Of(text)}'");
        _pieces.Add(new Piece(text, score, (PieceType)type));
    }

    private void ReadTrainer(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message, $"{FileName}: field 'trainer_spec'");
        int type = 1;
        while (reader.Next())
            switch (reader.Field)
            {
                case 3: type = reader.Int32("model_type"); break;
                case 24: if (reader.Boolean("treat_whitespace_as_suffix")) throw Refuse("trainer_spec.treat_whitespace_as_suffix", "false", "true"); break;
                case 35: ByteFallback = reader.Boolean("byte_fallback"); break;
                case 40: UnknownId = reader.Int32("unk_id"); break;
                case 41: BosId = IdOrNone(reader.Int32("bos_id")); break;
                case 42: EosId = IdOrNone(reader.Int32("eos_id")); break;
                case 43: PadId = IdOrNone(reader.Int32("pad_id")); break;
                default: reader.Skip(); break;
            }
        if (type == Bpe) return;
        string found = type switch { 1 => "UNIGRAM", 3 => "WORD", 4 => "CHAR", _ => $"{type}" };
        throw Refuse("trainer_spec.model_type", "BPE", found);

        static int? IdOrNone(int id) => id < 0 ? null : id;
    }

    private void ReadNormalizer(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message, $"{FileName}: field 'normalizer_spec'");
        bool collapses = true, escapes = true;
        int charsmap = 0;
        while (reader.Next())
            switch (reader.Field)
            {
                case 2: charsmap = reader.Message("precompiled_charsmap").Length; break;
                case 3: AddsSpace = reader.Boolean("add_dummy_prefix"); break;
                case 4: collapses = reader.Boolean("remove_extra_whitespaces"); break;
                case 5: escapes = reader.Boolean("escape_whitespaces"); break;
                default: reader.Skip(); break;
            }
        if (charsmap > 0) throw Refuse("normalizer_spec.precompiled_charsmap", "none (identity)", $"{charsmap} bytes");
        if (collapses) throw Refuse("normalizer_spec.remove_extra_whitespaces", "false", "true");
        if (!escapes) throw Refuse("normalizer_spec.escape_whitespaces", "true", "false");
    }

    private void CheckIds()
    {
        if ((uint)UnknownId >= (uint)_pieces.Count || _pieces[UnknownId].Type != PieceType.Unknown)
            throw Refuse("trainer_spec.unk_id", "the id of a piece of type unknown", $"{UnknownId}");
        foreach ((string name, int? id) in new[] { ("bos_id", BosId), ("eos_id", EosId), ("pad_id", PadId) })
            if (id is { } used && (used >= _pieces.Count || _pieces[used].Type is not (PieceType.Control or PieceType.Unknown)))
                throw Refuse($"trainer_spec.{name}", "-1 or the id of a piece of type control", $"{used}");
        if (!ByteFallback) return;
        for (int b = 0; b < 256; b++)
            if (!_texts.Contains($"<0x{b:X2}>"))
                throw Refuse("pieces", $"<0x{b:X2}>, as byte_fallback is set", "none");
    }

    private static TokenizerException Refuse(string field, string expected, string found) =>
        new($"{FileName}: field '{field}': expected {expected}, found {found}");
}
