namespace EcoLora.Telemetry;

/// <summary>Which way bytes go, seen from a site. The order of the members is the order of the ledger.</summary>
public enum Direction
{
    /// <summary>A client's segment frame, from its site to the aggregator. Written <c>up</c>.</summary>
    Up,

    /// <summary>A frame of the global change, delivered to one site for all of its clients. Written <c>down</c>.</summary>
    Down,

    /// <summary>Control messages of a site in a round: reports, acknowledgements. Written <c>control-up</c>.</summary>
    ControlUp,

    /// <summary>Control messages to a site in a round: round opened, round closed. Written <c>control-down</c>.</summary>
    ControlDown,
}

/// <summary>
/// What one delivery cost, stage by stage, in bytes. Stages: dense → segment → sparse → coded → framed, and beside coded what the paper's coding takes; docs/ledger.md defines each.
/// One row per (round, direction, client, segment).
/// </summary>
/// <param name="Round">Round, from 0.</param>
/// <param name="Client">The client for <see cref="Direction.Up"/>, otherwise the site. Not empty, no control characters.</param>
/// <param name="Direction">Which way.</param>
/// <param name="Segment">Segment from 0, or <see cref="NoSegment"/> for the whole vector and for control messages.</param>
/// <param name="DenseFp32">4·|P|: what the method would send in full in FP32. Counted once per (round, direction, client).</param>
/// <param name="DenseFp16">2·|P|: what the method would send in full in FP16. Counted once per (round, direction, client).</param>
/// <param name="SegmentBytes">The segment's entries at the frame's value width, before sparsification.</param>
/// <param name="Sparse">Kept entries × (value width + 4 bytes of index).</param>
/// <param name="Golomb">The payload, had it been coded as the paper does: Golomb positions and values as they are.</param>
/// <param name="Coded">The payload as it was coded.</param>
/// <param name="Framed">The whole message as published, with header and checksum.</param>
/// <param name="KeptA">Entries of A that the frame carries.</param>
/// <param name="EntriesA">Entries of A in the segment.</param>
/// <param name="KeptB">Entries of B that the frame carries.</param>
/// <param name="EntriesB">Entries of B in the segment.</param>
public sealed record LedgerRow(
    int Round, string Client, Direction Direction, int Segment,
    long DenseFp32, long DenseFp16, long SegmentBytes, long Sparse, long Golomb, long Coded, long Framed,
    long KeptA, long EntriesA, long KeptB, long EntriesB) : IComparable<LedgerRow>
{
    /// <summary>The segment of a row that has none; an empty field in ledger.csv.</summary>
    public const int NoSegment = -1;

    /// <summary>A row of control messages: only the framed bytes count.</summary>
    /// <param name="round">Round, from 0.</param>
    /// <param name="site">The site that sent or received them.</param>
    /// <param name="direction"><see cref="Direction.ControlUp"/> or <see cref="Direction.ControlDown"/>.</param>
    /// <param name="framed">Bytes of all of them together.</param>
    /// <exception cref="ArgumentException">The direction is not one of control messages.</exception>
    public static LedgerRow Control(int round, string site, Direction direction, long framed) =>
        direction is Direction.ControlUp or Direction.ControlDown
            ? new LedgerRow(round, site, direction, NoSegment, 0, 0, 0, 0, 0, 0, framed, 0, 0, 0, 0)
            : throw new ArgumentException($"expected a control direction, found {direction}", nameof(direction));

    /// <summary>The ledger's order: round, direction, client (ordinal), segment. Rows with the same key compare equal.</summary>
    public int CompareTo(LedgerRow? other)
    {
        if (other is null) return 1;
        int order = Round.CompareTo(other.Round);
        if (order == 0) order = Direction.CompareTo(other.Direction);
        if (order == 0) order = string.CompareOrdinal(Client, other.Client);
        return order != 0 ? order : Segment.CompareTo(other.Segment);
    }

    /// <summary>Ledger order.</summary>
    public static bool operator <(LedgerRow left, LedgerRow right) => left.CompareTo(right) < 0;

    /// <summary>Ledger order.</summary>
    public static bool operator >(LedgerRow left, LedgerRow right) => left.CompareTo(right) > 0;

    /// <summary>Ledger order.</summary>
    public static bool operator <=(LedgerRow left, LedgerRow right) => left.CompareTo(right) <= 0;

    /// <summary>Ledger order.</summary>
    public static bool operator >=(LedgerRow left, LedgerRow right) => left.CompareTo(right) >= 0;
}
