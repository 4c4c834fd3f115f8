using EcoLora.Formats.Data;

namespace EcoLora.Formats.Tests.Data;

public class ChoiceFactoryTests
{
    private const int Bos = 1;

    private static readonly MultipleChoiceQuestion Question = new("ab?", ["x", "yz", "w"], 1, IsLettered: false);

    /// <summary>One token per character, so that every sequence can be read.</summary>
    private static readonly ChoiceFactory ByCharacter = new(text => [.. text.Select(character => (int)character)], Bos);

    [Fact]
    public void Every_choice_follows_the_whole_prompt()
    {
        (PromptedSequence[] choices, bool isCut) = ByCharacter.Create(Question, 100);
        Assert.False(isCut);
        Assert.Equal(["x", "yz", "w"], choices.Select(choice => choice.Answer));
        Assert.Equal(["Question: ab?\nAnswer: x", "Question: ab?\nAnswer: yz", "Question: ab?\nAnswer: w"], choices.Select(choice => Text(choice.Tokens)));
        Assert.All(choices, choice => Assert.Equal((Bos, "Question: ab?\nAnswer:"), (choice.Tokens[0], Text(choice.Tokens[..choice.PromptLength]))));
    }

    [Fact]
    public void A_prompt_is_cut_from_the_left_and_a_choice_never()
    {
        // BOS, four characters of the prompt, " yz"; the shorter choices keep one character more.
        (PromptedSequence[] choices, bool isCut) = ByCharacter.Create(Question, 8);
        Assert.True(isCut);
        Assert.Equal(["swer: x", "wer: yz", "swer: w"], choices.Select(choice => Text(choice.Tokens)));
        Assert.Equal([6, 5, 6], choices.Select(choice => choice.PromptLength));
        Assert.Equal([": x", " yz", ": w"], ByCharacter.Create(Question, 4).Choices.Select(choice => Text(choice.Tokens)));
        Assert.Equal("question 'ab?': choice 2: expected 1 to 2 tokens, found 3",
            Assert.Throws<ArgumentException>(() => ByCharacter.Create(Question, 3)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => ByCharacter.Create(Question, 1));
    }

    [Fact]
    public void A_prompt_of_just_the_window_is_not_cut()
    {
        int whole = 1 + "Question: ab?\nAnswer: yz".Length;
        Assert.False(ByCharacter.Create(Question, whole).IsCut);
        Assert.True(ByCharacter.Create(Question, whole - 1).IsCut);
    }

    [Fact]
    public void A_choice_whose_tokens_would_change_the_prompt_s_is_tokenised_apart()
    {
        // ':' and the space after it are one token in the whole text, so that the prompt's own tokens are no prefix of it.
        var factory = new ChoiceFactory(text => [.. text.Replace(": y", "\u2603", StringComparison.Ordinal).Select(character => (int)character)], Bos);
        PromptedSequence[] choices = factory.Create(Question, 100).Choices;
        Assert.Equal("Question: ab?\nAnswer: yz", Text(choices[1].Tokens));
        Assert.Equal(choices[0].PromptLength, choices[1].PromptLength);
    }

    [Fact]
    public void A_choice_without_tokens_is_refused()
    {
        var factory = new ChoiceFactory(text => [.. text.Replace(" x", "", StringComparison.Ordinal).Select(character => (int)character)], Bos);
        Assert.Contains("choice 1: expected 1 to 99 tokens, found 0", Assert.Throws<ArgumentException>(() => factory.Create(Question, 100)).Message,
            StringComparison.Ordinal);
    }

    private static string Text(int[] tokens) => string.Concat(tokens.Where(token => token != Bos).Select(token => (char)token));
}
