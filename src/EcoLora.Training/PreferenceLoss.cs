using System.Numerics;

namespace EcoLora.Training;

/// <summary>The loss of a batch by the losses of its scored rows, and the scale of each row's gradient.</summary>
internal delegate double RowObjective<T>(Batch batch, ReadOnlySpan<T> losses, Span<T> scales)
    where T : unmanaged, IBinaryFloatingPointIeee754<T>;

/// <summary>
/// Direct preference optimisation (Rafailov et al., 2023, Eq. 7): of a pair with the reward margin m = β·[(ln π(y_w|x) − ln π(y_l|x)) − reference], where the
/// reference is the same difference under π_ref, the loss is −ln σ(m), in nats. ln π(y|x) is the sum over the answer's tokens. With ℓ = −ln π the gradient
/// is β·σ(−m)·(∇ℓ(y_w) − ∇ℓ(y_l)): that of the token losses, scaled by the pair.
/// </summary>
public sealed class PreferenceLoss
{
    private readonly double _beta;
    private readonly IReadOnlyList<double> _references;

    /// <param name="beta">β, positive: the larger, the closer the policy stays to the reference.</param>
    /// <param name="references">ln π_ref(y_w|x) − ln π_ref(y_l|x) of each pair; see <see cref="PreferencePair.LogRatios"/>.</param>
    /// <exception cref="ArgumentException">β is not a finite number above 0.</exception>
    public PreferenceLoss(double beta, IReadOnlyList<double> references)
    {
        Limit.Positive(nameof(beta), beta);
        (_beta, _references) = (beta, references);
    }

    /// <summary>Number of pairs.</summary>
    public int Pairs => _references.Count;

    /// <summary>m = r(y_w) − r(y_l), r(y) = β·(ln π(y|x) − ln π_ref(y|x)); NaN where a log-likelihood is not finite.</summary>
    /// <param name="pair">Index of the pair.</param>
    /// <param name="logRatio">ln π(y_w|x) − ln π(y_l|x).</param>
    public double Margin(int pair, double logRatio)
    {
        double margin = _beta * (logRatio - _references[pair]);
        return double.IsFinite(margin) ? margin : double.NaN;
    }

    /// <summary>−ln σ(m) = ln(1 + e^−m), without overflow.</summary>
    public static double Of(double margin) => Math.Max(0, -margin) + Math.Log(1 + Math.Exp(-Math.Abs(margin)));

    /// <summary>The sum of the losses of a batch of whole pairs, and the rows' scales in the mean over <paramref name="divisor"/> pairs.</summary>
    /// <param name="batch">Sequences 2i and 2i + 1 are a pair's, and so are their examples.</param>
    /// <param name="losses">−ln p of the scored rows.</param>
    /// <param name="divisor">Pairs of the whole step.</param>
    /// <param name="scales">β·σ(−m)/divisor for the rows of chosen answers, its negative for those of rejected ones.</param>
    internal double Weigh<T>(Batch batch, ReadOnlySpan<T> losses, int divisor, Span<T> scales)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        double sum = 0;
        for (int sequence = 0; sequence < batch.Sequences; sequence += 2)
        {
            Range chosen = batch.ScoredStart(sequence)..batch.ScoredStart(sequence + 1), rejected = batch.ScoredStart(sequence + 1)..batch.ScoredStart(sequence + 2);
            double margin = Margin(batch.Example(sequence) / 2, Sum(losses[rejected]) - Sum(losses[chosen]));
            sum += Of(margin);
            T scale = T.CreateTruncating(_beta / (1 + Math.Exp(margin)) / divisor);
            scales[chosen].Fill(scale);
            scales[rejected].Fill(-scale);
        }
        return sum;
    }

    private static double Sum<T>(ReadOnlySpan<T> losses)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        double sum = 0;
        foreach (T loss in losses) sum += double.CreateTruncating(loss);
        return sum;
    }
}
