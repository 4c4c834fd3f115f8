using System.Text;
using EcoLora.Formats.Tokenizers;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Tokenizers;

/// <summary>tokenizer.model, on one small enough to work out by hand. The real ones are in <see cref="KnownAnswersTests"/>.</summary>
public class SentencePieceTests
{
    /// <summary>Scores: bc 0, then ▁a and ab −1 (the leftmost of them), then abc −2.</summary>
    [Theory]
    [InlineData("abc", "▁a bc")]
    [InlineData("ab", "▁a b")]
    [InlineData("bab", "▁ b ab")]
    [InlineData("a abc", "▁a ▁a bc")]
    [InlineData("  ab", "▁ ▁ ▁a b")]
    [InlineData("xa", "▁ <unk> a")]
    [InlineData("axyab", "▁a <unk> ab")]
    [InlineData("", "")]
    public void Higher_scores_merge_first_then_the_leftmost(string text, string tokens) =>
        Assert.Equal(tokens, BpeTokenizer.ParseModel(ModelProto.Small()).Tokens(text));

    [Fact]
    public void Switches_are_those_of_the_file()
    {
        BpeTokenizer bare = BpeTokenizer.ParseModel(ModelProto.Small(normalizer: spec => spec.Number(3, 0)));
        Assert.Equal("abc", bare.Tokens("abc"));
        Assert.Equal(" ab", bare.Decode(bare.Encode(" ab")));
        BpeTokenizer bytes = BpeTokenizer.ParseModel(ModelProto.Small(trainer: spec => spec.Number(35, 1), further: ModelProto.AllBytes));
        Assert.Equal("▁a <0xC3> <0xA9>", bytes.Tokens("aé"));
        Assert.Equal("aé <0x41>", bytes.Decode(bytes.Encode("aé <0x41>")));
        Assert.Equal("a</s>", bytes.Decode(bytes.Encode("a</s>")));
        Assert.Equal("▁a </s>", bytes.Tokens("a</s>", allowSpecial: true));
    }

    [Fact]
    public void Begin_end_and_padding_come_from_the_config_or_the_model()
    {
        BpeTokenizer plain = BpeTokenizer.ParseModel(ModelProto.Small());
        Assert.Equal((1, 2, null, 11), (plain.BosId, plain.EosId, plain.PadId, plain.VocabularySize));
        Assert.Equal([1], plain.Prefix);
        Assert.Empty(plain.Suffix);
        BpeTokenizer other = BpeTokenizer.ParseModel(ModelProto.Small(trainer: spec => spec.Number(41, -1).Number(42, 1).Number(43, 2)));
        Assert.Equal((null, 1, 2), (other.BosId, other.EosId, other.PadId));
        Assert.Empty(other.Prefix);
        BpeTokenizer config = BpeTokenizer.ParseModel(ModelProto.Small(), """
            {"add_bos_token":false,"add_eos_token":true,"pad_token":"<pad>","added_tokens_decoder":{
                "1":{"content":"<s>","special":true},"11":{"content":"<pad>","special":true},"12":{"content":"<tool>","special":false}}}
            """u8);
        Assert.Equal((11, 13), (config.PadId, config.VocabularySize));
        Assert.Empty(config.Prefix);
        Assert.Equal([2], config.Suffix);
        Assert.Equal("▁a <tool> ▁a", config.Tokens("a<tool>a"));
        Assert.Equal("▁a </s> a", BpeTokenizer.ParseModel(ModelProto.Small(), """{"legacy":false}"""u8).Tokens("a</s>a", allowSpecial: true));
        Assert.Equal(11, config.SpecialIdOf("<pad>"));
        Assert.Null(config.SpecialIdOf("<tool>"));
    }

    [Fact]
    public void Saving_keeps_the_file()
    {
        using var folder = new TemporaryFolder();
        byte[] model = ModelProto.Small();
        BpeTokenizer.ParseModel(model, "{}"u8).Save(folder.Path);
        Assert.Equal(model, File.ReadAllBytes(folder["tokenizer.model"]));
        Assert.Equal("▁a bc", BpeTokenizer.Open(folder.Path).Tokens("abc"));
    }

