namespace EcoLora.Local;

/// <summary>
/// The text of tokens that become more. Prompt and answer are decoded together, so that the space between them is not lost; a character whose bytes are
/// spread over tokens is written when all of them are there.
/// </summary>
internal sealed class GrowingText
{
    private const char Unfinished = '\uFFFD';

    private readonly Func<int[], string> _decode;
    private readonly TextWriter _output;
    private readonly bool _trimStart;
    private string _text;
    private int _written;
    private bool _isFirst = true;

    /// <param name="decode">Tokens to text.</param>
    /// <param name="output">Where to.</param>
    /// <param name="prompt">Tokens whose text is not written.</param>
    /// <param name="trimStart">Leave out white space before the first word.</param>
    public GrowingText(Func<int[], string> decode, TextWriter output, int[] prompt, bool trimStart)
    {
        (_decode, _output, _trimStart) = (decode, output, trimStart);
        _text = decode(prompt);
        _written = _text.Length;
    }

    /// <summary>Writes what is new and will not change any more.</summary>
    /// <param name="tokens">The prompt and all tokens so far.</param>
    public void Show(int[] tokens)
    {
        _text = _decode(tokens);
        Write(_text.AsSpan().TrimEnd(Unfinished).Length);
    }

    /// <summary>Writes the rest and ends the line.</summary>
    public void End()
    {
        Write(_text.Length);
        _output.WriteLine();
    }

    private void Write(int end)
    {
        while (_isFirst && _trimStart && _written < end && char.IsWhiteSpace(_text[_written])) _written++;
        if (end <= _written) return;
        _output.Write(_text.AsSpan(_written, end - _written));
        _output.Flush();
        _written = end;
        _isFirst = false;
    }
}
