using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>How much a frame may keep.</summary>
/// <param name="KeepA">k for A.</param>
/// <param name="KeepB">k for B.</param>
/// <param name="FrameBytes">Most bytes of the frame; null without a budget.</param>
public readonly record struct FrameAllowance(double KeepA, double KeepB, int? FrameBytes = null);

/// <summary>
/// Shares the bytes of <see cref="ExchangeOptions.Budget"/> out over a run: what is left of them, over the rounds that are left. A round's densities are those of Eq. 4 and of the downlink, all times
/// the one factor with which the round's uploads and downloads are expected to come to its part; where keeping everything costs no more, everything is kept. The expectation is an entropy, corrected
/// by what the frames of the round before came to. What a frame may not exceed is a limit of its own: what is left less what the rest of the run needs at least, so the budget holds whatever the values are.
/// </summary>
/// <param name="plan">A valid plan that has a budget.</param>
public sealed class ByteBudget(RunPlan plan)
{
    /// <summary>The share of the budget that rounds with k = 1 may take at the start (<see cref="ExchangeOptions.DenseRounds"/>); with more of them too little is left for the others.</summary>
    private const double DenseShare = 1.0 / 6;

    private readonly ExchangeOptions _exchange = plan.Exchange;
    private readonly LoraLayout _layout = plan.ExchangedLayout();
    private readonly long _leastUp = LeastUp(plan, plan.ExchangedLayout()), _leastDown = LeastDown(plan, plan.ExchangedLayout());
    private long _left = plan.Exchange.Budget ?? throw new ArgumentException("exchange.budget: expected one, found none", nameof(plan));
    private double _upCorrection = 1, _downCorrection = 1;

    /// <summary>Bytes that are left.</summary>
    public long Left => _left;

    /// <summary>Bytes that a run needs at least: each frame with a single entry of A and of B.</summary>
    public static long Least(RunPlan plan)
    {
        LoraLayout layout = plan.ExchangedLayout();
        return plan.Rounds * (plan.Participants * LeastUp(plan, layout) + plan.Sites * LeastDown(plan, layout));
    }

    /// <summary>What a participant may send.</summary>
    /// <param name="round">t; all rounds before it are accounted for.</param>
    /// <param name="firstLoss">L_0, or null.</param>
    /// <param name="previousLoss">L_{t−1}, or null.</param>
    public FrameAllowance Up(int round, double? firstLoss, double? previousLoss)
    {
        (FrameAllowance up, _) = Planned(round, firstLoss, previousLoss);
        return up with { FrameBytes = Limit((_left - LeastAfter(round) - plan.Sites * _leastDown) / plan.Participants) };
    }

    /// <summary>What the round's change may be, once its uploads are known: in the last round all that is left.</summary>
    /// <param name="round">t.</param>
    /// <param name="firstLoss">L_0 as it was when the round was opened.</param>
    /// <param name="previousLoss">L_{t−1} as it was when the round was opened.</param>
    /// <param name="uploads">Bytes of each of the round's uploads.</param>
    public FrameAllowance Down(int round, double? firstLoss, double? previousLoss, IEnumerable<int> uploads)
    {
        (_, FrameAllowance down) = Planned(round, firstLoss, previousLoss);
        long left = _left - BytesOf(uploads);
        if (round == plan.Rounds - 1)
        {
            (double A, double B) keep = (down.KeepA, down.KeepB);
            down = Times(keep, Factor(factor => DownCost(Times(keep, factor, DownValues)), left, Math.Min(keep.A, keep.B)), DownValues);
        }
        return down with { FrameBytes = Limit((left - LeastAfter(round)) / plan.Sites) };
    }

    /// <summary>Accounts for a round.</summary>
    /// <param name="up">What its uploads were allowed.</param>
    /// <param name="uploads">Bytes of each upload.</param>
    /// <param name="down">What its change was allowed.</param>
    /// <param name="change">Bytes of the change, which every site downloads.</param>
    public void Spend(FrameAllowance up, IReadOnlyCollection<int> uploads, FrameAllowance down, int change)
    {
        long sent = BytesOf(uploads), received = plan.Sites * ((long)change + plan.Overhead);
        if (uploads.Count > 0) _upCorrection *= sent / (UpCost(up) * uploads.Count / plan.Participants);
        _downCorrection *= received / DownCost(down);
        _left -= sent + received;
    }

