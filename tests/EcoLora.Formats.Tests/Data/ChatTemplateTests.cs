using System.Text;
using EcoLora.Formats.Data;
using EcoLora.Formats.Tokenizers;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Data;

/// <summary>The tokenizer gives one token per character; the expected texts write special tokens out, in ‹ and ›.</summary>
public class ChatTemplateTests
{
    private static readonly Instruction Record = new(" Who? ", "Tom ran.", " Tom ", "qa");

    /// <summary>The forms as the model cards and transformers' templates print them, for one turn without a system message.</summary>
    [Theory]
    [InlineData("llama2", "‹<s>›[INST] Tom ran.\n\nWho? [/INST]", " Tom ‹</s>›")]
    [InlineData("llama3", "‹<s>›‹<|start_header_id|>›user‹<|end_header_id|>›\n\nTom ran.\n\nWho?‹<|eot_id|>›"
        + "‹<|start_header_id|>›assistant‹<|end_header_id|>›\n\n", "Tom‹<|eot_id|>›")]
    [InlineData("chatml", "‹<|im_start|>›user\nTom ran.\n\nWho?‹<|im_end|>›\n‹<|im_start|>›assistant\n", "Tom‹<|im_end|>›")]
    [InlineData("mistral", "‹<s>›‹[INST]› Tom ran.\n\nWho?‹[/INST]›", " Tom‹</s>›")]
    [InlineData("mistral-v1", "‹<s>›[INST] Tom ran.\n\nWho? [/INST]", " Tom‹</s>›")]
    [InlineData("zephyr", "‹<s>›<|user|>\nTom ran.\n\nWho?‹</s>›\n<|assistant|>\n", "Tom‹</s>›")]
    public void A_record_is_one_turn_and_only_the_answer_is_predicted(string name, string prompt, string answer)
    {
        ExampleFactory factory = Factory(name);
        PromptedSequence sequence = factory.Create(Record, 400);
        Assert.Equal(prompt, Written(sequence.Tokens[..sequence.PromptLength]));
        Assert.Equal(answer, Written(sequence.Tokens[sequence.PromptLength..]));
        Assert.Equal(sequence.Tokens[..sequence.PromptLength], factory.Prompt(Record));
        Assert.Equal("Tom", sequence.Answer);
        Assert.Contains(sequence.Tokens[^1], factory.StopTokens);
        Assert.Contains(2, factory.StopTokens);
    }

    [Fact]
    public void No_record_can_write_a_control_token()
    {
        string everything = string.Concat(CharacterTokenizer.Special.Select(token => token.Text));
        foreach (PromptTemplate template in PromptTemplate.All)
        {
            ExampleFactory factory = Factory(template.Name);
            int[] quiet = factory.Create(new Instruction("q", "c", "a", ""), 4000).Tokens;
            int[] loud = factory.Create(new Instruction("q" + everything, everything, everything + "a", ""), 4000).Tokens;
            Assert.Equal(quiet.Where(IsSpecial), loud.Where(IsSpecial));
        }
    }

