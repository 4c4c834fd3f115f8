namespace EcoLora.Formats.Data;

/// <summary>The bytes of one record and where they lie.</summary>
/// <param name="Json">The record's JSON; valid until the next record is asked for.</param>
/// <param name="Line">Line of its first byte, from 1.</param>
/// <param name="Element">Index in the file's array from 0, or -1 in a JSONL file.</param>
internal readonly record struct RawRecord(ReadOnlyMemory<byte> Json, long Line, long Element)
{
    /// <summary>The record's place, as errors name it.</summary>
    public string Place => Element < 0 ? $"line {Line}" : $"element {Element} (line {Line})";
}

/// <summary>
/// Cuts a stream into records, without parsing them: the non-blank lines of JSONL, or, where the first byte that is not white space is '[', the
/// objects of one JSON array. Only brackets and strings are looked at, so that a record's own errors are left to the parser.
/// </summary>
internal sealed class RecordScanner(ContentStream content, string file, int maximumRecordBytes)
{
    private readonly ContentReader _reader = new(content);
    private byte[] _record = new byte[1 << 12];
    private int _recordLength;
    private long _recordLine = 1;

    /// <summary>Reads the stream once, record by record.</summary>
    public IEnumerable<RawRecord> Records() => NextVisible() switch
    {
        -1 => [],
        '[' => Elements(),
        _ => Lines(),
    };

    private IEnumerable<RawRecord> Lines()
    {
        do
        {
            BeginRecord();
            for (int current; (current = _reader.Peek()) is not ('\n' or -1); _reader.Take()) Append((byte)current, -1);
            yield return new RawRecord(_record.AsMemory(0, _recordLength), _recordLine, -1);
        } while (NextVisible() != -1);
    }

    private IEnumerable<RawRecord> Elements()
    {
        _reader.Take();
        int next = NextVisible();
        for (long element = 0; next != ']' || element > 0; element++)
        {
            if (next != '{') throw Wrong(element, "an object", ContentReader.Describe(next));
            ReadObject(element);
            yield return new RawRecord(_record.AsMemory(0, _recordLength), _recordLine, element);
            next = NextVisible();
            if (next == ']') break;
            if (next != ',') throw Wrong(element, "',' or ']' after the object", ContentReader.Describe(next));
            _reader.Take();
            next = NextVisible();
        }
        _reader.Take();
        next = NextVisible();
        if (next != -1) throw new DataSetException(file, $"line {_reader.Line}", "nothing after the array", ContentReader.Describe(next));
    }

    private void ReadObject(long element)
    {
        BeginRecord();
        int depth = 0;
        bool inString = false, escaped = false;
        do
        {
            int current = _reader.Peek();
            if (current == -1) throw Wrong(element, "a complete object", "the end of the file");
            Append((byte)current, element);
            _reader.Take();
            if (escaped) escaped = false;
            else if (inString && current == '\\') escaped = true;
            else if (current == '"') inString = !inString;
            else if (!inString && current == '{') depth++;
            else if (!inString && current == '}') depth--;
        } while (depth > 0);
    }

    private void BeginRecord() => (_recordLength, _recordLine) = (0, _reader.Line);

    private void Append(byte value, long element)
    {
        if (_recordLength == maximumRecordBytes) throw Wrong(element, $"a record of at most {maximumRecordBytes} bytes", "a longer one", _recordLine);
        if (_recordLength == _record.Length) Array.Resize(ref _record, Math.Min(2 * _record.Length, maximumRecordBytes));
        _record[_recordLength++] = value;
    }

    /// <summary>The next byte that is not JSON white space, not yet taken; -1 at the end.</summary>
    private int NextVisible()
    {
        int current;
        while ((current = _reader.Peek()) is ' ' or '\t' or '\r' or '\n') _reader.Take();
        return current;
    }

    private DataSetException Wrong(long element, string expected, string found, long line = 0) =>
        new(file, new RawRecord(default, line == 0 ? _reader.Line : line, element).Place, expected, found);
}
