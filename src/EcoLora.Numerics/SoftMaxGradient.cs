using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EcoLora.Numerics;

/// <summary>The backward pass of one softmax row.</summary>
internal static class SoftMaxGradient
{
    /// <summary>dᵢ ← s·pᵢ·(dᵢ − m), where m = Σ pⱼ·dⱼ.</summary>
    public static void Apply<T>(ReadOnlySpan<T> p, Span<T> d, T mean, T scale, SimdPath path)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Shape.Expect(d.Length, p.Length);
        int done = Simd.Resolve(path) switch
        {
            SimdPath.Vector512 => ApplyLanes<Lanes512<T>, T>(p, d, mean, scale),
            SimdPath.Vector256 => ApplyLanes<Lanes256<T>, T>(p, d, mean, scale),
            SimdPath.Vector128 => ApplyLanes<Lanes128<T>, T>(p, d, mean, scale),
            _ => 0,
        };
        for (int i = done; i < p.Length; i++) d[i] = scale * p[i] * (d[i] - mean);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int ApplyLanes<TLanes, T>(ReadOnlySpan<T> p, Span<T> d, T mean, T scale)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ref T pp = ref MemoryMarshal.GetReference(p), pd = ref MemoryMarshal.GetReference(d);
        TLanes center = TLanes.Of(mean), factor = TLanes.Of(scale);
        nuint i = 0, width = (nuint)TLanes.Count;
        for (; i + width <= (nuint)p.Length; i += width) (factor * TLanes.Load(ref pp, i) * (TLanes.Load(ref pd, i) - center)).Store(ref pd, i);
        return (int)i;
    }
}
