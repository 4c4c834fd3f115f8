using System.Text;
using EcoLora.Formats.Tokenizers;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Tokenizers;

public class BpeTrainerTests
{
    /// <summary>
    /// "low low low lower": GPT-2's pattern cuts it into low, Ġlow ×2, Ġlower. Counts: l-o 4, o-w 4, Ġ-l 3, w-e 1, e-r 1.
    /// l &lt; o in the alphabet, so l-o comes first; then lo-w 4; then Ġ-low 3; nothing else occurs twice.
    /// </summary>
    [Fact]
    public void Merges_follow_counts_and_then_ids()
    {
        BpeTokenizer tokenizer = BpeTrainer.Train(["low low low lower"], 300);
        Assert.Equal(258 + 3, tokenizer.VocabularySize);
        Assert.Equal(["lo", "low", "Ġlow"], Enumerable.Range(258, 3).Select(tokenizer.TokenOf));
        Assert.Equal(["low", "Ġlow", "e", "r"], tokenizer.Encode("low lower").Select(tokenizer.TokenOf));
    }

    [Fact]
    public void Special_tokens_come_first_and_start_the_text()
    {
        BpeTokenizer tokenizer = BpeTrainer.Train(["aaaa"], 259, padding: true);
        Assert.Equal((0, 1, 2), (tokenizer.BosId, tokenizer.EosId, tokenizer.PadId));
        Assert.Equal("!", tokenizer.TokenOf(3));
        Assert.Equal([0], tokenizer.Prefix);
        Assert.Empty(tokenizer.Suffix);
        Assert.Null(BpeTrainer.Train(["aaaa"], 258).PadId);
    }

    [Fact]
    public void Overlapping_pairs_are_counted_as_they_merge()
    {
        BpeTokenizer tokenizer = BpeTrainer.Train(["aaaaaaa aaaaaaa"], 300);
        int[] ids = tokenizer.Encode("aaaaaaa");
        Assert.Equal("aaaaaaa", tokenizer.Decode(ids));
        Assert.True(ids.Length <= 2);
    }

    [Fact]
    public void The_same_corpus_gives_the_same_bytes_and_every_text_survives()
    {
        string corpus = File.ReadAllText(SharedData.Path("corpus/tinyshakespeare.txt"));
        using var folder = new TemporaryFolder();
        BpeTokenizer tokenizer = BpeTrainer.Train([corpus], 1024);
        tokenizer.Save(folder["first"]);
        BpeTrainer.Train([corpus], 1024).Save(folder["second"]);
        foreach (string file in (string[])["tokenizer.json", "tokenizer_config.json"])
            Assert.Equal(File.ReadAllBytes(Path.Combine(folder["first"], file)), File.ReadAllBytes(Path.Combine(folder["second"], file)));

        Assert.Equal(1024, tokenizer.VocabularySize);
        BpeTokenizer reread = BpeTokenizer.Open(folder["first"]);
        int[] ids = tokenizer.Encode(corpus);
        Assert.Equal(ids, reread.Encode(corpus));
        Assert.Equal(corpus, reread.Decode(ids));
        Assert.InRange((double)corpus.Length / ids.Length, 2.3, 4.0);

        var random = new RandomStream(1, "texts");
        for (int n = 0; n < 300; n++)
        {
            var text = new StringBuilder();
            for (int i = random.NextInt32(30); i > 0; i--)
                text.Append(random.NextInt32(3) == 0 ? new Rune(random.NextInt32(0xD800)) : new Rune(32 + random.NextInt32(96)));
            Assert.Equal(text.ToString(), tokenizer.Decode(tokenizer.Encode(text.ToString())));
        }
    }

    /// <summary>The definition: recount everything after every merge.</summary>
    [Fact]
    public void Incremental_counts_give_the_merges_of_a_full_recount()
    {
        var random = new RandomStream(3, "words");
        for (int n = 0; n < 40; n++)
        {
            string corpus = string.Join(' ', Enumerable.Range(0, 40)
                .Select(_ => string.Concat(Enumerable.Range(0, 1 + random.NextInt32(7)).Select(_ => "abc"[random.NextInt32(3)]))));
            BpeTokenizer tokenizer = BpeTrainer.Train([corpus], 290);
            Assert.Equal(TokensByRecount(corpus, 290 - 258), Enumerable.Range(258, tokenizer.VocabularySize - 258).Select(id => tokenizer.TokenOf(id)!));
        }
    }

    [Fact]
    public void Sizes_outside_the_range_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => BpeTrainer.Train([""], 257));
        Assert.Throws<ArgumentOutOfRangeException>(() => BpeTrainer.Train([""], 258, padding: true));
        Assert.Throws<ArgumentOutOfRangeException>(() => BpeTrainer.Train([""], 65_537));
        Assert.Equal(258, BpeTrainer.Train([], 300).VocabularySize);
    }

    private static List<string> TokensByRecount(string corpus, int most)
    {
        var words = new List<List<string>>();
        for (string rest = corpus; rest.Length > 0;)
        {
            string word = rest[..WordScanner.Next(WordSplit.Gpt2, rest)];
            words.Add([.. word.Select(c => c == ' ' ? "Ġ" : c.ToString())]);
            rest = rest[word.Length..];
        }
        // Ids of single characters follow their order; Ġ (U+0120) is after ASCII. Later tokens count from 1000 in order of birth.
        var tokens = new List<string>();
        int Id(string token) => token.Length == 1 ? token[0] : 1000 + tokens.IndexOf(token);
        while (tokens.Count < most)
        {
            var counts = words.SelectMany(w => w.Zip(w.Skip(1))).GroupBy(p => p).Select(g => (Pair: g.Key, Count: g.Count()))
                .Where(p => p.Count >= 2 && !tokens.Contains(p.Pair.First + p.Pair.Second))
                .OrderByDescending(p => p.Count).ThenBy(p => Id(p.Pair.First)).ThenBy(p => Id(p.Pair.Second)).ToArray();
            if (counts.Length == 0) break;
            (string left, string right) = counts[0].Pair;
            tokens.Add(left + right);
            foreach (List<string> word in words)
                for (int i = 0; i + 1 < word.Count; i++)
                    if (word[i] == left && word[i + 1] == right)
                    {
                        word[i] = left + right;
                        word.RemoveAt(i + 1);
                    }
        }
        return tokens;
    }
}
