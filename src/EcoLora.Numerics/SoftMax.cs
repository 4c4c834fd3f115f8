using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EcoLora.Numerics;

/// <summary>Exponentials of one row against its maximum, the numerically safe core of attention and of cross-entropy.</summary>
public static class SoftMax
{
    /// <summary>
    /// Replaces the row x[n], n ≥ 1, by softmax(s·x) and returns ln Σ exp(s·xᵢ). The maximum is subtracted first, so finite inputs of any size are safe; a
    /// row with NaN or +∞ becomes NaN and returns NaN. s must be positive.
    /// </summary>
    public static T Forward<T>(Span<T> x, T scale, SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T shift = scale * Max(x, path);
        T sum = Exponentiate(x, scale, shift, path);
        VectorMath.Scale(T.One / sum, x, path);
        return shift + T.Log(sum);
    }

    /// <summary>The largest entry of x[n], n ≥ 1; NaN when there is one.</summary>
    public static T Max<T>(ReadOnlySpan<T> x, SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T max = x[0];
        int done = Simd.Resolve(path) switch
        {
            SimdPath.Vector512 => MaxLanes<Lanes512<T>, T>(x, ref max),
            SimdPath.Vector256 => MaxLanes<Lanes256<T>, T>(x, ref max),
            SimdPath.Vector128 => MaxLanes<Lanes128<T>, T>(x, ref max),
            _ => 0,
        };
        for (int i = done; i < x.Length; i++) max = T.Max(max, x[i]);
        return max;
    }

    /// <summary>xᵢ ← exp(s·xᵢ − c), s &gt; 0; returns the sum of the new entries.</summary>
    public static T Exponentiate<T>(Span<T> x, T scale, T shift, SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T sum = T.Zero;
        int done = Simd.Resolve(path) switch
        {
            SimdPath.Vector512 => ExponentiateLanes<Lanes512<T>, T>(x, scale, shift, ref sum),
            SimdPath.Vector256 => ExponentiateLanes<Lanes256<T>, T>(x, scale, shift, ref sum),
            SimdPath.Vector128 => ExponentiateLanes<Lanes128<T>, T>(x, scale, shift, ref sum),
            _ => 0,
        };
        for (int i = done; i < x.Length; i++)
        {
            x[i] = T.Exp(scale * x[i] - shift);
            sum += x[i];
        }
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int MaxLanes<TLanes, T>(ReadOnlySpan<T> x, ref T max)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        nuint length = (nuint)x.Length, width = (nuint)TLanes.Count;
        if (length < width) return 0;
        ref T px = ref MemoryMarshal.GetReference(x);
        // The last vector overlaps the one before it: a maximum may see an entry twice.
        TLanes best = TLanes.Load(ref px, length - width);
        for (nuint i = 0; i + width < length; i += width) best = TLanes.Max(best, TLanes.Load(ref px, i));
        max = TLanes.Largest(best);
        return x.Length;
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe int ExponentiateLanes<TLanes, T>(Span<T> x, T scale, T shift, ref T sum)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ref T px = ref MemoryMarshal.GetReference(x);
        TLanes factor = TLanes.Of(scale), offset = TLanes.Of(-shift), sums = default;
        nuint i = 0, width = (nuint)TLanes.Count;
        for (; i + width <= (nuint)x.Length; i += width)
        {
            TLanes e = TLanes.Exp(TLanes.MultiplyAdd(factor, TLanes.Load(ref px, i), offset));
            e.Store(ref px, i);
            sums += e;
        }
        int rest = x.Length - (int)i;
        if (rest == 0)
        {
            sum = TLanes.Sum(sums);
            return x.Length;
        }
        // Rows of attention have all lengths: the rest goes through one more vector instead of one by one.
        T* lanes = stackalloc T[TLanes.Count];
        TLanes.Of(T.NegativeInfinity).Store(lanes);
        x[(int)i..].CopyTo(new Span<T>(lanes, rest));
        TLanes tail = TLanes.Exp(TLanes.MultiplyAdd(factor, TLanes.Load(lanes), offset));
        tail.Store(lanes);
        new ReadOnlySpan<T>(lanes, rest).CopyTo(x[(int)i..]);
        sum = TLanes.Sum(sums + tail);
        return x.Length;
    }
}
