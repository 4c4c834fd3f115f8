using System.Globalization;
using System.Text;

namespace EcoLora.Telemetry;

/// <summary>
/// ledger.csv: UTF-8 without a byte order mark, a header line, one line per row, fields by comma, line feeds, numbers as plain digits.
/// A client with a comma or a quote is quoted (RFC 4180). The rows stand in <see cref="LedgerRow.CompareTo"/> order, so equal ledgers are equal bytes.
/// </summary>
public static class LedgerCsv
{
    /// <summary>The header line.</summary>
    public const string Header =
        "round,client,direction,segment,dense_fp32,dense_fp16,segment_bytes,sparse,golomb,coded,framed,kept_a,entries_a,kept_b,entries_b";

    /// <summary>The largest byte or entry count of one row, 2^40. It keeps every sum far from overflow.</summary>
    public const long MaxCount = 1L << 40;

    /// <summary>The longest client name in characters.</summary>
    public const int MaxClient = 256;

    private static readonly string[] Fields = Header.Split(',');

    private static readonly string[] Directions = ["up", "down", "control-up", "control-down"];

    /// <summary>The word for a direction in files and on pages: <c>up</c>, <c>down</c>, <c>control-up</c>, <c>control-down</c>.</summary>
    public static string Name(Direction direction) => Directions[(int)direction];

    /// <summary>Writes the rows in ledger order, whatever their order in the argument.</summary>
    /// <param name="writer">Receives the text. Not closed.</param>
    /// <param name="rows">The rows; keys are unique.</param>
    /// <exception cref="ArgumentException">A row that <see cref="Read(TextReader, string)"/> would refuse, or two rows with one key. Nothing is
    /// written.</exception>
    public static void Write(TextWriter writer, IEnumerable<LedgerRow> rows)
    {
        LedgerRow[] ordered = [.. rows.Order()];
        LedgerRow? previous = null;
        foreach (LedgerRow row in ordered)
        {
            if (Fault(row) is var (field, expected, found))
                throw new ArgumentException($"ledger row of round {row.Round}: field '{field}': expected {expected}, found {found}", nameof(rows));
            if (previous is not null && row.CompareTo(previous) == 0)
                throw new ArgumentException($"ledger: expected one row per key, found two for {Key(row)}", nameof(rows));
            previous = row;
        }
        writer.Write(Header + "\n");
        foreach (LedgerRow row in ordered) writer.Write(Line(row));
    }

    /// <summary>Reads a ledger strictly: the exact header, every field in range, rows in order without duplicates, a line feed at the end.</summary>
    /// <param name="stream">UTF-8 bytes. Left open.</param>
    /// <param name="name">The name for messages, such as <c>ledger.csv</c>.</param>
    /// <exception cref="LedgerException">The first thing that is wrong.</exception>
    public static IReadOnlyList<LedgerRow> Read(Stream stream, string name)
    {
        var strict = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
        using var reader = new StreamReader(stream, strict, detectEncodingFromByteOrderMarks: false, leaveOpen: true);
        return Read(reader, name);
    }

    /// <summary>Reads a ledger strictly: the exact header, every field in range, rows in order without duplicates, a line feed at the end.</summary>
    /// <param name="reader">The text.</param>
    /// <param name="name">The name for messages, such as <c>ledger.csv</c>.</param>
    /// <exception cref="LedgerException">The first thing that is wrong.</exception>
    public static IReadOnlyList<LedgerRow> Read(TextReader reader, string name)
    {
        var lines = new LedgerLines(reader, name);
        string header = lines.Next() ?? throw lines.Error("the header line", "an empty file");
        if (header != Header) throw lines.Error($"the header '{Header}'", LedgerLines.Quote(header));
        var rows = new List<LedgerRow>();
        while (lines.Next() is { } line)
        {
            LedgerRow row = Parse(line, lines);
            if (rows.Count > 0 && row.CompareTo(rows[^1]) is int order and <= 0)
                throw lines.Error(order == 0 ? "one row per key" : "rows ordered by round, direction, client, segment", $"{Key(row)} after {Key(rows[^1])}");
            rows.Add(row);
        }
        return rows;
    }

