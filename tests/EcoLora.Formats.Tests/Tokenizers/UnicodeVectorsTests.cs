using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EcoLora.Formats.Tokenizers;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Tokenizers;

/// <summary>Against Python's modules regex and unicodedata: tools/golden/tokenizer_vectors.py.</summary>
public class UnicodeVectorsTests
{
    private static readonly JsonElement s_golden = JsonElement.Parse(File.ReadAllBytes(
        Path.Combine(Repository.Root, "tests", "EcoLora.Formats.Tests", "Tokenizers", "golden", "tokenizer.json")));

    [Theory]
    [InlineData(WordSplit.Gpt2)]
    [InlineData(WordSplit.Llama3)]
    [InlineData(WordSplit.Qwen2)]
    public void Texts_are_cut_as_the_regular_expression_cuts_them(object split)
    {
        int texts = 0;
        foreach (JsonElement vector in s_golden.GetProperty("splits").EnumerateArray())
        {
            if (vector[0].GetString() != split.ToString()) continue;
            string[] expected = vector[1].Deserialize<string[]>()!;
            var words = new List<string>();
            for (string rest = string.Concat(expected); rest.Length > 0; rest = rest[words[^1].Length..])
                words.Add(rest[..WordScanner.Next((WordSplit)split, rest)]);
            Assert.Equal(expected, words);
            texts++;
        }
        Assert.True(texts > 500);
    }

    [Fact]
    public void Composed_forms_are_those_of_Unicode()
    {
        foreach (JsonElement pair in s_golden.GetProperty("composed").EnumerateArray()) Assert.Equal(pair[1].GetString(), Nfc.Of(pair[0].GetString()!));
        Assert.Equal("a\uFFFD\u00E9", Nfc.Of("a\uD800e\u0301"));
    }

    [Fact]
    public void Every_character_alone_and_between_marks_has_its_composed_form()
    {
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (JsonElement range in s_golden.GetProperty("assigned").EnumerateArray())
            for (int code = range[0].GetInt32(); code <= range[1].GetInt32(); code++)
            {
                string character = char.ConvertFromUtf32(code);
                foreach (string text in (string[])[character, "a\u0345\u0323" + character + "\u0301\u0323", character + "\u1161"])
                    digest.AppendData(Encoding.UTF8.GetBytes(Nfc.Of(text) + "\n"));
            }
        Assert.Equal(s_golden.GetProperty("composed_digest").GetString(), Convert.ToHexStringLower(digest.GetHashAndReset()));
    }

    [Fact]
    public void A_long_run_of_marks_is_ordered_and_not_quadratic()
    {
        string marks = string.Concat(Enumerable.Repeat("\u0301\u0323", 100_000));
        Assert.Equal("\u1EA1" + new string('\u0323', 99_999) + new string('\u0301', 100_000), Nfc.Of("a" + marks));
    }

    [Fact]
    public void A_tokenizer_with_NFC_gives_both_spellings_the_same_ids()
    {
        BpeTokenizer composing = SmallTokenizer.Make(normalizer: """{"type":"NFC"}""", model: "\"byte_fallback\":true,");
        Assert.Equal("a <0xC3> <0xA9>", composing.Tokens("ae\u0301"));
        Assert.Equal("<tool> <0xC3> <0xA9>", composing.Tokens("<tool>e\u0301"));
    }
}
