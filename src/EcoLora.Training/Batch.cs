namespace EcoLora.Training;

/// <summary>
/// Sequences laid end to end, without padding: the linear layers see one matrix of all rows, attention goes sequence by sequence. Row i of a sequence holds
/// its token i and predicts token i + 1; a sequence of n tokens makes n − 1 rows. Reused between steps.
/// </summary>
internal sealed class Batch
{
    private int[] _tokens = [], _positions = [], _scoredRows = [], _targets = [], _starts = [0], _scoredStarts = [0], _examples = [];

    /// <summary>Number of rows.</summary>
    public int Rows { get; private set; }

    /// <summary>Number of rows whose prediction counts in the loss.</summary>
    public int Scored { get; private set; }

    /// <summary>Number of sequences.</summary>
    public int Sequences { get; private set; }

    /// <summary>Rows of the longest sequence.</summary>
    public int LongestSequence { get; private set; }

    /// <summary>The token of each row.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Rows);

    /// <summary>The position of each row inside its sequence.</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, Rows);

    /// <summary>The rows that count, ascending.</summary>
    public ReadOnlySpan<int> ScoredRows => _scoredRows.AsSpan(0, Scored);

    /// <summary>The token that each of <see cref="ScoredRows"/> should predict.</summary>
    public ReadOnlySpan<int> Targets => _targets.AsSpan(0, Scored);

    /// <summary>First row of a sequence; the entry after the last sequence is <see cref="Rows"/>.</summary>
    public int Start(int sequence) => _starts[sequence];

    /// <summary>A sequence's first entry of <see cref="ScoredRows"/>; the entry after the last sequence is <see cref="Scored"/>.</summary>
    public int ScoredStart(int sequence) => _scoredStarts[sequence];

    /// <summary>Index of the example that a sequence is.</summary>
    public int Example(int sequence) => _examples[sequence];

    /// <summary>Lays out the chosen examples.</summary>
    /// <exception cref="ArgumentException">An example has a token outside the vocabulary, or a prompt length outside 1 to its length − 1.</exception>
    public void Fill(IReadOnlyList<Example> examples, ReadOnlySpan<int> chosen, int vocabulary)
    {
        int rows = 0;
        foreach (int index in chosen) rows += examples[index].Tokens.Length - 1;
        if (_tokens.Length < rows)
        {
            _tokens = new int[rows];
            _positions = new int[rows];
            _scoredRows = new int[rows];
            _targets = new int[rows];
        }
        if (_starts.Length <= chosen.Length)
        {
            _starts = new int[chosen.Length + 1];
            _scoredStarts = new int[chosen.Length + 1];
            _examples = new int[chosen.Length];
        }
        Rows = Scored = Sequences = LongestSequence = 0;
        foreach (int index in chosen) Append(examples[index], index, vocabulary);
        (_starts[Sequences], _scoredStarts[Sequences]) = (Rows, Scored);
    }

    private void Append(Example example, int index, int vocabulary)
    {
        int[] tokens = example.Tokens;
        if (example.PromptLength < 1 || example.PromptLength >= tokens.Length)
            throw new ArgumentException($"example {index}: PromptLength: expected 1 to {tokens.Length - 1}, found {example.PromptLength}", nameof(example));
        (_starts[Sequences], _scoredStarts[Sequences], _examples[Sequences]) = (Rows, Scored, index);
        Sequences++;
        LongestSequence = Math.Max(LongestSequence, tokens.Length - 1);
        for (int i = 0; i < tokens.Length; i++)
        {
            if ((uint)tokens[i] >= (uint)vocabulary)
                throw new ArgumentException($"example {index}: token {i}: expected 0 to {vocabulary - 1}, found {tokens[i]}", nameof(example));
            if (i == tokens.Length - 1) break;
            _tokens[Rows] = tokens[i];
            _positions[Rows] = i;
            if (i + 1 >= example.PromptLength)
            {
                _scoredRows[Scored] = Rows;
                _targets[Scored++] = tokens[i + 1];
            }
            Rows++;
        }
    }
}
