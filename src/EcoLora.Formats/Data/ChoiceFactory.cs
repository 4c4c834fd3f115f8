using EcoLora.Formats.Json;

namespace EcoLora.Formats.Data;

/// <summary>Makes the token sequences of a multiple-choice question, for one tokenizer.</summary>
/// <param name="encode">The tokenizer, without special tokens.</param>
/// <param name="bosId">Token that begins a sequence.</param>
public sealed class ChoiceFactory(Func<string, int[]> encode, int bosId)
{
    /// <summary>
    /// [BOS] prompt choice, per choice; no EOS, since only the choice is scored. What is longer than the window has its prompt cut from the left; BOS and
    /// the choice stay. Prompt and choice are tokenised as one text where the prompt's own tokens are a prefix of that, and apart otherwise.
    /// </summary>
    /// <param name="question">The question.</param>
    /// <param name="maxLength">The window in tokens, at least 2.</param>
    /// <returns>A sequence per choice, whose answer is <see cref="MultipleChoiceQuestion.Reply"/>; and whether a prompt was cut.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The window is below 2.</exception>
    /// <exception cref="ArgumentException">A choice has no token, or does not fit into the window.</exception>
    public (PromptedSequence[] Choices, bool IsCut) Create(MultipleChoiceQuestion question, int maxLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxLength, 2);
        string promptText = question.Prompt;
        int[] prompt = encode(promptText);
        var choices = new PromptedSequence[question.Choices.Count];
        bool isCut = false;
        for (int i = 0; i < choices.Length; i++)
        {
            string reply = question.Reply(i);
            ReadOnlySpan<int> whole = encode($"{promptText} {reply}");
            ReadOnlySpan<int> choice = whole.StartsWith(prompt) ? whole[prompt.Length..] : encode(" " + reply);
            if (choice.Length == 0 || choice.Length >= maxLength)
                throw new ArgumentException(
                    $"question '{PrintableText.Of(question.Question)}': choice {i + 1}: expected 1 to {maxLength - 1} tokens, found {choice.Length}");
            int kept = Math.Min(prompt.Length, maxLength - 1 - choice.Length);
            isCut |= kept < prompt.Length;
            choices[i] = new PromptedSequence([bosId, .. prompt.AsSpan(prompt.Length - kept), .. choice], 1 + kept, "", reply);
        }
        return (choices, isCut);
    }
}
