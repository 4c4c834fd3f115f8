namespace EcoLora.Local;

/// <summary>Text of tokens that become more. A character whose bytes are spread over tokens is written when all of them are there.</summary>
/// <param name="decode">Tokens to text.</param>
/// <param name="output">Where to.</param>
internal sealed class GrowingText(GrowingText.Decoder decode, TextWriter output)
{
    /// <summary>Tokens that are generated between two looks.</summary>
    public const int Stride = 8;

    private const char Unfinished = '\uFFFD';

    private string _text = "";
    private int _written;

    /// <summary>Tokens to text.</summary>
    public delegate string Decoder(ReadOnlySpan<int> tokens, bool skipSpecial = true);

    /// <summary>Writes what is new and will not change any more.</summary>
    /// <param name="tokens">All tokens so far.</param>
    public void Show(ReadOnlySpan<int> tokens)
    {
        _text = decode(tokens);
        int stable = _text.AsSpan().TrimEnd(Unfinished).Length;
        if (stable <= _written) return;
        output.Write(_text.AsSpan(_written, stable - _written));
        output.Flush();
        _written = stable;
    }

    /// <summary>Writes the rest and ends the line.</summary>
    public void End() => output.WriteLine(_text.AsSpan(_written));
}