    private (FrameAllowance Up, FrameAllowance Down) Planned(int round, double? firstLoss, double? previousLoss)
    {
        if (round < DenseRounds()) return (new(1, 1), new(1, 1));
        int sparse = Math.Max(round, _exchange.DenseRounds);
        (double A, double B) up = _exchange.Keep(sparse, firstLoss, previousLoss), down = _exchange.KeepDown(sparse, up);
        double factor = Factor(f => UpCost(Times(up, f, UpValues)) + DownCost(Times(down, f, DownValues)), (double)_left / (plan.Rounds - round), Math.Min(Math.Min(up.A, up.B), Math.Min(down.A, down.B)));
        return (Times(up, factor, UpValues), Times(down, factor, DownValues));
    }

    private int DenseRounds()
    {
        double each = plan.Participants * FrameCost(new(1, 1), UpValues, _exchange.Segments, _leastUp) + plan.Sites * FrameCost(new(1, 1), DownValues, 1, _leastDown);
        return (int)Math.Min(_exchange.DenseRounds, _exchange.Budget!.Value * DenseShare / each);
    }

    /// <summary>The largest factor whose cost is at most so many bytes, by bisection, up to the one at which all is kept: the cost never falls.</summary>
    private static double Factor(Func<double, double> cost, double bytes, double leastKeep)
    {
        double low = 0, high = 1 / leastKeep;
        if (cost(high) <= bytes) return high;
        for (int i = 0; i < 60; i++)
        {
            double middle = (low + high) / 2;
            (low, high) = cost(middle) <= bytes ? (middle, high) : (low, middle);
        }
        return low;
    }

    private ValueMode UpValues => _exchange.Values;

    private ValueMode DownValues => _exchange.ValuesDown ?? _exchange.Values;

    private double UpCost(FrameAllowance keep) => _upCorrection * plan.Participants * FrameCost(keep, UpValues, _exchange.Segments, _leastUp);

    private double DownCost(FrameAllowance keep) => _downCorrection * plan.Sites * FrameCost(keep, DownValues, 1, _leastDown);

    /// <summary>Expected bytes of a frame of a mean segment: what it needs at least, and its entries.</summary>
    private double FrameCost(FrameAllowance keep, ValueMode values, int segments, long least)
    {
        double bits = 0;
        foreach (LoraTensor tensor in _layout.Tensors) bits += tensor.Length * EntryBits(tensor.Role == LoraRole.A ? keep.KeepA : keep.KeepB, ValueBits(values));
        return bits / 8 / segments + least;
    }

    /// <summary>Bits of an entry of which the share k is sent: its position's entropy, and the value's bits. More than k = 1 costs, nothing costs.</summary>
    private static double EntryBits(double k, double valueBits) =>
        k is 0 or 1 ? k * valueBits : Math.Min(valueBits, -k * Math.Log2(k) - (1 - k) * Math.Log2(1 - k) + k * valueBits);

    private static FrameAllowance Times((double A, double B) keep, double factor, ValueMode values) => new(Rounded(factor * keep.A, values), Rounded(factor * keep.B, values));

    /// <summary>k, or 1 where all entries cost no more: of signs that is so from k = 0.23 on.</summary>
    private static double Rounded(double k, ValueMode values) => k >= 1 || EntryBits(k, ValueBits(values)) >= ValueBits(values) ? 1 : Math.Max(k, 1e-9);

    /// <summary>About what a sent value costs; what it costs indeed, the frames of the round before say.</summary>
    private static double ValueBits(ValueMode values) => values switch
    {
        ValueMode.Sign => 1,
        ValueMode.Int4 => 2.7,
        ValueMode.Int8 => 6.5,
        ValueMode.Fp32 => 32,
        _ => 11.5,
    };

    private int Limit(long bytes) => (int)Math.Clamp(bytes - plan.Overhead, 1, int.MaxValue);

    private long BytesOf(IEnumerable<int> frames) => frames.Sum(bytes => (long)bytes + plan.Overhead);

    /// <summary>Bytes that the rounds after this one need at least.</summary>
    private long LeastAfter(int round) => (plan.Rounds - round - 1) * (plan.Participants * _leastUp + plan.Sites * _leastDown);

    private static long LeastUp(RunPlan plan, LoraLayout layout) => LeastFrame(plan, layout, plan.Exchange.Values, plan.Exchange.Segments);

    private static long LeastDown(RunPlan plan, LoraLayout layout) => LeastFrame(plan, layout, plan.Exchange.ValuesDown ?? plan.Exchange.Values, 1);

    /// <summary>Bytes within which a frame of any segment can be written.</summary>
    private static long LeastFrame(RunPlan plan, LoraLayout layout, ValueMode values, int segments) => plan.Overhead + Enumerable.Range(0, segments)
        .Max(segment => FrameEncoder.LeastSize(new FrameHeader(FrameKind.Segment, 0, 0, 0, segment, segments, 0, 0), layout, values));
}
