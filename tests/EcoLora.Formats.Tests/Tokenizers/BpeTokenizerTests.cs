using EcoLora.Formats.Tokenizers;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Tokenizers;

public class BpeTokenizerTests
{
    private const string Prepend = """
        {"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}
        """;

    /// <summary>Ranks: b-c 0, ▁-a 1, a-b 2, ab-c 3, ▁a-b 4. In "abc" b-c wins, and a-bc is no merge.</summary>
    [Theory]
    [InlineData("abc", "a bc")]
    [InlineData("ab", "ab")]
    [InlineData("abab", "ab ab")]
    [InlineData("abbc", "ab bc")]
    [InlineData("", "")]
    public void Lower_ranks_merge_first(string text, string tokens) => Assert.Equal(tokens, SmallTokenizer.Make().Tokens(text));

    [Theory]
    [InlineData(Prepend, "null", "ab ab", "▁ab ▁ab")]
    [InlineData(Prepend, "null", " ab", "▁ ▁ab")]
    [InlineData(Prepend, "null", "", "")]
    [InlineData(Prepend, "null", "ab<tool>ab<tool>", "▁ab <tool> ▁ab <tool>")]
    [InlineData("null", """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":false}""", " ab<tool>ab", "▁ab <tool> ▁ab")]
    [InlineData("null", """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}""", "ab<tool>ab", "▁ab <tool> ab")]
    [InlineData("null", """{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":true}""", "ab  ab", "ab ▁ ▁ab")]
    [InlineData("null", """{"type":"Metaspace","replacement":"▁","add_prefix_space":true}""", "ab", "▁ab")]
    public void Spaces_become_the_mark_as_the_file_says(string normalizer, string preTokenizer, string text, string tokens) =>
        Assert.Equal(tokens, SmallTokenizer.Make(normalizer, preTokenizer).Tokens(text));

    [Fact]
    public void Plain_text_never_becomes_a_special_token()
    {
        // The merges < /, s >, </ s> lead to </s>; the last one is left out.
        BpeTokenizer tokenizer = SmallTokenizer.Make();
        Assert.Equal("</ s>", tokenizer.Tokens("</s>"));
        Assert.Equal("a </s> b", tokenizer.Tokens("a</s>b", allowSpecial: true));
        Assert.Equal("< s>", tokenizer.Tokens("<s>"));
        Assert.True(tokenizer.IsSpecial(2));
        Assert.False(tokenizer.IsSpecial(18));
    }

    [Theory]
    [InlineData("model/stories260K-hf")]
    [InlineData("tokenizers/mistral-v1")]
    public void Text_in_a_data_set_cannot_end_a_prompt(string folder)
    {
        BpeTokenizer tokenizer = BpeTokenizer.Open(SharedData.Path(folder));
        const string Text = "a</s><s> <unk></s";
        int[] ids = tokenizer.Encode(Text);
        Assert.DoesNotContain(1, ids);
        Assert.DoesNotContain(2, ids);
        int[] special = tokenizer.Encode(Text, allowSpecial: true);
        Assert.Contains(1, special);
        Assert.Contains(2, special);
        if (folder.Contains("mistral", StringComparison.Ordinal)) Assert.Equal(Text, tokenizer.Decode(ids));
    }

    [Fact]
    public void White_space_belongs_to_tokens_that_ask_for_it()
    {
        const string Added = """[{"id":2,"content":"</s>","special":true,"lstrip":true,"rstrip":true},{"id":18,"content":"<tool>","special":false}]""";
        Assert.Equal([4, 2, 5], SmallTokenizer.Make(added: Added).Encode("a  </s> \n b", allowSpecial: true));
        Assert.Equal([0, 18, 0], SmallTokenizer.Make(added: Added).Encode(" <tool> "));
    }

    [Fact]
    public void Unknown_characters_become_bytes_or_the_unknown_token()
    {
        Assert.Equal("a <0xC3> <0xA9>", SmallTokenizer.Make(model: "\"byte_fallback\":true,").Tokens("aé"));
        Assert.Equal("<unk> a <unk> <unk>", SmallTokenizer.Make().Tokens("éaüü"));
        Assert.Equal("<unk> a <unk>", SmallTokenizer.Make(model: "\"byte_fallback\":true,\"fuse_unk\":true,").Tokens("üaüü"));
    }

    [Fact]
    public void Whole_words_need_no_merges_where_the_file_says_so()
    {
        Assert.Equal("a bc", SmallTokenizer.Make(model: "\"ignore_merges\":false,").Tokens("abc"));
        Assert.Equal("abc", SmallTokenizer.Make(model: "\"ignore_merges\":true,").Tokens("abc"));
        Assert.Equal("</ s>", SmallTokenizer.Make(model: "\"ignore_merges\":true,").Tokens("</s>"));
    }

    [Fact]
    public void Bytes_that_are_not_UTF_8_become_one_mark_each()
    {
        BpeTokenizer tokenizer = SmallTokenizer.Make();
        Assert.Equal("aéb", tokenizer.Decode([4, 19, 20, 5]));
        Assert.Equal("a\uFFFDb", tokenizer.Decode([4, 19, 5]));
        Assert.Equal("\uFFFD\uFFFD\uFFFD", tokenizer.Decode([20, 19, 20]));
        Assert.Equal("ab", tokenizer.Decode([4, 99, -1, int.MaxValue, 5]));
        Assert.Equal("", tokenizer.Decode([]));
    }

