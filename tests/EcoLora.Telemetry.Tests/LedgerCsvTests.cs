using System.Globalization;
using System.Text;

namespace EcoLora.Telemetry.Tests;

public class LedgerCsvTests
{
    private const string Up = "0,client-01,up,2,400,200,40,60,25,25,33,3,6,1,4";

    private static readonly LedgerRow[] Rows =
    [
        new(0, "client-01", Direction.Up, 2, 400, 200, 40, 60, 25, 25, 33, 3, 6, 1, 4),
        new(0, "client-02", Direction.Up, 0, 400, 200, 40, 60, 26, 26, 34, 3, 6, 1, 4),
        new(0, "site-00", Direction.Down, LedgerRow.NoSegment, 400, 200, 200, 300, 120, 120, 128, 30, 60, 20, 40),
        LedgerRow.Control(0, "site-00", Direction.ControlUp, 77),
        LedgerRow.Control(0, "site-00", Direction.ControlDown, 88),
        new(1, "client-01", Direction.Up, 3, 400, 200, 40, 60, 25, 25, 33, 3, 6, 1, 4),
    ];

    [Fact]
    public void A_ledger_is_written_as_documented()
    {
        string expected = LedgerCsv.Header + "\n" + Up + "\n"
            + "0,client-02,up,0,400,200,40,60,26,26,34,3,6,1,4\n"
            + "0,site-00,down,,400,200,200,300,120,120,128,30,60,20,40\n"
            + "0,site-00,control-up,,0,0,0,0,0,0,77,0,0,0,0\n"
            + "0,site-00,control-down,,0,0,0,0,0,0,88,0,0,0,0\n"
            + "1,client-01,up,3,400,200,40,60,25,25,33,3,6,1,4\n";
        Assert.Equal(expected, Write(Rows));
    }

