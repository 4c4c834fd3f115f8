namespace EcoLora.Formats.Tokenizers;

/// <summary>A token that is looked for in the text itself, before any merge.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">What stands for it in a text.</param>
/// <param name="Special">A control token such as <c>&lt;/s&gt;</c>, which user data must not be able to produce.</param>
/// <param name="TakesLeft">White space before it belongs to it (<c>lstrip</c>).</param>
/// <param name="TakesRight">White space after it belongs to it (<c>rstrip</c>).</param>
internal sealed record AddedToken(int Id, string Text, bool Special, bool TakesLeft, bool TakesRight);

/// <summary>Finds added tokens: leftmost first, the longest where several start.</summary>
internal sealed class AddedTokenScanner
{
    private readonly AddedToken[] _longestFirst;
    private readonly System.Buffers.SearchValues<char> _firstCharacters;

    public AddedTokenScanner(IEnumerable<AddedToken> tokens)
    {
        _longestFirst = [.. tokens.OrderByDescending(t => t.Text.Length).ThenBy(t => t.Id)];
        _firstCharacters = System.Buffers.SearchValues.Create([.. _longestFirst.Select(t => t.Text[0]).Distinct()]);
    }

    /// <summary>The next added token at or after <paramref name="from"/> with the stretch that it takes, or null.</summary>
    public AddedToken? Find(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        for (int i = from; i < text.Length; i++)
        {
            int next = text[i..].IndexOfAny(_firstCharacters);
            if (next < 0) break;
            i += next;
            foreach (AddedToken token in _longestFirst)
            {
                if (!text[i..].StartsWith(token.Text, StringComparison.Ordinal)) continue;
                (start, end) = (i, i + token.Text.Length);
                while (token.TakesLeft && start > from && char.IsWhiteSpace(text[start - 1])) start--;
                while (token.TakesRight && end < text.Length && char.IsWhiteSpace(text[end])) end++;
                return token;
            }
        }
        start = end = text.Length;
        return null;
    }
}