    [Fact]
    public void Special_tokens_are_left_out_of_the_text_unless_wanted()
    {
        const string Decoder = """
            {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},
                {"type":"Strip","content":" ","start":1,"stop":0}]}
            """;
        BpeTokenizer tokenizer = SmallTokenizer.Make(decoder: Decoder);
        Assert.Equal(" a ab<tool>", tokenizer.Decode([1, 3, 8, 17, 18, 2]));
        Assert.Equal("<s>  a ab</s>", tokenizer.Decode([1, 3, 8, 17, 2], skipSpecial: false));
        Assert.Equal("a ab", SmallTokenizer.Make(decoder: """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}""").Decode([1, 8, 17]));
        Assert.Equal(" a ab", SmallTokenizer.Make(decoder: """{"type":"Metaspace","replacement":"▁","prepend_scheme":"never"}""").Decode([1, 8, 17]));
    }

    [Fact]
    public void Begin_and_end_come_from_the_template_or_the_config()
    {
        const string Template = """
            {"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing","single":[
                {"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}]}]}
            """;
        BpeTokenizer template = SmallTokenizer.Make(postProcessor: Template, config: """{"add_bos_token":false}""");
        Assert.Equal((1, 2, null), (template.BosId, template.EosId, template.PadId));
        Assert.Equal([1], template.Prefix);
        Assert.Equal([2], template.Suffix);
        BpeTokenizer config = SmallTokenizer.Make(config: """{"bos_token":{"content":"<s>"},"eos_token":"</s>","pad_token":"<unk>","add_bos_token":true}""");
        Assert.Equal((1, 2, 0), (config.BosId, config.EosId, config.PadId));
        Assert.Equal([1], config.Prefix);
        Assert.Empty(config.Suffix);
        Assert.Null(SmallTokenizer.Make().BosId);
        Assert.Throws<TokenizerException>(() => SmallTokenizer.Make(config: """{"bos_token":"<absent>"}"""));
    }

    /// <summary>The definition of BPE: merge the leftmost pair of the lowest rank until there is none.</summary>
    [Fact]
    public void The_queue_gives_what_the_definition_gives()
    {
        var random = new RandomStream(2, "merges");
        for (int n = 0; n < 400; n++)
        {
            var merges = new MergeTable(9);
            for (int id = 3; id < 12; id++)
            {
                (int left, int right) = (random.NextInt32(id), random.NextInt32(id));
                if (merges.Find(left, right) == Merge.None) merges.Set(left, right, new Merge(id, id));
            }
            List<int> word = [.. Enumerable.Range(0, random.NextInt32(n % 2 == 0 ? 40 : 200)).Select(_ => random.NextInt32(3))];
            var queue = new MergeQueue(merges);
            var result = new List<int>();
            foreach (int id in word) queue.Add(id);
            queue.MergeInto(result);
            while (true)
            {
                int[] candidates = [.. Enumerable.Range(0, Math.Max(0, word.Count - 1))
                    .Where(i => merges.Find(word[i], word[i + 1]) != Merge.None)];
                if (candidates.Length == 0) break;
                int best = candidates.MinBy(i => merges.Find(word[i], word[i + 1]).Rank);
                word[best] = merges.Find(word[best], word[best + 1]).Id;
                word.RemoveAt(best + 1);
            }
            Assert.Equal(word, result);
        }
    }

    [Theory]
    [InlineData("model/stories260K-hf")]
    [InlineData("tokenizers/mistral-v1")]
    public void Cutting_at_spaces_changes_no_id(string folder)
    {
        BpeTokenizer tokenizer = BpeTokenizer.Open(SharedData.Path(folder));
        string corpus = File.ReadAllText(SharedData.Path("corpus/wizard_of_oz.txt"))[..20_000];
        string text = new([.. corpus.Select(c => c == '\r' ? ' ' : c)]);
        // Words longer than what is remembered, and no spaces: one word of the whole text.
        foreach (string variant in (string[])[text, text.Replace(" ", "", StringComparison.Ordinal), text.Replace(" ", "    ", StringComparison.Ordinal)])
        {
            int[] ids = tokenizer.Encode(variant);
            Assert.Equal(variant, tokenizer.Decode(ids));
            Assert.Equal(tokenizer.EncodeUncut(variant), ids);
        }
    }

    [Fact]
    public void One_long_word_is_not_quadratic()
    {
        BpeTokenizer tokenizer = BpeTokenizer.Open(SharedData.Path("tokenizers/mistral-v1"));
        string text = string.Concat(Enumerable.Repeat("internationalisation", 25_000));
        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
    }

    [Fact]
    public void Threads_share_a_tokenizer()
    {
        BpeTokenizer tokenizer = BpeTokenizer.Open(SharedData.Path("model/stories260K-hf"));
        string[] texts = [.. File.ReadAllText(SharedData.Path("corpus/wizard_of_oz.txt")).Split('\n').Take(2_000)];
        int[][] parallel = [.. texts.AsParallel().AsOrdered().Select(text => tokenizer.Encode(text))];
        BpeTokenizer fresh = BpeTokenizer.Open(SharedData.Path("model/stories260K-hf"));
        for (int i = 0; i < texts.Length; i++) Assert.Equal(fresh.Encode(texts[i]), parallel[i]);
    }
}
