namespace EcoLora.Formats.Data;

/// <summary>One tokenised record: a prompt and the answer that follows it.</summary>
/// <param name="Tokens">BOS (unless the template has none), prompt, answer, end token; never longer than the window it was made for.</param>
/// <param name="PromptLength">Number of leading tokens that are BOS and prompt: at least 1, below <c>Tokens.Length</c>.</param>
/// <param name="Category">The record's category, or empty.</param>
/// <param name="Answer">The whole answer's text, trimmed.</param>
public sealed record PromptedSequence(int[] Tokens, int PromptLength, string Category, string Answer);
