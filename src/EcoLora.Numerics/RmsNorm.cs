using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EcoLora.Numerics;

/// <summary>
/// Root mean square normalisation (Zhang and Sennrich, 2019), row by row: y = x·ρ∘g with ρ = 1/√(mean(x²) + ε). Rows are n wide, row-major. NaN propagates
/// inside its row.
/// </summary>
public static class RmsNorm
{
    /// <summary>Y[rows, n] from X[rows, n] and the gains g[n]; keeps ρ[rows] for the backward pass.</summary>
    /// <exception cref="ArgumentException">A length does not fit rows × n.</exception>
    public static void Forward<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> gains, Span<T> y, Span<T> reciprocals, double epsilon, SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int n = gains.Length;
        Shape.Expect(x.Length, (long)reciprocals.Length * n);
        Shape.Expect(y.Length, x.Length);
        T meanFactor = T.One / T.CreateTruncating(n), eps = T.CreateTruncating(epsilon);
        SimdPath resolved = Simd.Resolve(path);
        for (int row = 0; row < reciprocals.Length; row++)
        {
            ReadOnlySpan<T> source = x.Slice(row * n, n);
            Span<T> target = y.Slice(row * n, n);
            T reciprocal = T.One / T.Sqrt(VectorMath.Dot(source, source, resolved) * meanFactor + eps);
            reciprocals[row] = reciprocal;
            switch (resolved)
            {
                case SimdPath.Vector512: ScaleRow<Lanes512<T>, T>(source, gains, target, reciprocal); break;
                case SimdPath.Vector256: ScaleRow<Lanes256<T>, T>(source, gains, target, reciprocal); break;
                case SimdPath.Vector128: ScaleRow<Lanes128<T>, T>(source, gains, target, reciprocal); break;
                default:
                    for (int i = 0; i < n; i++) target[i] = source[i] * reciprocal * gains[i];
                    break;
            }
        }
    }

    /// <summary>
    /// dX += ρ·(g∘dY) − x·ρ³/n·Σᵢ gᵢ·dYᵢ·xᵢ and, unless <paramref name="gainGradients"/> is empty, dg += Σ over rows of dY∘x·ρ.
    /// </summary>
    /// <exception cref="ArgumentException">A length does not fit rows × n.</exception>
    public static void Backward<T>(
        ReadOnlySpan<T> x, ReadOnlySpan<T> gains, ReadOnlySpan<T> reciprocals, ReadOnlySpan<T> dy, Span<T> dx, Span<T> gainGradients,
        SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int n = gains.Length;
        Shape.Expect(x.Length, (long)reciprocals.Length * n);
        Shape.Expect(dy.Length, x.Length);
        Shape.Expect(dx.Length, x.Length);
        if (!gainGradients.IsEmpty) Shape.Expect(gainGradients.Length, n);
        SimdPath resolved = Simd.Resolve(path);
        for (int row = 0; row < reciprocals.Length; row++)
        {
            ReadOnlySpan<T> xs = x.Slice(row * n, n), dys = dy.Slice(row * n, n);
            Span<T> dxs = dx.Slice(row * n, n);
            T reciprocal = reciprocals[row];
            switch (resolved)
            {
                case SimdPath.Vector512: BackwardRow<Lanes512<T>, T>(xs, gains, reciprocal, dys, dxs, gainGradients); break;
                case SimdPath.Vector256: BackwardRow<Lanes256<T>, T>(xs, gains, reciprocal, dys, dxs, gainGradients); break;
                case SimdPath.Vector128: BackwardRow<Lanes128<T>, T>(xs, gains, reciprocal, dys, dxs, gainGradients); break;
                default: BackwardRow(xs, gains, reciprocal, dys, dxs, gainGradients); break;
            }
        }
    }

    private static void BackwardRow<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> gains, T reciprocal, ReadOnlySpan<T> dy, Span<T> dx, Span<T> gainGradients)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T projection = T.Zero;
        for (int i = 0; i < x.Length; i++) projection += gains[i] * dy[i] * x[i];
        T correction = projection * reciprocal * reciprocal * reciprocal / T.CreateTruncating(x.Length);
        for (int i = 0; i < x.Length; i++) dx[i] += gains[i] * dy[i] * reciprocal - x[i] * correction;
        for (int i = 0; i < gainGradients.Length; i++) gainGradients[i] += dy[i] * x[i] * reciprocal;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScaleRow<TLanes, T>(ReadOnlySpan<T> x, ReadOnlySpan<T> gains, Span<T> y, T reciprocal)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ref T px = ref MemoryMarshal.GetReference(x), pg = ref MemoryMarshal.GetReference(gains), py = ref MemoryMarshal.GetReference(y);
        TLanes factor = TLanes.Of(reciprocal);
        nuint i = 0, width = (nuint)TLanes.Count;
        for (; i + width <= (nuint)x.Length; i += width) (TLanes.Load(ref px, i) * factor * TLanes.Load(ref pg, i)).Store(ref py, i);
        for (int j = (int)i; j < x.Length; j++) y[j] = x[j] * reciprocal * gains[j];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardRow<TLanes, T>(ReadOnlySpan<T> x, ReadOnlySpan<T> gains, T reciprocal, ReadOnlySpan<T> dy, Span<T> dx, Span<T> gainGradients)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ref T px = ref MemoryMarshal.GetReference(x), pg = ref MemoryMarshal.GetReference(gains);
        ref T pdy = ref MemoryMarshal.GetReference(dy), pdx = ref MemoryMarshal.GetReference(dx), pdg = ref MemoryMarshal.GetReference(gainGradients);
        nuint width = (nuint)TLanes.Count, whole = (nuint)x.Length / width * width;
        TLanes sums = default;
        for (nuint i = 0; i < whole; i += width) sums = TLanes.MultiplyAdd(TLanes.Load(ref pg, i) * TLanes.Load(ref pdy, i), TLanes.Load(ref px, i), sums);
        T projection = TLanes.Sum(sums);
        for (int j = (int)whole; j < x.Length; j++) projection += gains[j] * dy[j] * x[j];
        T correction = projection * reciprocal * reciprocal * reciprocal / T.CreateTruncating(x.Length);

        TLanes factor = TLanes.Of(reciprocal), negative = TLanes.Of(-correction);
        for (nuint i = 0; i < whole; i += width)
        {
            TLanes direct = TLanes.MultiplyAdd(TLanes.Load(ref pg, i) * TLanes.Load(ref pdy, i), factor, TLanes.Load(ref pdx, i));
            TLanes.MultiplyAdd(TLanes.Load(ref px, i), negative, direct).Store(ref pdx, i);
        }
        for (int j = (int)whole; j < x.Length; j++) dx[j] += gains[j] * dy[j] * reciprocal - x[j] * correction;

        if (gainGradients.IsEmpty) return;
        for (nuint i = 0; i < whole; i += width)
            TLanes.MultiplyAdd(TLanes.Load(ref pdy, i) * TLanes.Load(ref px, i), factor, TLanes.Load(ref pdg, i)).Store(ref pdg, i);
        for (int j = (int)whole; j < x.Length; j++) gainGradients[j] += dy[j] * x[j] * reciprocal;
    }
}
