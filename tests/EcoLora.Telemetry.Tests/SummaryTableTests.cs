namespace EcoLora.Telemetry.Tests;

public class SummaryTableTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "1.00 kB")]
    [InlineData(1234, "1.23 kB")]
    [InlineData(9_994, "9.99 kB")]
    [InlineData(9_996, "10.0 kB")]
    [InlineData(99_960, "100 kB")]
    [InlineData(999_499, "999 kB")]
    [InlineData(999_500, "1.00 MB")]
    [InlineData(45_600_000, "45.6 MB")]
    [InlineData(7_140_000_000, "7.14 GB")]
    [InlineData(double.NaN, "–")]
    public void Bytes_are_in_SI_units_with_three_digits(double bytes, string text) => Assert.Equal(text, Quantity.Bytes(bytes));

    [Theory]
    [InlineData(0.1, "100 ms")]
    [InlineData(0.9996, "1.0 s")]
    [InlineData(59.94, "59.9 s")]
    [InlineData(59.96, "1 min 00 s")]
    [InlineData(245, "4 min 05 s")]
    [InlineData(3599.6, "1 h 00 min")]
    [InlineData(7380, "2 h 03 min")]
    [InlineData(7199, "2 h 00 min")]
    public void Durations_are_for_people(double seconds, string text) => Assert.Equal(text, Quantity.Seconds(seconds));

    [Fact]
    public void Missing_numbers_are_a_dash()
    {
        Assert.Equal("–", Quantity.Loss(null));
        Assert.Equal("–", Quantity.Percent(double.NaN));
        Assert.Equal("–", Quantity.Seconds(null));
        Assert.Equal("–", Quantity.Ratio(null));
    }

    [Fact]
    public void The_table_has_a_row_per_arm_and_a_cell_per_heading()
    {
        RunReport report = SampleRun.Report();
        var table = SummaryTable.Of(report);
        Assert.Equal(report.Arms.Select(arm => arm.Name), table.Rows.Select(row => row.Arm));
        Assert.All(table.Rows, row => Assert.Equal(table.Headings.Count, table.Cells(row).Count));
        Assert.Equal(report.Arms[0].Before?.Loss, table.Before);
        Assert.All(table.Rows, row => Assert.Equal(row.TotalBytes, row.UpBytes + row.DownBytes));
    }

    [Fact]
    public void A_row_reads_as_the_terminal_shows_it()
    {
        var row = new SummaryRow("eco", 1234, 45_600_000, 45_601_234, 7.1428, 142.857, 1.51234, 0.6125, 0.9361);
        Assert.Equal(["eco", "1.23 kB", "45.6 MB", "45.6 MB", "7.14×", "142.9×", "1.5123", "61.3%", "93.6%"], new SummaryTable(null, null, [row]).Cells(row));
    }

    [Fact]
    public void Rows_about_pairs_have_reward_accuracy_and_margin_in_the_place_of_exact_match()
    {
        var row = new SummaryRow("eco", 1234, 45_600_000, 45_601_234, 7.1428, 142.857, 0.51234, null, 0.9361, 0.8626, 1.25);
        var table = new SummaryTable(0.6931, null, [row, row with { Arm = "dense", RewardAccuracy = null, RewardMargin = null }]);
        Assert.Equal(["held-out loss", "reward accuracy", "reward margin", "recovered"], table.Headings.Skip(6));
        Assert.Equal(["0.5123", "86.3%", "1.2500", "93.6%"], table.Cells(row).Skip(6));
        Assert.Equal(table.Headings.Count, table.Cells(table.Rows[1]).Count);
    }
}
