using System.Runtime.InteropServices;
using System.Text;
using EcoLora.Formats.Json;

namespace EcoLora.Formats.Data;

/// <summary>
/// Reads MMLU's records: CSV by RFC 4180, strictly. A field in quotes may hold commas, line breaks and doubled quotes; a field without holds none of them.
/// Lines end with LF or CRLF; empty ones are skipped.
/// </summary>
internal sealed class MmluReader(ContentStream content, string file, int maximumRecordBytes)
{
    private static readonly string[] Names = ["question", "A", "B", "C", "D", "answer"];
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ContentReader _reader = new(content);
    private readonly List<byte> _field = [];
    private long _recordLine;
    private int _recordBytes;

    /// <summary>Reads the stream once, question by question.</summary>
    /// <exception cref="DataSetException">A record is not what it should be.</exception>
    public IEnumerable<MultipleChoiceQuestion> Questions()
    {
        string[] fields = new string[Names.Length];
        while (_reader.Peek() != -1)
        {
            if (_reader.Peek() is '\r' or '\n')
            {
                EndLine();
                continue;
            }
            (_recordLine, _recordBytes) = (_reader.Line, 0);
            for (int i = 0; i < Names.Length; i++)
            {
                if (i > 0) TakeComma(i);
                fields[i] = ReadField(Names[i]);
            }
            if (_reader.Peek() == ',') throw Wrong("", $"{Names.Length} fields", "more");
            EndLine();
            yield return Question(fields);
        }
    }

    private MultipleChoiceQuestion Question(string[] fields)
    {
        for (int i = 0; i < fields.Length; i++)
            if (string.IsNullOrWhiteSpace(fields[i])) throw Wrong(Names[i], "text", "blank text");
        if (fields[^1] is not ("A" or "B" or "C" or "D")) throw Wrong("answer", "A, B, C or D", $"'{PrintableText.Of(fields[^1])}'");
        return new MultipleChoiceQuestion(fields[0], fields[1..^1], fields[^1][0] - 'A', IsLettered: true);
    }

    private string ReadField(string name)
    {
        _field.Clear();
        if (_reader.Peek() == '"') ReadQuoted(name);
        else ReadPlain(name);
        try
        {
            return Strict.GetString(CollectionsMarshal.AsSpan(_field));
        }
        catch (DecoderFallbackException error)
        {
            throw Wrong(name, "text", "bytes that are not UTF-8", error);
        }
    }

    private void ReadQuoted(string name)
    {
        Take();
        while (true)
        {
            int current = _reader.Peek();
            if (current == -1) throw Wrong(name, "a closing quote", "the end of the file");
            Take();
            if (current != '"') _field.Add((byte)current);
            else if (_reader.Peek() == '"')
            {
                _field.Add((byte)'"');
                Take();
            }
            else break;
        }
        if (_reader.Peek() is not (',' or '\r' or '\n' or -1))
            throw Wrong(name, "',' or the end of the line after the closing quote", ContentReader.Describe(_reader.Peek()));
    }

    private void ReadPlain(string name)
    {
        for (int current; (current = _reader.Peek()) is not (',' or '\r' or '\n' or -1); Take())
        {
            if (current == '"') throw Wrong(name, "quotes around the whole field", "a quote inside it");
            _field.Add((byte)current);
        }
    }

    private void TakeComma(int fieldsSoFar)
    {
        if (_reader.Peek() != ',') throw Wrong("", $"{Names.Length} fields", $"{fieldsSoFar}");
        Take();
    }

    private void Take()
    {
        if (_recordBytes++ == maximumRecordBytes) throw Wrong("", $"a record of at most {maximumRecordBytes} bytes", "a longer one");
        _reader.Take();
    }

    private void EndLine()
    {
        long line = _reader.Line;
        if (_reader.Peek() == '\r') _reader.Take();
        if (_reader.Peek() == '\n') _reader.Take();
        else if (_reader.Peek() != -1)
            throw new DataSetException(file, $"line {line}", "a line feed after the carriage return", ContentReader.Describe(_reader.Peek()));
    }

    private DataSetException Wrong(string field, string expected, string found, Exception? cause = null) =>
        new(file, field.Length == 0 ? $"line {_recordLine}" : $"line {_recordLine}, field '{field}'", expected, found, cause);
}
