using EcoLora.Formats.Data;

namespace EcoLora.Formats.Tests.Data;

/// <summary>The tokenizer here gives one token per character: its code. BOS is 1, EOS is 2; in the tests' texts ^ and $.</summary>
public class ExampleFactoryTests
{
    private static readonly Instruction Record = new(" Who? ", "Tom ran.", " Tom ", "qa");

    [Fact]
    public void The_plain_template_puts_the_question_last()
    {
        Assert.Equal("Tom ran.\nWho?\nA:", Text(PromptTemplate.Plain, Record));
        Assert.Equal("Who?\nA:", Text(PromptTemplate.Plain, Record with { Context = " " }));
        Assert.Equal(" Tom", PromptTemplate.Plain.Answer(Record));
    }

    [Fact]
    public void The_alpaca_template_has_its_two_wordings()
    {
        Assert.Equal("Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately "
            + "completes the request.\n\n### Instruction:\nWho?\n\n### Input:\nTom ran.\n\n### Response:\n", Text(PromptTemplate.Alpaca, Record));
        Assert.Equal("Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nWho?\n\n"
            + "### Response:\n", Text(PromptTemplate.Alpaca, Record with { Context = "" }));
        Assert.Equal("Tom", PromptTemplate.Alpaca.Answer(Record));
    }

    [Fact]
    public void Templates_are_found_by_name()
    {
        Assert.All(PromptTemplate.All, template => Assert.Same(template, PromptTemplate.Named(template.Name)));
        Assert.Contains(
            "template 'chat': expected alpaca or plain or llama2 or llama3 or chatml or mistral or mistral-v1 or zephyr", Assert.Throws<ArgumentException>(() => PromptTemplate.Named("chat")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_record_that_fits_is_BOS_prompt_answer_EOS()
    {
        PromptedSequence sequence = Factory().Create(new Instruction("ab", "", "xy", "c"), 10);
        Assert.Equal(Tokens("^ab\nA: xy$"), sequence.Tokens);
        Assert.Equal(1 + 5, sequence.PromptLength);
        Assert.Equal("c", sequence.Category);
        Assert.Equal("xy", sequence.Answer);
    }

    [Theory]
    [InlineData(11, "^abcd\nA: x$", 8)] // Whole: 1 + 7 + 2 + 1 = 11.
    [InlineData(10, "^bcd\nA: x$", 7)]  // Answer and EOS take 3 of the half's 5, the prompt keeps its last 6.
    [InlineData(8, "^d\nA: x$", 5)]
    [InlineData(6, "^A: x$", 3)]        // Half is 3: answer and EOS just fit.
    [InlineData(5, "^A: x", 3)]         // Half is 2: the answer fits, its EOS does not.
    [InlineData(3, "^: ", 2)]           // Half is 1.
    [InlineData(2, "^ ", 1)]
    public void A_long_prompt_is_cut_from_the_left(int window, string expected, int promptLength)
    {
        PromptedSequence sequence = Factory().Create(new Instruction("abcd", "", "x", ""), window);
        Assert.Equal(Tokens(expected), sequence.Tokens);
        Assert.Equal(promptLength, sequence.PromptLength);
    }

    [Fact]
    public void A_long_answer_is_capped_at_half_the_window_and_has_no_end()
    {
        PromptedSequence sequence = Factory().Create(new Instruction("ab", "", "uvwxyz", ""), 10);
        // " uvwx" is five tokens, half of ten; BOS and four of the prompt remain.
        Assert.Equal(Tokens("^b\nA: uvwx"), sequence.Tokens);
        Assert.Equal(5, sequence.PromptLength);
        Assert.Equal("uvwxyz", sequence.Answer);
    }

    [Theory]
    [InlineData(14, "^abcd\nA: x$", "^abcd\nA: uvwx$")]   // Whole.
    [InlineData(13, "^bcd\nA: x$", "^bcd\nA: uvwx$")]     // The prompt is cut to what the longer answer leaves: both keep the same.
    [InlineData(10, "^d\nA: x$", "^d\nA: uvwx")]          // Half is 5: the longer answer has no end.
    public void The_answers_of_a_pair_follow_the_same_prompt(int window, string chosen, string rejected)
    {
        (PromptedSequence first, PromptedSequence second) = Factory().CreatePair(new Instruction("abcd", "", "x", "c") { Rejected = "uvwx" }, window);
        Assert.Equal(Tokens(chosen), first.Tokens);
        Assert.Equal(Tokens(rejected), second.Tokens);
        Assert.Equal(("x", "uvwx", "c", "c"), (first.Answer, second.Answer, first.Category, second.Category));
        Assert.Equal(first.Tokens[..first.PromptLength], second.Tokens[..second.PromptLength]);
    }

    [Fact]
    public void Every_window_is_kept_and_always_leaves_something_to_predict()
    {
        for (int prompt = 1; prompt < 12; prompt++)
            for (int answer = 1; answer < 12; answer++)
                for (int window = 2; window < 30; window++)
                {
                    PromptedSequence sequence = Factory().Create(new Instruction(new string('p', prompt), "", new string('a', answer), ""), window);
                    Assert.InRange(sequence.Tokens.Length, 2, window);
                    Assert.InRange(sequence.PromptLength, 1, sequence.Tokens.Length - 1);
                    Assert.Equal(1, sequence.Tokens[0]);
                    Assert.Equal(sequence.Tokens.Length - sequence.PromptLength < answer + 2, sequence.Tokens[^1] != 2);
                }
    }

    [Fact]
    public void The_prompt_keeps_its_own_tokens_when_the_tokenizer_would_merge_across_the_border()
    {
        // This tokenizer makes ": " one token, 9.
        var factory = new ExampleFactory(PromptTemplate.Plain, CharacterTokenizer.Make(colonAndSpace: true), 1, 2);
        Assert.Equal(Tokens("^a\nA: x$"), factory.Create(new Instruction("a", "", "x", ""), 20).Tokens);
    }

    [Fact]
    public void A_window_without_room_for_a_prediction_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Factory().Create(Record, 1));

    private static ExampleFactory Factory() => new(PromptTemplate.Plain, CharacterTokenizer.Make(), 1, 2);

    private static string Text(PromptTemplate template, Instruction record) => string.Concat(template.Prompt(record).Select(part => part.Text));

    private static int[] Tokens(string text) => [.. text.Select(c => c switch { '^' => 1, '$' => 2, _ => c })];
}