    [Fact]
    public void The_bytes_do_not_depend_on_the_order_of_the_rows_or_the_culture()
    {
        string expected = Write(Rows);
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = new CultureInfo("") { NumberFormat = { NumberDecimalSeparator = ",", NegativeSign = "~" } };
            Assert.Equal(expected, Write([.. Rows.Reverse()]));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void What_was_written_is_read_back()
    {
        LedgerRow[] rows = [.. SampleRun.Arms()[0].Ledger, new(99, "a, \"quoted\" <name> é", Direction.Up, 0, 1, 1, 1, 1, 1, 1, LedgerCsv.MaxCount, 0, 0, 0, 0)];
        Assert.Equal(rows.Order(), Read(Write(rows)));
        Assert.Empty(Read(Write([])));
    }

    [Theory]
    [InlineData("", "line 1: expected the header line, found an empty file")]
    [InlineData("round,client\n", "line 1: expected the header 'round,client,direction,")]
    [InlineData("H\n0,client-01,up,2,400,200,40,60,25,25,33,3,6,1,4", "line 2: expected a line feed at the end, found the end of the file: it is cut off")]
    [InlineData("H\n0,client-01,up,2,400,200,40,60,25,25,33,3,6,1\n", "line 2: expected 15 fields, found 14")]
    [InlineData("H\n0,client-01,up,2,400,200,40,60,25,25,33,3,6,1,4,5\n", "line 2: expected 15 fields, found 16")]
    [InlineData("H\n\n", "line 2: expected 15 fields, found 1")]
    [InlineData("H\n-1,client-01,up,2,400,200,40,60,25,25,33,3,6,1,4\n", "line 2: field 'round': expected digits of a number from 0 to 2147483647, found '-1'")]
    [InlineData("H\n2147483648,client-01,up,2,400,200,40,60,25,25,33,3,6,1,4\n", "field 'round'")]
    [InlineData("H\n0,,up,2,400,200,40,60,25,25,33,3,6,1,4\n", "field 'client': expected 1 to 256 characters, found 0")]
    [InlineData("H\n0,c\u001b[2J,up,2,400,200,40,60,25,25,33,3,6,1,4\n", "field 'client': expected no control characters, found 'c\\u001b[2J'")]
    [InlineData("H\n0,c,sideways,2,400,200,40,60,25,25,33,3,6,1,4\n", "field 'direction': expected one of up, down, control-up, control-down, found 'sideways'")]
    [InlineData("H\n0,c,Up,2,400,200,40,60,25,25,33,3,6,1,4\n", "field 'direction'")]
    [InlineData("H\n0,c,up,,400,200,40,60,25,25,33,3,6,1,4\n", "field 'segment': expected a segment on an up row, found none")]
    [InlineData("H\n0,c,up,2,4e2,200,40,60,25,25,33,3,6,1,4\n", "field 'dense_fp32': expected digits")]
    [InlineData("H\n0,c,up,2,400, 200,40,60,25,25,33,3,6,1,4\n", "field 'dense_fp16'")]
    [InlineData("H\n0,c,up,2,400,200,40,60,25,25,1099511627777,3,6,1,4\n", "'framed': expected digits of a number from 0 to 1099511627776, found '1099511627777'")]
    [InlineData("H\n0,c,up,2,400,200,40,60,25,25,99999999999999999999999,3,6,1,4\n", "field 'framed'")]
    [InlineData("H\n0,c,up,2,400,200,40,60,25,25,33,7,6,1,4\n", "field 'kept_a': expected at most entries_a = 6, found 7")]
    [InlineData("H\n0,c,up,2,400,200,40,60,25,25,33,3,6,5,4\n", "field 'kept_b': expected at most entries_b = 4, found 5")]
    [InlineData("H\n0,s,control-up,,0,0,0,0,0,1,33,0,0,0,0\n", "field 'coded': expected 0 on a control row, found 1")]
    [InlineData("H\n0,s,control-up,0,0,0,0,0,0,0,33,0,0,0,0\n", "field 'segment': expected none on a control row, found 0")]
    [InlineData("H\n0,c,up,2,400,200,40,60,25,25,33,3,6,1,4\r\n", "field 'entries_b'")]
    [InlineData("H\n0,\"c,up,2,400,200,40,60,25,25,33,3,6,1,4\n", "line 2: expected a closing quote, found the end of the line")]
    [InlineData("H\n0,\"c\"x,up,2,400,200,40,60,25,25,33,3,6,1,4\n", "line 2: expected a comma after a closing quote, found 'x,up,")]
    [InlineData("H\n1,c,up,2,4,2,4,6,2,2,3,3,6,1,4\n0,c,up,2,4,2,4,6,2,2,3,3,6,1,4\n", "line 3: expected rows ordered by round, direction, client, segment, found")]
    [InlineData("H\n1,c,up,2,4,2,4,6,2,2,3,3,6,1,4\n1,c,up,2,4,2,4,6,2,2,3,3,6,1,4\n", "line 3: expected one row per key")]
    public void A_ledger_that_is_wrong_is_refused_with_its_place(string text, string message)
    {
        var error = Assert.Throws<LedgerException>(() => Read(text.StartsWith("H\n", StringComparison.Ordinal) ? LedgerCsv.Header + text[1..] : text));
        Assert.StartsWith("ledger.csv: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Bytes_that_are_not_UTF_8_are_refused()
    {
        using var stream = new MemoryStream([.. Encoding.UTF8.GetBytes(LedgerCsv.Header + "\n0,c"), 0xff, 0xfe]);
        Assert.Contains("expected UTF-8", Assert.Throws<LedgerException>(() => LedgerCsv.Read(stream, "ledger.csv")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_byte_order_mark_is_refused()
    {
        using var stream = new MemoryStream([0xef, 0xbb, 0xbf, .. Encoding.UTF8.GetBytes(LedgerCsv.Header + "\n")]);
        Assert.Contains("expected the header", Assert.Throws<LedgerException>(() => LedgerCsv.Read(stream, "ledger.csv")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_endless_line_is_refused_before_it_is_read()
    {
        using var endless = new Endless();
        var error = Assert.Throws<LedgerException>(() => LedgerCsv.Read(endless, "ledger.csv"));
        Assert.Equal("ledger.csv: line 1: expected a line of at most 2048 characters, found a longer one", error.Message);
    }

    [Fact]
    public void Every_cut_of_a_ledger_is_a_shorter_ledger_or_refused()
    {
        string whole = Write(Rows);
        for (int length = 0; length < whole.Length; length++)
        {
            string cut = whole[..length];
            if (length > LedgerCsv.Header.Length && cut[^1] == '\n') Assert.Equal(Rows.Take(cut.Count(c => c == '\n') - 1), Read(cut));
            else Assert.Throws<LedgerException>(() => Read(cut));
        }
    }

    [Fact]
    public void A_row_that_would_not_be_read_back_is_not_written()
    {
        using var writer = new StringWriter();
        Assert.Throws<ArgumentException>(() => LedgerCsv.Write(writer, [Rows[0], Rows[0] with { Framed = 9 }]));
        Assert.Throws<ArgumentException>(() => LedgerCsv.Write(writer, [Rows[0] with { Client = "a\nb" }]));
        Assert.Throws<ArgumentException>(() => LedgerCsv.Write(writer, [Rows[0] with { Coded = -1 }]));
        Assert.Throws<ArgumentException>(() => LedgerCsv.Write(writer, [Rows[0] with { KeptB = 5 }]));
        Assert.Throws<ArgumentException>(() => LedgerRow.Control(0, "site-00", Direction.Up, 1));
        Assert.Empty(writer.ToString());
    }

    private static string Write(IEnumerable<LedgerRow> rows)
    {
        using var writer = new StringWriter { NewLine = "\r\n" };
        LedgerCsv.Write(writer, rows);
        return writer.ToString();
    }

    private static IReadOnlyList<LedgerRow> Read(string text)
    {
        using var reader = new StringReader(text);
        return LedgerCsv.Read(reader, "ledger.csv");
    }

    private sealed class Endless : TextReader
    {
        private int _read;

        public override int Read() => ++_read < 1_000_000 ? 'x' : throw new InvalidOperationException("read on");
    }
}