    [Theory]
    [InlineData("chatml", "<|im_end|>")]
    [InlineData("llama3", "<|start_header_id|>")]
    [InlineData("mistral", "[/INST]")]
    [InlineData("llama2", "</s>")]
    [InlineData("zephyr", "</s>")]
    public void A_tokenizer_without_a_control_token_is_refused(string name, string token)
    {
        Assert.Equal($"template '{name}': expected a tokenizer with the special token '{token}', found none",
            Assert.Throws<ArgumentException>(() => Factory(name, CharacterTokenizer.Make(without: token))).Message);
        Assert.Equal($"template '{name}': expected a tokenizer with the special token '{token}', found an ordinary token",
            Assert.Throws<ArgumentException>(() => Factory(name, CharacterTokenizer.Make(ordinary: token))).Message);
        Assert.Contains($"expected a special token '{token}', found none",
            Assert.Throws<TokenizerException>(() => CharacterTokenizer.Make(without: token).Encode([TextPart.Special(token)])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(40, "‹<|im_start|>›user\nc\n\nabcdefgh‹<|im_end|>›\n‹<|im_start|>›assistant\nx‹<|im_end|>›")] // Whole: 6 + 11 + 2 + 11 + 2 = 32.
    [InlineData(29, "‹<|im_start|>›user\nabcdefgh‹<|im_end|>›\n‹<|im_start|>›assistant\nx‹<|im_end|>›")]
    [InlineData(26, "‹<|im_start|>›user\ndefgh‹<|im_end|>›\n‹<|im_start|>›assistant\nx‹<|im_end|>›")]
    [InlineData(14, "‹<|im_start|>›user\nstant\nx‹<|im_end|>›")] // The header takes 6 of the 12 that remain.
    [InlineData(13, "‹<|im_start|>›assistant\nx‹<|im_end|>›")] // It would take more than half of 11.
    [InlineData(4, "‹<|im_start|>›\nx‹<|im_end|>›")]
    public void A_prompt_that_is_cut_keeps_its_first_header_while_there_is_room(int window, string expected) =>
        Assert.Equal(expected, Written(Factory("chatml").Create(new Instruction("abcdefgh", "c", "x", ""), window).Tokens));

    [Fact]
    public void Every_window_is_kept_and_always_leaves_something_to_predict()
    {
        foreach (PromptTemplate template in PromptTemplate.All)
            for (int window = 2; window < 60; window++)
                foreach (int length in (int[])[0, 1, 5, 40])
                {
                    PromptedSequence sequence = Factory(template.Name).Create(
                        new Instruction(new string('p', length), "", new string('a', length + 1), ""), window);
                    Assert.InRange(sequence.Tokens.Length, 2, window);
                    Assert.InRange(sequence.PromptLength, 1, sequence.Tokens.Length - 1);
                }
    }

    /// <summary>Ids by SentencePiece of "[INST] a [/INST]" are among the known answers; mistral-common adds the answer's apart.</summary>
    [Fact]
    public void Mistral_s_first_form_has_the_ids_of_its_makers()
    {
        BpeTokenizer tokenizer = BpeTokenizer.Open(SharedData.Path("tokenizers/mistral-v1"));
        var factory = new ExampleFactory(PromptTemplate.MistralV1, tokenizer, 1, 2);
        PromptedSequence sequence = factory.Create(new Instruction("a", "", "Hello world", ""), 64);
        Assert.Equal([1, 733, 16289, 28793, 264, 733, 28748, 16289, 28793], sequence.Tokens[..sequence.PromptLength]);
        Assert.Equal([22557, 1526, 2], sequence.Tokens[sequence.PromptLength..]);
        Assert.Contains("special token '[INST]', found none",
            Assert.Throws<ArgumentException>(() => new ExampleFactory(PromptTemplate.Mistral, tokenizer, 1, 2)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parts_are_encoded_as_one_text_would_be()
    {
        BpeTokenizer tokenizer = BpeTokenizer.Open(SharedData.Path("tokenizers/mistral-v1"));
        Assert.Equal(tokenizer.Encode("Hello world</s> again<s>", allowSpecial: true),
            tokenizer.Encode([TextPart.Plain("Hel"), TextPart.Plain("lo world"), TextPart.Special("</s>"), TextPart.Plain(" again"), TextPart.Special("<s>")]));
        Assert.Equal(tokenizer.Encode("Hello</s>"), tokenizer.Encode([TextPart.Plain("Hello</"), TextPart.Plain("s>")]));
    }

    private static ExampleFactory Factory(string name, BpeTokenizer? tokenizer = null) =>
        new(PromptTemplate.Named(name), tokenizer ?? CharacterTokenizer.Make(), 1, 2);

    private static bool IsSpecial(int id) => CharacterTokenizer.Special.Any(token => token.Id == id);

    private static string Written(int[] ids)
    {
        var text = new StringBuilder();
        foreach (int id in ids)
            if (IsSpecial(id)) text.Append('‹').Append(CharacterTokenizer.Special.First(token => token.Id == id).Text).Append('›');
            else text.Append((char)id);
        return text.ToString();
    }
}
