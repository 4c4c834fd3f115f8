using System.Text.Json;
using System.Text.RegularExpressions;
using EcoLora.Formats.Tokenizers;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Tokenizers;

public class ByteLevelTests
{
    [Fact]
    public void The_ids_of_a_source_file_are_those_of_GPT_2()
    {
        BpeTokenizer tokenizer = Gpt2.Open();
        string text = File.ReadAllText(SharedData.Path("tokenizers/gpt2/kat-dotnet/lib.rs.txt"));
        int[] known = JsonSerializer.Deserialize<int[]>(File.ReadAllBytes(SharedData.Path("tokenizers/gpt2/kat-dotnet/tokens_gpt2.json")))!;
        Assert.Equal(known, tokenizer.Encode(text));
        Assert.Equal(text, tokenizer.Decode(known));
    }

    /// <summary>Ids as GPT-2's own encoder gives them (openai/gpt-2, encoder.py); "Hello world" is the usual example.</summary>
    [Fact]
    public void Special_tokens_need_permission()
    {
        BpeTokenizer tokenizer = Gpt2.Open();
        Assert.Equal([15496, 995], tokenizer.Encode("Hello world"));
        Assert.Equal([15496, 50256], tokenizer.Encode("Hello<|endoftext|>", allowSpecial: true));
        Assert.DoesNotContain(50256, tokenizer.Encode("Hello<|endoftext|>"));
        Assert.Equal("Hello<|endoftext|>", tokenizer.Decode(tokenizer.Encode("Hello<|endoftext|>")));
        Assert.Equal("Hello", tokenizer.Decode([15496, 50256]));
        Assert.Equal("Hello<|endoftext|>", tokenizer.Decode([15496, 50256], skipSpecial: false));
    }

    [Theory]
    [InlineData(WordSplit.Gpt2, WordScanner.Gpt2Pattern)]
    [InlineData(WordSplit.Llama3, WordScanner.Llama3Pattern)]
    [InlineData(WordSplit.SingleDigits, @"\p{N}|\P{N}+")]
    [InlineData(WordSplit.DigitRuns, @"\p{N}+|\P{N}+")]
    public void The_scanner_cuts_as_the_regular_expression_does(object split, string pattern)
    {
        string[] pieces = ["a", "B", "é", "ß", "字", "'", "'s", "'LL", "'d", "'Re", "1", "23", "½", "٣", " ", "  ", "\t", "\n", "\r\n", "\u00A0", "\u3000",
            "\u0085", ".", "!?", "_", "-", "\u0301", "€", "\u200B"];
        var random = new RandomStream(1, "splits");
        for (int n = 0; n < 3_000; n++)
        {
            string text = string.Concat(Enumerable.Range(0, 1 + random.NextInt32(12)).Select(_ => pieces[random.NextInt32(pieces.Length)]));
            var words = new List<string>();
            for (string rest = text; rest.Length > 0; rest = rest[words[^1].Length..]) words.Add(rest[..WordScanner.Next((WordSplit)split, rest)]);
            Assert.Equal(Regex.Matches(text, pattern).Select(m => m.Value), words);
        }
    }

    [Fact]
    public void Characters_outside_the_basic_plane_count_as_letters_and_numbers()
    {
        Assert.Equal(4, WordScanner.Next(WordSplit.Gpt2, "𝐀𝐁 x"));
        Assert.Equal(2, WordScanner.Next(WordSplit.Gpt2, "𝟏a"));
        Assert.Equal(3, WordScanner.Next(WordSplit.Gpt2, " 😀a"));
        Assert.Equal(6, WordScanner.Next(WordSplit.Llama3, "𝟏𝟏𝟏𝟏"));
    }

    /// <summary>The words' own ids, so that a cut in the wrong place shows: GPT-2 has single tokens for "123", " 12" and " world".</summary>
    [Theory]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":false}""", "a 123", "a Ġ123")]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":true}""", "world", "Ġworld")]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":true}""", " world", "Ġworld")]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}""", "a 123", "a Ġ123")]
    [InlineData("""{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false}]}""",
        "a 123", "a Ġ 1 2 3")]
    [InlineData("""{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":false},{"type":"ByteLevel","add_prefix_space":false}]}""",
        "a 123", "a Ġ 123")]
    public void Words_are_cut_as_the_file_says(string preTokenizer, string text, string tokens)
    {
        BpeTokenizer tokenizer = Gpt2.Open(preTokenizer);
        Assert.Equal(tokens, string.Join(' ', tokenizer.Encode(text).Select(tokenizer.TokenOf)));
    }

    [Fact]
    public void Llama_3_files_spell_their_pattern_out()
    {
        string pattern = JsonSerializer.Serialize(WordScanner.Llama3Pattern);
        BpeTokenizer tokenizer = Gpt2.Open($$"""
            {"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":{{pattern}} },"behavior":"Isolated","invert":false},
                {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}
            """);
        Assert.Equal("123 4 Ġ 5", string.Join(' ', tokenizer.Encode("1234 5").Select(tokenizer.TokenOf)));
    }

    [Fact]
    public void Cut_off_UTF_8_decodes_to_replacement_characters()
    {
        BpeTokenizer tokenizer = Gpt2.Open();
        int[] ids = tokenizer.Encode("🦙");
        Assert.True(ids.Length > 1);
        Assert.Equal("🦙", tokenizer.Decode(ids));
        Assert.Equal("\uFFFD", tokenizer.Decode(ids.AsSpan(0, ids.Length - 1)));
    }

    [Fact]
    public void A_lone_surrogate_is_a_replacement_character()
    {
        BpeTokenizer tokenizer = Gpt2.Open();
        Assert.Equal("a\uFFFDb", tokenizer.Decode(tokenizer.Encode("a\ud800b")));
    }
}
