namespace EcoLora.Formats.Data;

/// <summary>
/// A question with one right choice, and the texts that a language model is scored on: each choice's likelihood after the prompt. The wordings are those of
/// lm-evaluation-harness without examples (0-shot), so that scores can be held against published ones.
/// <code>
/// ARC, a choice's text follows the prompt:     MMLU, a choice's letter follows the prompt:
/// Question: {question}                         {question}
/// Answer: {choice}                             A. {choice}
///                                              …
///                                              D. {choice}
///                                              Answer: {letter}
/// </code>
/// The prompt ends with <c>Answer:</c>, and the space belongs to the choice. MMLU's line about the subject is left out, since a file need not tell it.
/// </summary>
/// <param name="Question">What is asked.</param>
/// <param name="Choices">3 to 5 choices.</param>
/// <param name="Answer">Index of the right one.</param>
/// <param name="IsLettered">Whether the prompt lists the choices, and the model is to give a letter.</param>
public sealed record MultipleChoiceQuestion(string Question, IReadOnlyList<string> Choices, int Answer, bool IsLettered)
{
    /// <summary>The text up to where a choice begins.</summary>
    public string Prompt => IsLettered
        ? $"{Question.Trim()}\n{string.Concat(Choices.Select((choice, i) => $"{Letter(i)}. {choice}\n"))}Answer:"
        : $"Question: {Question}\nAnswer:";

    /// <summary>What the model is to say for a choice: its text, or its letter. A space comes before it.</summary>
    /// <param name="choice">Index of the choice.</param>
    public string Reply(int choice) => IsLettered ? Letter(choice) : Choices[choice];

    private static string Letter(int choice) => ((char)('A' + choice)).ToString();
}
