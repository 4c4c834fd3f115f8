namespace EcoLora.Formats.Data;

/// <summary>Reads content byte by byte and counts its lines.</summary>
internal sealed class ContentReader(ContentStream content)
{
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _start, _end;

    /// <summary>Line of the next byte, from 1.</summary>
    public long Line { get; private set; } = 1;

    /// <summary>The next byte, not yet taken; -1 at the end.</summary>
    public int Peek()
    {
        if (_start < _end) return _buffer[_start];
        _start = 0;
        _end = content.Read(_buffer);
        return _end == 0 ? -1 : _buffer[0];
    }

    /// <summary>Takes the byte that <see cref="Peek"/> has shown.</summary>
    public void Take()
    {
        if (_buffer[_start++] == '\n') Line++;
    }

    /// <summary>What <see cref="Peek"/> has shown, as errors name it.</summary>
    public static string Describe(int value) => value switch
    {
        -1 => "the end of the file",
        > ' ' and < 127 => $"'{(char)value}'",
        _ => $"byte 0x{value:X2}",
    };
}
