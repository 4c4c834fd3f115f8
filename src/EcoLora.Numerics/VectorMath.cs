using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EcoLora.Numerics;

/// <summary>
/// Sums and scalings of whole vectors. T is <see cref="float"/> or <see cref="double"/>. The order of each sum depends on the length and on the path only.
/// NaN and infinity propagate.
/// </summary>
public static class VectorMath
{
    /// <summary>Σ xᵢ·yᵢ.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static T Dot<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> y, SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Shape.Expect(y.Length, x.Length);
        switch (Simd.Resolve(path))
        {
            case SimdPath.Vector512: return DotLanes<Lanes512<T>, T>(x, y);
            case SimdPath.Vector256: return DotLanes<Lanes256<T>, T>(x, y);
            case SimdPath.Vector128: return DotLanes<Lanes128<T>, T>(x, y);
        }
        T sum = T.Zero;
        for (int i = 0; i < x.Length; i++) sum += x[i] * y[i];
        return sum;
    }

    /// <summary>Σ xᵢ², summed in double precision whatever the type: norms of long vectors stay exact to about 1e-15 relative.</summary>
    public static double SumOfSquares<T>(ReadOnlySpan<T> x, SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        double sum = 0;
        if (Simd.Resolve(path) == SimdPath.Scalar)
        {
            foreach (T value in x) sum += double.CreateTruncating(value) * double.CreateTruncating(value);
            return sum;
        }
        // Blocks that are short enough for a float sum keep the vector path accurate.
        const int Block = 256;
        for (; x.Length > Block; x = x[Block..]) sum += double.CreateTruncating(Dot(x[..Block], x[..Block], path));
        return sum + double.CreateTruncating(Dot(x, x, path));
    }

    /// <summary>yᵢ ← yᵢ + a·xᵢ.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Axpy<T>(T a, ReadOnlySpan<T> x, Span<T> y, SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Shape.Expect(y.Length, x.Length);
        switch (Simd.Resolve(path))
        {
            case SimdPath.Vector512: AxpyLanes<Lanes512<T>, T>(a, x, y); return;
            case SimdPath.Vector256: AxpyLanes<Lanes256<T>, T>(a, x, y); return;
            case SimdPath.Vector128: AxpyLanes<Lanes128<T>, T>(a, x, y); return;
        }
        for (int i = 0; i < x.Length; i++) y[i] += a * x[i];
    }

    /// <summary>xᵢ ← a·xᵢ.</summary>
    public static void Scale<T>(T a, Span<T> x, SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        switch (Simd.Resolve(path))
        {
            case SimdPath.Vector512: ScaleLanes<Lanes512<T>, T>(a, x); return;
            case SimdPath.Vector256: ScaleLanes<Lanes256<T>, T>(a, x); return;
            case SimdPath.Vector128: ScaleLanes<Lanes128<T>, T>(a, x); return;
        }
        for (int i = 0; i < x.Length; i++) x[i] *= a;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static T DotLanes<TLanes, T>(ReadOnlySpan<T> x, ReadOnlySpan<T> y)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ref T px = ref MemoryMarshal.GetReference(x), py = ref MemoryMarshal.GetReference(y);
        TLanes s0 = default, s1 = default, s2 = default, s3 = default;
        nuint i = 0, width = (nuint)TLanes.Count, length = (nuint)x.Length;
        for (; i + 4 * width <= length; i += 4 * width)
        {
            s0 = TLanes.MultiplyAdd(TLanes.Load(ref px, i), TLanes.Load(ref py, i), s0);
            s1 = TLanes.MultiplyAdd(TLanes.Load(ref px, i + width), TLanes.Load(ref py, i + width), s1);
            s2 = TLanes.MultiplyAdd(TLanes.Load(ref px, i + 2 * width), TLanes.Load(ref py, i + 2 * width), s2);
            s3 = TLanes.MultiplyAdd(TLanes.Load(ref px, i + 3 * width), TLanes.Load(ref py, i + 3 * width), s3);
        }
        for (; i + width <= length; i += width) s0 = TLanes.MultiplyAdd(TLanes.Load(ref px, i), TLanes.Load(ref py, i), s0);
        T sum = TLanes.Sum((s0 + s1) + (s2 + s3));
        for (int j = (int)i; j < x.Length; j++) sum += x[j] * y[j];
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AxpyLanes<TLanes, T>(T a, ReadOnlySpan<T> x, Span<T> y)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ref T px = ref MemoryMarshal.GetReference(x), py = ref MemoryMarshal.GetReference(y);
        nuint i = 0, width = (nuint)TLanes.Count;
        TLanes factor = TLanes.Of(a);
        for (; i + width <= (nuint)x.Length; i += width) TLanes.MultiplyAdd(factor, TLanes.Load(ref px, i), TLanes.Load(ref py, i)).Store(ref py, i);
        for (int j = (int)i; j < x.Length; j++) y[j] = T.FusedMultiplyAdd(a, x[j], y[j]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScaleLanes<TLanes, T>(T a, Span<T> x)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ref T px = ref MemoryMarshal.GetReference(x);
        nuint i = 0, width = (nuint)TLanes.Count;
        TLanes factor = TLanes.Of(a);
        for (; i + width <= (nuint)x.Length; i += width) (factor * TLanes.Load(ref px, i)).Store(ref px, i);
        for (int j = (int)i; j < x.Length; j++) x[j] *= a;
    }
}
