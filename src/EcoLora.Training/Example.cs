namespace EcoLora.Training;

/// <summary>One tokenised record: a prompt and the answer that follows it.</summary>
/// <param name="Tokens">BOS, prompt, answer, EOS. Never longer than the window that it was made for.</param>
/// <param name="PromptLength">Number of leading tokens (BOS and prompt) whose prediction does not count in the loss: the loss covers
/// the predictions of <c>Tokens[PromptLength..]</c>. At least 1 and below <c>Tokens.Length</c>.</param>
/// <param name="Category">The record's category, for partitions and per-category scores; empty when it has none.</param>
/// <param name="Answer">The answer's text, for exact match.</param>
public sealed record Example(int[] Tokens, int PromptLength, string Category, string Answer)
{
    /// <summary>Number of predictions that count in the loss.</summary>
    public int AnswerTokens => Tokens.Length - PromptLength;
}
