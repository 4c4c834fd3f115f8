namespace EcoLora.Formats.Data;

/// <summary>Makes token sequences of records, for one template and tokenizer.</summary>
/// <param name="template">How a record becomes text.</param>
/// <param name="encode">The tokenizer, without special tokens.</param>
/// <param name="bosId">Token that begins a sequence.</param>
/// <param name="eosId">Token that ends an answer.</param>
public sealed class ExampleFactory(PromptTemplate template, Func<string, int[]> encode, int bosId, int eosId)
{
    /// <summary>
    /// [BOS] prompt answer [EOS], at most <paramref name="maxLength"/> tokens. What is longer is cut: answer and EOS to half the window
    /// (rounded down), where an answer that is cut has no EOS since it does not end there; then the prompt from the left to what remains.
    /// BOS always stays. An answer of at most half the window is never cut.
    /// </summary>
    /// <remarks>Prompt and answer are tokenised as one text where the prompt's own tokens are a prefix of that, and apart otherwise; so the
    /// prompt's tokens are always those that the prompt alone has when an answer is to be generated.</remarks>
    /// <param name="record">A record with an answer.</param>
    /// <param name="maxLength">The window in tokens, at least 2.</param>
    /// <exception cref="ArgumentOutOfRangeException">The window is below 2.</exception>
    public PromptedSequence Create(Instruction record, int maxLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxLength, 2);
        ReadOnlySpan<int> prompt = encode(template.Prompt(record));
        ReadOnlySpan<int> answer = AnswerTokens(template.Prompt(record), template.Answer(record), prompt);
        bool ended = true;
        if (1 + prompt.Length + answer.Length + 1 > maxLength)
        {
            int room = maxLength / 2;
            ended = answer.Length + 1 <= room;
            if (!ended && answer.Length > room) answer = answer[..room];
            int promptRoom = maxLength - 1 - answer.Length - (ended ? 1 : 0);
            if (prompt.Length > promptRoom) prompt = prompt[^promptRoom..];
        }
        int[] tokens = ended ? [bosId, .. prompt, .. answer, eosId] : [bosId, .. prompt, .. answer];
        return new PromptedSequence(tokens, 1 + prompt.Length, record.Category, record.Response.Trim());
    }

    private ReadOnlySpan<int> AnswerTokens(string promptText, string answerText, ReadOnlySpan<int> prompt)
    {
        ReadOnlySpan<int> whole = encode(promptText + answerText);
        return whole.StartsWith(prompt) ? whole[prompt.Length..] : encode(answerText);
    }
}
