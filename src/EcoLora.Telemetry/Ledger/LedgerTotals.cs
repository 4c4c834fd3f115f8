namespace EcoLora.Telemetry;

/// <summary>How many times fewer bytes than a dense exchange: dense bytes / bytes on the wire, control messages included. Null when nothing was sent.</summary>
/// <param name="UpFp32">Uplink against dense FP32.</param>
/// <param name="UpFp16">Uplink against dense FP16.</param>
/// <param name="DownFp32">Downlink against dense FP32.</param>
/// <param name="DownFp16">Downlink against dense FP16.</param>
/// <param name="TotalFp32">Both against dense FP32.</param>
/// <param name="TotalFp16">Both against dense FP16.</param>
public sealed record Reduction(double? UpFp32, double? UpFp16, double? DownFp32, double? DownFp16, double? TotalFp32, double? TotalFp16);

/// <summary>The four directions' sums of a round or of a run.</summary>
/// <param name="Up">Segment frames.</param>
/// <param name="Down">Global frames, once per site.</param>
/// <param name="ControlUp">Control messages from sites.</param>
/// <param name="ControlDown">Control messages to sites.</param>
public sealed record DirectionBytes(StageBytes Up, StageBytes Down, StageBytes ControlUp, StageBytes ControlDown)
{
    /// <summary>No bytes.</summary>
    public static DirectionBytes Zero { get; } = new(StageBytes.Zero, StageBytes.Zero, StageBytes.Zero, StageBytes.Zero);

    /// <summary>Framed bytes from the sites, control messages included.</summary>
    public long UpBytes => checked(Up.Framed + ControlUp.Framed);

    /// <summary>Framed bytes to the sites, control messages included.</summary>
    public long DownBytes => checked(Down.Framed + ControlDown.Framed);

    /// <summary>All framed bytes, both ways.</summary>
    public long TotalBytes => checked(UpBytes + DownBytes);

    /// <summary>
    /// Against the dense columns. The dense side counts payload only, without headers and control messages, so that the ratio understates rather than
    /// overstates.
    /// </summary>
    public Reduction Reduction => checked(new Reduction(
        Ratio(Up.DenseFp32, UpBytes), Ratio(Up.DenseFp16, UpBytes), Ratio(Down.DenseFp32, DownBytes), Ratio(Down.DenseFp16, DownBytes),
        Ratio(Up.DenseFp32 + Down.DenseFp32, TotalBytes), Ratio(Up.DenseFp16 + Down.DenseFp16, TotalBytes)));

    /// <summary>reference / bytes, or null when there are no bytes.</summary>
    public static double? Ratio(long reference, long bytes) => bytes == 0 ? null : (double)reference / bytes;

    internal DirectionBytes Plus(LedgerRow row) => row.Direction switch
    {
        Direction.Up => this with { Up = Up + StageBytes.Of(row) },
        Direction.Down => this with { Down = Down + StageBytes.Of(row) },
        Direction.ControlUp => this with { ControlUp = ControlUp + StageBytes.Of(row) },
        _ => this with { ControlDown = ControlDown + StageBytes.Of(row) },
    };
}

/// <summary>A ledger's sums by direction and stage.</summary>
/// <param name="All">Over the whole ledger.</param>
/// <param name="Rounds">Per round, for the rounds that have a row, in their order.</param>
public sealed record LedgerTotals(DirectionBytes All, IReadOnlyList<KeyValuePair<int, DirectionBytes>> Rounds)
{
    /// <summary>Sums the rows; their order does not matter.</summary>
    /// <exception cref="OverflowException">A sum above 2^63 − 1.</exception>
    public static LedgerTotals Of(IEnumerable<LedgerRow> rows)
    {
        var rounds = new SortedDictionary<int, DirectionBytes>();
        DirectionBytes all = DirectionBytes.Zero;
        foreach (LedgerRow row in rows)
        {
            all = all.Plus(row);
            rounds[row.Round] = rounds.GetValueOrDefault(row.Round, DirectionBytes.Zero).Plus(row);
        }
        return new LedgerTotals(all, [.. rounds]);
    }

    /// <summary>One round's sums; all zero when the ledger has no row of it.</summary>
    public DirectionBytes Round(int round)
    {
        foreach ((int key, DirectionBytes bytes) in Rounds)
            if (key == round)
                return bytes;
        return DirectionBytes.Zero;
    }
}
