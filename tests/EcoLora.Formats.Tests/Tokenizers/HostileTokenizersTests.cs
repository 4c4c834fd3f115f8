using System.Text;
using EcoLora.Formats.Tokenizers;
using EcoLora.Numerics;

namespace EcoLora.Formats.Tests.Tokenizers;

public class HostileTokenizersTests
{
    [Theory]
    [InlineData("normalizer", """{"type":"NFKC"}""", "field 'normalizer.type': expected NFC, Prepend, Replace or Sequence, found \"NFKC\"")]
    [InlineData("normalizer", """{"type":"Prepend","prepend":"aaaaaaaaaaaaaaaaaaaaaaaa"}""", "expected at most 16 characters")]
    [InlineData("normalizer", """{"type":"Replace","pattern":{"String":"a"},"content":"aa"}""", "expected at most 1 characters, as the pattern has")]
    [InlineData("normalizer", """{"type":"Replace","pattern":{"Regex":"a+"},"content":""}""",
        "field 'normalizer.pattern.String': expected a string, found no such field")]
    [InlineData("pre_tokenizer", """{"type":"BertPreTokenizer"}""", "field 'pre_tokenizer.type': expected ByteLevel, Digits, Metaspace, Sequence or Split")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"(a+)+$"},"behavior":"Isolated"}""", "expected the pattern of GPT-2, Llama 3 or Qwen2")]
    [InlineData("pre_tokenizer", """{"type":"Digits"}""", "expected ByteLevel after a split")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace","replacement":"_"}""", "field 'pre_tokenizer.replacement': expected ▁, found \"_\"")]
    [InlineData("pre_tokenizer", "[]", "field 'pre_tokenizer': expected an object, found a list")]
    [InlineData("post_processor", """{"type":"BertProcessing"}""", "field 'post_processor.type': expected ByteLevel, Sequence or TemplateProcessing")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<absent>"}}]}""",
        "expected a token of the vocabulary, found \"<absent>\"")]
    [InlineData("decoder", "null", "field 'decoder.type': expected ByteFallback")]
    [InlineData("decoder", """{"type":"WordPiece"}""",
        "field 'decoder.type': expected ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence or Strip, found \"WordPiece\"")]
    [InlineData("added_tokens", """[{"id":2,"content":""}]""", "field 'added_tokens[0].content': expected a text that is not empty")]
    [InlineData("added_tokens", """[{"id":3,"content":"</s>"}]""", "field 'added_tokens[0].id': expected the id of '</s>' or a free one, found 3")]
    [InlineData("added_tokens", """[{"id":3,"content":"new"}]""", "expected the id of 'new' or a free one")]
    [InlineData("added_tokens", """[{"id":2000000000,"content":"new"}]""", "expected an integer from 0 to 16777215, found 2000000000")]
    [InlineData("added_tokens", """[{"id":99,"content":"new","single_word":true}]""", "field 'added_tokens[0].single_word': expected false, found true")]
    [InlineData("vocab", "{}", "field 'model.vocab': expected at least one token")]
    [InlineData("vocab", "[]", "field 'model.vocab': expected an object, found a list")]
    [InlineData("vocab", """{"a":1,"b":1}""", "field 'model.vocab.b': expected an id of its own, not that of 'a', found 1")]
    [InlineData("vocab", """{"a":-1}""", "expected an integer from 0 to 16777215, found -1")]
    [InlineData("vocab", """{"a":1,"a":2}""", "expected well-formed JSON")]
    [InlineData("merges", """["a b","a"]""", "field 'model.merges[1]': expected two tokens with one space between them, found \"a\"")]
    [InlineData("merges", """["a b c"]""", "expected two tokens with one space between them")]
    [InlineData("merges", """[" ab"]""", "expected two tokens with one space between them")]
    [InlineData("merges", """[["a","b","c"]]""", "expected a list of two tokens")]
    [InlineData("merges", """["a c"]""", "expected two tokens whose merge is in the vocabulary, found \"a c\"")]
    [InlineData("merges", """["z b"]""", "expected two tokens whose merge is in the vocabulary")]
    [InlineData("merges", "{}", "field 'model.merges': expected a list, found an object")]
    [InlineData("model", "\"dropout\":0.1,", "field 'model.dropout': expected null, found 0.1")]
    [InlineData("model", "\"continuing_subword_prefix\":\"##\",", "field 'model.continuing_subword_prefix': expected null, found \"##\"")]
    [InlineData("model", "\"byte_fallback\":1,", "field 'model.byte_fallback': expected true or false, found 1")]
    public void What_is_wrong_or_unknown_is_refused_with_its_place(string part, string value, string expected)
    {
        FormatException refusal = Assert.Throws<TokenizerException>(() => part switch
        {
            "normalizer" => SmallTokenizer.Make(normalizer: value),
            "pre_tokenizer" => SmallTokenizer.Make(preTokenizer: value),
            "post_processor" => SmallTokenizer.Make(postProcessor: value),
            "decoder" => SmallTokenizer.Make(decoder: value),
            "added_tokens" => SmallTokenizer.Make(added: value),
            "vocab" => SmallTokenizer.Make(vocabulary: value, added: "[]", merges: "[]"),
            "merges" => SmallTokenizer.Make(merges: value),
            _ => SmallTokenizer.Make(model: value),
        });
        Assert.StartsWith("tokenizer.json: ", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(expected, refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refusal.Message);
    }

    [Theory]
    [InlineData("Unigram")]
    [InlineData("WordPiece")]
    [InlineData("WordLevel")]
    public void Other_models_are_refused(string type)
    {
        byte[] json = Encoding.UTF8.GetBytes($$"""{"model":{"type":"{{type}}","vocab":[]} }""");
        Assert.Equal($"tokenizer.json: field 'model.type': expected BPE, found \"{type}\"",
            Assert.Throws<TokenizerException>(() => BpeTokenizer.Parse(json)).Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"model\":null}")]
    [InlineData("{\"\\ud800\":1}")]
    [InlineData("{\"model\":{\"vocab\":{\"\\ud800\":1}}}")]
    public void What_is_no_tokenizer_at_all_is_refused(string json) =>
        Assert.Throws<TokenizerException>(() => BpeTokenizer.Parse(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void Deep_nesting_and_other_bytes_are_refused()
    {
        Assert.Throws<TokenizerException>(() => BpeTokenizer.Parse(Encoding.UTF8.GetBytes("{\"normalizer\":" + new string('[', 1_000_000))));
        Assert.Throws<TokenizerException>(() => BpeTokenizer.Parse([.. "{\"a\":\""u8, 0xFF, .. "\"}"u8]));
    }

    [Fact]
    public void Mutations_are_read_or_refused()
    {
        string good = $$"""
            {"added_tokens":{{SmallTokenizer.Added}},
            "normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
            "pre_tokenizer":null,
            "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0} },{"Sequence":{"id":"A"} }]},
            "decoder":{"type":"ByteFallback"},
            "model":{"type":"BPE","unk_token":"<unk>","vocab":{{SmallTokenizer.Vocabulary}},"merges":{{SmallTokenizer.Merges}} } }
            """;
        BpeTokenizer.Parse(Encoding.UTF8.GetBytes(good));
        var random = new RandomStream(31, "mutations");
        int refused = 0;
        for (int n = 0; n < 5_000; n++)
        {
            try
            {
                BpeTokenizer tokenizer = BpeTokenizer.Parse(Mutation.Of(Encoding.UTF8.GetBytes(good), random));
                tokenizer.Decode(tokenizer.Encode("abc ab</s> <tool>é", allowSpecial: true));
            }
            catch (TokenizerException fault)
            {
                Assert.DoesNotContain('\n', fault.Message);
                refused++;
            }
        }
        Assert.InRange(refused, 2_000, 4_950);
    }
}
