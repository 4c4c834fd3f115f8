using System.Numerics;

namespace EcoLora.Numerics;

/// <summary>Cross-entropy of next-token logits in nats: −ln softmax(z)[target] = ln Σ exp(zᵢ) − z[target], by log-sum-exp.</summary>
public static class CrossEntropy
{
    /// <summary>The target of a row that does not count: its loss and its gradient are zero.</summary>
    public const int Masked = -1;

    /// <summary>
    /// Writes each row's loss; destroys the logits. A row with NaN or +∞ has the loss NaN.
    /// </summary>
    /// <param name="logits">[rows, vocabulary].</param>
    /// <param name="targets">[rows], each in [0, vocabulary) or <see cref="Masked"/>.</param>
    /// <param name="losses">[rows].</param>
    /// <param name="path">Code path.</param>
    /// <exception cref="ArgumentException">The logits are not rows × vocabulary.</exception>
    /// <exception cref="IndexOutOfRangeException">A target is outside the vocabulary.</exception>
    public static void Forward<T>(Span<T> logits, ReadOnlySpan<int> targets, Span<T> losses, SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        => Run(logits, targets, losses, T.Zero, gradient: false, path);

    /// <summary>As <see cref="Forward"/>, and replaces the logits by s·(softmax(z) − onehot(target)), or by zeros in a masked row.</summary>
    /// <inheritdoc cref="Forward"/>
    public static void ForwardBackward<T>(Span<T> logits, ReadOnlySpan<int> targets, Span<T> losses, T scale, SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        => Run(logits, targets, losses, scale, gradient: true, path);

    private static void Run<T>(Span<T> logits, ReadOnlySpan<int> targets, Span<T> losses, T scale, bool gradient, SimdPath path)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Shape.Expect(losses.Length, targets.Length);
        if (targets.IsEmpty) return;
        int vocabulary = logits.Length / targets.Length;
        Shape.Expect(logits.Length, (long)vocabulary * targets.Length);
        for (int row = 0; row < targets.Length; row++)
        {
            Span<T> z = logits.Slice(row * vocabulary, vocabulary);
            int target = targets[row];
            losses[row] = T.Zero;
            if (target == Masked)
            {
                if (gradient) z.Clear();
                continue;
            }
            T targetLogit = z[target], max = SoftMax.Max(z, path);
            T sum = SoftMax.Exponentiate(z, T.One, max, path);
            losses[row] = T.Log(sum) + (max - targetLogit);
            if (!gradient) continue;
            VectorMath.Scale(scale / sum, z, path);
            z[target] -= scale;
        }
    }
}