    [Theory]
    [InlineData("unigram", "field 'trainer_spec.model_type': expected BPE, found UNIGRAM")]
    [InlineData("no type", "field 'trainer_spec.model_type': expected BPE, found UNIGRAM")]
    [InlineData("suffix", "field 'trainer_spec.treat_whitespace_as_suffix': expected false, found true")]
    [InlineData("charsmap", "field 'normalizer_spec.precompiled_charsmap': expected none (identity), found 3 bytes")]
    [InlineData("collapse", "field 'normalizer_spec.remove_extra_whitespaces': expected false, found true")]
    [InlineData("no escape", "field 'normalizer_spec.escape_whitespaces': expected true, found false")]
    [InlineData("denormalizer", "field 'denormalizer_spec': expected none, found one")]
    [InlineData("user defined", "field 'pieces[11].type': expected normal, unknown, control or byte (1, 2, 3, 6), found 4")]
    [InlineData("unused", "field 'pieces[11].type': expected normal, unknown, control or byte (1, 2, 3, 6), found 5")]
    [InlineData("twice", "field 'pieces[11].piece': expected a text that no other piece has, found 'ab'")]
    [InlineData("empty", "field 'pieces[11].piece': expected 1 to 128 characters, found 0")]
    [InlineData("long", "field 'pieces[11].piece': expected 1 to 128 characters, found 129")]
    [InlineData("score", "field 'pieces[11].score': expected a finite number, found another")]
    [InlineData("byte", "field 'pieces[11].piece': expected <0x00> to <0xFF>, found 'byte'")]
    [InlineData("character", "field 'pieces[11].piece': expected characters that are pieces themselves, found 'zz'")]
    [InlineData("not UTF-8", "field 'pieces[11]': expected piece in UTF-8, found other bytes")]
    [InlineData("unknown id", "field 'trainer_spec.unk_id': expected the id of a piece of type unknown, found 1")]
    [InlineData("begin id", "field 'trainer_spec.bos_id': expected -1 or the id of a piece of type control, found 4")]
    [InlineData("end id", "field 'trainer_spec.eos_id': expected -1 or the id of a piece of type control, found 99")]
    [InlineData("bytes", "field 'pieces': expected <0x00>, as byte_fallback is set, found none")]
    [InlineData("nothing", "field 'pieces': expected at least one, found none")]
    [InlineData("length", "expected a field of at most 0 bytes, which are left, found 1099511627775")]
    [InlineData("varint", "expected a number of at most 10 bytes, found a longer one")]
    [InlineData("group", "expected wire type 0, 1, 2 or 5, found 3")]
    [InlineData("field zero", "expected a field number, found tag 2")]
    [InlineData("wire", "expected pieces with wire type 2, found 0")]
    public void What_is_wrong_or_unknown_is_refused_with_its_place(string fault, string expected)
    {
        byte[] model = fault switch
        {
            "unigram" => ModelProto.Small(trainer: spec => spec.Number(3, 1)),
            "no type" => ModelProto.Pieces().Message(3, spec => spec.Number(4, 0)).ToArray(),
            "suffix" => ModelProto.Small(trainer: spec => spec.Number(24, 1)),
            "charsmap" => ModelProto.Small(normalizer: spec => spec.Bytes(2, [1, 2, 3])),
            "collapse" => ModelProto.Small(normalizer: spec => spec.Number(4, 1)),
            "no escape" => ModelProto.Small(normalizer: spec => spec.Number(5, 0)),
            "denormalizer" => [.. ModelProto.Small(), .. new ModelProto().Message(5, spec => spec.Number(3, 1)).ToArray()],
            "user defined" => ModelProto.Small(further: ("x", 0, ModelProto.UserDefined)),
            "unused" => ModelProto.Small(further: ("x", 0, ModelProto.Unused)),
            "twice" => ModelProto.Small(further: ("ab", 0, ModelProto.Normal)),
            "empty" => ModelProto.Small(further: ("", 0, ModelProto.Normal)),
            "long" => ModelProto.Small(further: (new string('a', 129), 0, ModelProto.Normal)),
            "score" => ModelProto.Small(further: ("x", float.NaN, ModelProto.Normal)),
            "byte" => ModelProto.Small(further: ("byte", 0, ModelProto.Byte)),
            "character" => ModelProto.Small(further: ("zz", 0, ModelProto.Normal)),
            "not UTF-8" => [.. ModelProto.Pieces().ToArray(), .. new ModelProto().Message(1, piece => piece.Bytes(1, [0xFF])).ToArray()],
            "unknown id" => ModelProto.Small(trainer: spec => spec.Number(40, 1)),
            "begin id" => ModelProto.Small(trainer: spec => spec.Number(41, 4)),
            "end id" => ModelProto.Small(trainer: spec => spec.Number(42, 99)),
            "bytes" => ModelProto.Small(trainer: spec => spec.Number(35, 1)),
            "length" => [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F],
            "varint" => [0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            "group" => [0x33],
            "field zero" => [0x02, 0x00],
            "wire" => [0x08, 0x00],
            _ => [],
        };
        FormatException refusal = Assert.Throws<TokenizerException>(() => BpeTokenizer.ParseModel(model));
        Assert.StartsWith("tokenizer.model: ", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(expected, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Added_tokens_of_the_config_are_checked()
    {
        Assert.Contains("tokenizer_config.json: field 'added_tokens_decoder.x': expected an id", Refusal("""{"x":{"content":"<pad>"}}"""), StringComparison.Ordinal);
        Assert.Contains("expected the id of '<pad>' or a free one", Refusal("""{"4":{"content":"<pad>"}}"""), StringComparison.Ordinal);

        static string Refusal(string added) => Assert.Throws<TokenizerException>(
            () => BpeTokenizer.ParseModel(ModelProto.Small(), Encoding.UTF8.GetBytes($$"""{"added_tokens_decoder":{{added}} }"""))).Message;
    }

    [Fact]
    public void Mutations_are_read_or_refused()
    {
        byte[] good = ModelProto.Small(trainer: spec => spec.Number(40, 0).Number(43, -1).Text(46, "<s>"), further: ("▁ab", -3, ModelProto.Normal));
        var random = new RandomStream(33, "mutations");
        int refused = 0;
        for (int n = 0; n < 20_000; n++)
        {
            try
            {
                BpeTokenizer tokenizer = BpeTokenizer.ParseModel(Mutation.Of(good, random));
                tokenizer.Decode(tokenizer.Encode("abc ab</s> é", allowSpecial: true));
            }
            catch (TokenizerException fault)
            {
                Assert.DoesNotContain('\n', fault.Message);
                refused++;
            }
        }
        Assert.InRange(refused, 8_000, 19_900);
    }
}
