namespace EcoLora.Telemetry;

/// <summary>Sums of ledger rows: bytes per stage (docs/ledger.md), messages and entries. Sums are exact; an overflow throws
/// <see cref="OverflowException"/>.</summary>
/// <param name="Messages">Rows that were summed.</param>
/// <param name="DenseFp32">4·|P| per delivery.</param>
/// <param name="DenseFp16">2·|P| per delivery.</param>
/// <param name="Segment">Entries of the segments at the frame's value width.</param>
/// <param name="Sparse">Kept entries × (value width + 4).</param>
/// <param name="Golomb">Payloads, had they been coded as the paper does.</param>
/// <param name="Coded">Payloads as they were coded.</param>
/// <param name="Framed">Whole messages as published.</param>
/// <param name="KeptA">Entries of A sent.</param>
/// <param name="EntriesA">Entries of A in the segments.</param>
/// <param name="KeptB">Entries of B sent.</param>
/// <param name="EntriesB">Entries of B in the segments.</param>
public sealed record StageBytes(
    long Messages, long DenseFp32, long DenseFp16, long Segment, long Sparse, long Golomb, long Coded, long Framed,
    long KeptA, long EntriesA, long KeptB, long EntriesB)
{
    /// <summary>No bytes.</summary>
    public static StageBytes Zero { get; } = new(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    /// <summary>KeptA / EntriesA in [0, 1]; null when no A entry was in a segment.</summary>
    public double? DensityA => EntriesA == 0 ? null : (double)KeptA / EntriesA;

    /// <summary>KeptB / EntriesB in [0, 1]; null when no B entry was in a segment.</summary>
    public double? DensityB => EntriesB == 0 ? null : (double)KeptB / EntriesB;

    /// <summary>One row as a sum.</summary>
    public static StageBytes Of(LedgerRow row) => new(
        1, row.DenseFp32, row.DenseFp16, row.SegmentBytes, row.Sparse, row.Golomb, row.Coded, row.Framed, row.KeptA, row.EntriesA, row.KeptB, row.EntriesB);

    /// <summary>The sum member by member.</summary>
    /// <exception cref="OverflowException">A sum above 2^63 − 1.</exception>
    public static StageBytes operator +(StageBytes left, StageBytes right) => checked(new StageBytes(
        left.Messages + right.Messages, left.DenseFp32 + right.DenseFp32, left.DenseFp16 + right.DenseFp16, left.Segment + right.Segment,
        left.Sparse + right.Sparse, left.Golomb + right.Golomb, left.Coded + right.Coded, left.Framed + right.Framed,
        left.KeptA + right.KeptA, left.EntriesA + right.EntriesA, left.KeptB + right.KeptB, left.EntriesB + right.EntriesB));

    /// <summary>The sum member by member.</summary>
    public static StageBytes Add(StageBytes left, StageBytes right) => left + right;
}