    private static LedgerRow Parse(string line, LedgerLines lines)
    {
        string[] found = lines.Split(line);
        if (found.Length != Fields.Length) throw lines.Error($"{Fields.Length} fields", $"{found.Length}");
        int direction = Array.IndexOf(Directions, found[2]);
        if (direction < 0) throw lines.Error(Fields[2], "one of " + string.Join(", ", Directions), LedgerLines.Quote(found[2]));
        Span<long> counts = stackalloc long[Fields.Length - 4];
        for (int i = 0; i < counts.Length; i++) counts[i] = Number(i + 4, MaxCount);
        var row = new LedgerRow(
            (int)Number(0, int.MaxValue), found[1], (Direction)direction, found[3].Length == 0 ? LedgerRow.NoSegment : (int)Number(3, int.MaxValue),
            counts[0], counts[1], counts[2], counts[3], counts[4], counts[5], counts[6], counts[7], counts[8], counts[9], counts[10]);
        return Fault(row) is var (field, expected, wrong) ? throw lines.Error(field, expected, wrong) : row;

        long Number(int field, long limit)
        {
            if (long.TryParse(found[field], NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value <= limit) return value;
            throw lines.Error(Fields[field], $"digits of a number from 0 to {limit}", LedgerLines.Quote(found[field]));
        }
    }

    /// <summary>The first field of a row that breaks the format, or null.</summary>
    private static (string Field, string Expected, string Found)? Fault(LedgerRow row)
    {
        if (row.Round < 0) return (Fields[0], "a round from 0", $"{row.Round}");
        if (row.Client.Length is 0 or > MaxClient) return (Fields[1], $"1 to {MaxClient} characters", $"{row.Client.Length}");
        if (row.Client.Any(char.IsControl)) return (Fields[1], "no control characters", LedgerLines.Quote(row.Client));
        if (!Enum.IsDefined(row.Direction)) return (Fields[2], "a direction", $"{(int)row.Direction}");
        if (row.Segment < LedgerRow.NoSegment) return (Fields[3], "a segment from 0, or none", $"{row.Segment}");
        if (row.Direction == Direction.Up && row.Segment < 0) return (Fields[3], "a segment on an up row", "none");
        long[] counts = Counts(row);
        for (int i = 0; i < counts.Length; i++)
            if (counts[i] is < 0 or > MaxCount)
                return (Fields[i + 4], $"a number from 0 to {MaxCount}", $"{counts[i]}");
        if (row.KeptA > row.EntriesA) return ("kept_a", $"at most entries_a = {row.EntriesA}", $"{row.KeptA}");
        if (row.KeptB > row.EntriesB) return ("kept_b", $"at most entries_b = {row.EntriesB}", $"{row.KeptB}");
        bool control = row.Direction is Direction.ControlUp or Direction.ControlDown;
        if (control && row.Segment >= 0) return (Fields[3], "none on a control row", $"{row.Segment}");
        for (int i = 0; control && i < counts.Length; i++)
            if (counts[i] != 0 && Fields[i + 4] != "framed")
                return (Fields[i + 4], "0 on a control row", $"{counts[i]}");
        return null;
    }

    private static long[] Counts(LedgerRow row) =>
        [row.DenseFp32, row.DenseFp16, row.SegmentBytes, row.Sparse, row.Golomb, row.Coded, row.Framed, row.KeptA, row.EntriesA, row.KeptB, row.EntriesB];

    private static string Line(LedgerRow row)
    {
        string client = row.Client.AsSpan().ContainsAny(',', '"') ? "\"" + row.Client.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"" : row.Client;
        string segment = row.Segment < 0 ? "" : row.Segment.ToString(CultureInfo.InvariantCulture);
        string counts = string.Join(',', Counts(row).Select(count => count.ToString(CultureInfo.InvariantCulture)));
        return string.Create(CultureInfo.InvariantCulture, $"{row.Round},{client},{Name(row.Direction)},{segment},{counts}\n");
    }

    private static string Key(LedgerRow row) =>
        $"(round {row.Round}, {Name(row.Direction)}, {LedgerLines.Quote(row.Client)}, "
        + $"segment {(row.Segment < 0 ? "none" : row.Segment.ToString(CultureInfo.InvariantCulture))})";
}
