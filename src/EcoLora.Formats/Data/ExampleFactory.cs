using EcoLora.Formats.Tokenizers;

namespace EcoLora.Formats.Data;

/// <summary>Makes token sequences of records, for one template and tokenizer. The text of a record never becomes a special token.</summary>
public sealed class ExampleFactory
{
    private readonly PromptTemplate _template;
    private readonly BpeTokenizer _tokenizer;
    private readonly int[] _start, _head;
    private readonly int _endId;

    /// <param name="template">How a record becomes text.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="bosId">Token that begins a sequence, unless the template begins without one.</param>
    /// <param name="eosId">Token that ends an answer, unless the template names another.</param>
    /// <exception cref="ArgumentException">The tokenizer lacks a special token of the template.</exception>
    public ExampleFactory(PromptTemplate template, BpeTokenizer tokenizer, int bosId, int eosId)
    {
        foreach (string token in template.SpecialTokens)
            if (tokenizer.SpecialIdOf(token) is null)
                throw new ArgumentException($"template '{template.Name}': expected a tokenizer with the special token '{token}', "
                    + $"found {(tokenizer.IdOf(token) is null ? "none" : "an ordinary token")}");
        (_template, _tokenizer) = (template, tokenizer);
        _start = template.StartsWithBos ? [bosId] : [];
        _head = [.. _start, .. tokenizer.Encode(template.Head)];
        _endId = template.EndToken is { } end ? tokenizer.SpecialIdOf(end)!.Value : eosId;
        StopTokens = _endId == eosId ? [eosId] : [_endId, eosId];
    }

    /// <summary>Tokens that end an answer when one is generated: the template's end token, and EOS.</summary>
    public IReadOnlyList<int> StopTokens { get; }

    /// <summary>[BOS] prompt, whole: what an answer is generated from.</summary>
    public int[] Prompt(Instruction record) => [.. _start, .. _tokenizer.Encode(_template.Prompt(record))];

    /// <summary>
    /// [BOS] prompt answer end, at most <paramref name="maxLength"/> tokens. What is longer is cut: answer and end token to half the window
    /// (rounded down), where an answer that is cut has no end token since it does not end there; then the prompt from the left to what remains, where BOS
    /// and the template's first header stay, or only the first token where these would take more than half of what remains. An answer of at most half the
    /// window is never cut.
    /// </summary>
    /// <remarks>Prompt and answer are tokenised as one text where the prompt's own tokens are a prefix of that, and apart otherwise; so the
    /// prompt's tokens are always those that the prompt alone has when an answer is to be generated.</remarks>
    /// <param name="record">A record with an answer.</param>
    /// <param name="maxLength">The window in tokens, at least 2.</param>
    /// <exception cref="ArgumentOutOfRangeException">The window is below 2.</exception>
    public PromptedSequence Create(Instruction record, int maxLength) => Create([record], maxLength)[0];

    /// <summary>The record's two answers, each after the same prompt: it is cut to what the longer of them leaves, and where one does not fit, the rule of
    /// <see cref="Create(Instruction, int)"/> cuts both.</summary>
    /// <param name="record">A record with two answers.</param>
    /// <param name="maxLength">The window in tokens, at least 2.</param>
    /// <exception cref="ArgumentOutOfRangeException">The window is below 2.</exception>
    public (PromptedSequence Chosen, PromptedSequence Rejected) CreatePair(Instruction record, int maxLength)
    {
        PromptedSequence[] pair = Create([record, record with { Response = record.Rejected! }], maxLength);
        return (pair[0], pair[1]);
    }

    /// <summary>Sequences of records that differ in their answers only.</summary>
    private PromptedSequence[] Create(Instruction[] records, int maxLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxLength, 2);
        int[] prompt = Prompt(records[0]);
        int[][] endings = [.. records.Select(record => (int[])[.. AnswerTokens(record, prompt.AsSpan(_start.Length)), _endId])];
        if (prompt.Length + endings.Max(ending => ending.Length) > maxLength)
        {
            int room = maxLength / 2;
            endings = [.. endings.Select(ending => ending.Length <= room ? ending : ending[..Math.Min(room, ending.Length - 1)])];
            int promptRoom = maxLength - endings.Max(ending => ending.Length);
            if (prompt.Length > promptRoom)
            {
                int kept = prompt.AsSpan().CommonPrefixLength(_head);
                if (2 * kept > promptRoom) kept = 1;
                prompt = [.. prompt[..kept], .. prompt[^(promptRoom - kept)..]];
            }
        }
        return [.. records.Zip(endings, (record, ending) => new PromptedSequence([.. prompt, .. ending], prompt.Length, record.Category, record.Response.Trim()))];
    }

    private ReadOnlySpan<int> AnswerTokens(Instruction record, ReadOnlySpan<int> prompt)
    {
        string answer = _template.Answer(record);
        ReadOnlySpan<int> whole = _tokenizer.Encode([.. _template.Prompt(record), TextPart.Plain(answer)]);
        return whole.StartsWith(prompt) ? whole[prompt.Length..] : _tokenizer.Encode(answer);
    }
}
