using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EcoLora.Numerics;

/// <summary>
/// One AdamW update of a vector (Loshchilov and Hutter, 2019), in PyTorch's form: g ← c·g; m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; w ← w·(1 − η·λ) − η/(1
/// − β₁ᵗ) · m/(√v/√(1 − β₂ᵗ) + ε).
/// </summary>
/// <param name="LearningRate">η of this step.</param>
/// <param name="Beta1">β₁ ∈ [0, 1).</param>
/// <param name="Beta2">β₂ ∈ [0, 1).</param>
/// <param name="Epsilon">ε &gt; 0.</param>
/// <param name="WeightDecay">λ ≥ 0, decoupled from the gradient.</param>
/// <param name="GradientScale">c, what clipping multiplies the gradient with.</param>
/// <param name="Step">t, from 1.</param>
public readonly record struct AdamStep(double LearningRate, double Beta1, double Beta2, double Epsilon, double WeightDecay, double GradientScale, int Step)
{
    /// <summary>Updates the weights and both moments in place. NaN in the gradient makes the weight NaN: check the gradient's norm first.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public void Apply<T>(Span<T> weights, ReadOnlySpan<T> gradient, Span<T> firstMoment, Span<T> secondMoment, SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Shape.Expect(gradient.Length, weights.Length);
        Shape.Expect(firstMoment.Length, weights.Length);
        Shape.Expect(secondMoment.Length, weights.Length);
        int done = Simd.Resolve(path) switch
        {
            SimdPath.Vector512 => ApplyLanes<Lanes512<T>, T>(weights, gradient, firstMoment, secondMoment),
            SimdPath.Vector256 => ApplyLanes<Lanes256<T>, T>(weights, gradient, firstMoment, secondMoment),
            SimdPath.Vector128 => ApplyLanes<Lanes128<T>, T>(weights, gradient, firstMoment, secondMoment),
            _ => 0,
        };
        T beta1 = T.CreateTruncating(Beta1), beta2 = T.CreateTruncating(Beta2), scale = T.CreateTruncating(GradientScale);
        T keep = T.CreateTruncating(1 - LearningRate * WeightDecay), rate = T.CreateTruncating(Rate), root = T.CreateTruncating(RootCorrection),
            eps = T.CreateTruncating(Epsilon);
        for (int i = done; i < weights.Length; i++)
        {
            T g = gradient[i] * scale;
            firstMoment[i] = beta1 * firstMoment[i] + (T.One - beta1) * g;
            secondMoment[i] = beta2 * secondMoment[i] + (T.One - beta2) * g * g;
            weights[i] = weights[i] * keep - rate * firstMoment[i] / (T.Sqrt(secondMoment[i]) * root + eps);
        }
    }

    /// <summary>η/(1 − β₁ᵗ).</summary>
    private double Rate => LearningRate / (1 - Math.Pow(Beta1, Step));

    /// <summary>1/√(1 − β₂ᵗ).</summary>
    private double RootCorrection => 1 / Math.Sqrt(1 - Math.Pow(Beta2, Step));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int ApplyLanes<TLanes, T>(Span<T> weights, ReadOnlySpan<T> gradient, Span<T> firstMoment, Span<T> secondMoment)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ref T pw = ref MemoryMarshal.GetReference(weights), pg = ref MemoryMarshal.GetReference(gradient);
        ref T pm = ref MemoryMarshal.GetReference(firstMoment), pv = ref MemoryMarshal.GetReference(secondMoment);
        T b1 = T.CreateTruncating(Beta1), b2 = T.CreateTruncating(Beta2);
        TLanes beta1 = TLanes.Of(b1), rest1 = TLanes.Of(T.One - b1), beta2 = TLanes.Of(b2), rest2 = TLanes.Of(T.One - b2);
        TLanes scale = TLanes.Of(T.CreateTruncating(GradientScale)), keep = TLanes.Of(T.CreateTruncating(1 - LearningRate * WeightDecay));
        TLanes rate = TLanes.Of(T.CreateTruncating(Rate)), root = TLanes.Of(T.CreateTruncating(RootCorrection)), eps = TLanes.Of(T.CreateTruncating(Epsilon));
        nuint i = 0, width = (nuint)TLanes.Count;
        for (; i + width <= (nuint)weights.Length; i += width)
        {
            TLanes g = TLanes.Load(ref pg, i) * scale;
            TLanes m = beta1 * TLanes.Load(ref pm, i) + rest1 * g, v = beta2 * TLanes.Load(ref pv, i) + rest2 * g * g;
            m.Store(ref pm, i);
            v.Store(ref pv, i);
            (TLanes.Load(ref pw, i) * keep - rate * m / (TLanes.Sqrt(v) * root + eps)).Store(ref pw, i);
        }
        return (int)i;
    }
}
