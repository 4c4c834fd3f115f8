namespace EcoLora.Telemetry.Tests;

public class LedgerTotalsTests
{
    private static readonly LedgerRow[] Rows =
    [
        new(0, "client-01", Direction.Up, 0, 400, 200, 40, 60, 31, 25, 33, 3, 6, 1, 4),
        new(0, "client-02", Direction.Up, 1, 400, 200, 40, 66, 33, 27, 35, 4, 6, 2, 4),
        new(0, "site-00", Direction.Down, LedgerRow.NoSegment, 400, 200, 200, 300, 140, 120, 128, 30, 60, 20, 40),
        LedgerRow.Control(0, "site-00", Direction.ControlUp, 12),
        LedgerRow.Control(0, "site-00", Direction.ControlDown, 22),
        new(2, "client-01", Direction.Up, 1, 400, 200, 40, 60, 31, 25, 20, 3, 6, 1, 4),
    ];

    [Fact]
    public void Sums_are_by_direction_and_stage()
    {
        LedgerTotals totals = LedgerTotals.Of(Rows);
        Assert.Equal(new StageBytes(3, 1200, 600, 120, 186, 95, 77, 88, 10, 18, 4, 12), totals.All.Up);
        Assert.Equal(new StageBytes(1, 400, 200, 200, 300, 140, 120, 128, 30, 60, 20, 40), totals.All.Down);
        Assert.Equal(12, totals.All.ControlUp.Framed);
        Assert.Equal(22, totals.All.ControlDown.Framed);
        Assert.Equal(100, totals.All.UpBytes);
        Assert.Equal(150, totals.All.DownBytes);
        Assert.Equal(250, totals.All.TotalBytes);
    }

    [Fact]
    public void Ratios_count_control_messages_against_the_payload_of_the_dense_exchange()
    {
        Assert.Equal(new Reduction(12, 6, 400 / 150.0, 200 / 150.0, 1600 / 250.0, 800 / 250.0), LedgerTotals.Of(Rows).All.Reduction);
        Assert.Equal(new Reduction(null, null, null, null, null, null), LedgerTotals.Of([]).All.Reduction);
    }

    [Fact]
    public void Rounds_are_summed_apart_and_in_order()
    {
        LedgerTotals totals = LedgerTotals.Of(Rows.Reverse());
        Assert.Equal([0, 2], totals.Rounds.Select(round => round.Key));
        Assert.Equal(68, totals.Round(0).Up.Framed);
        Assert.Equal(20, totals.Round(2).TotalBytes);
        Assert.Equal(DirectionBytes.Zero, totals.Round(1));
        Assert.Equal(LedgerTotals.Of(Rows).All, totals.All);
    }

    [Fact]
    public void Densities_are_kept_over_entries()
    {
        StageBytes up = LedgerTotals.Of(Rows).All.Up;
        Assert.Equal(10 / 18.0, up.DensityA);
        Assert.Equal(4 / 12.0, up.DensityB);
        Assert.Null(StageBytes.Zero.DensityA);
        Assert.Null(StageBytes.Zero.DensityB);
    }

    [Fact]
    public void An_overflow_is_an_error_and_never_a_wrong_sum()
    {
        StageBytes half = StageBytes.Zero with { Framed = (1L << 62) + 1 };
        Assert.Throws<OverflowException>(() => half + half);
    }
}
