using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EcoLora.Numerics;

/// <summary>
/// The gate of Llama's feed-forward layer (Shazeer, 2020): y = silu(g)∘u with silu(g) = g·σ(g), σ(g) = 1/(1 + e^−g). Large |g| is safe: e^−g may become
/// infinite, and then σ is exactly 0. NaN propagates.
/// </summary>
public static class SwiGlu
{
    /// <summary>y[n] = g·σ(g)∘u.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Forward<T>(ReadOnlySpan<T> gate, ReadOnlySpan<T> up, Span<T> y, SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Shape.Expect(up.Length, gate.Length);
        Shape.Expect(y.Length, gate.Length);
        int done = Simd.Resolve(path) switch
        {
            SimdPath.Vector512 => ForwardLanes<Lanes512<T>, T>(gate, up, y),
            SimdPath.Vector256 => ForwardLanes<Lanes256<T>, T>(gate, up, y),
            SimdPath.Vector128 => ForwardLanes<Lanes128<T>, T>(gate, up, y),
            _ => 0,
        };
        for (int i = done; i < gate.Length; i++) y[i] = gate[i] / (T.One + T.Exp(-gate[i])) * up[i];
    }

    /// <summary>dg = dy∘u∘σ(g)∘(1 + g∘(1 − σ(g))), du = dy∘g∘σ(g). The outputs may be the same memory as <paramref name="gate"/> and
    /// <paramref name="up"/>.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Backward<T>(ReadOnlySpan<T> gate, ReadOnlySpan<T> up, ReadOnlySpan<T> dy, Span<T> gateGradient, Span<T> upGradient,
        SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Shape.Expect(up.Length, gate.Length);
        Shape.Expect(dy.Length, gate.Length);
        Shape.Expect(gateGradient.Length, gate.Length);
        Shape.Expect(upGradient.Length, gate.Length);
        int done = Simd.Resolve(path) switch
        {
            SimdPath.Vector512 => BackwardLanes<Lanes512<T>, T>(gate, up, dy, gateGradient, upGradient),
            SimdPath.Vector256 => BackwardLanes<Lanes256<T>, T>(gate, up, dy, gateGradient, upGradient),
            SimdPath.Vector128 => BackwardLanes<Lanes128<T>, T>(gate, up, dy, gateGradient, upGradient),
            _ => 0,
        };
        for (int i = done; i < gate.Length; i++)
        {
            T g = gate[i], u = up[i], d = dy[i], sigma = T.One / (T.One + T.Exp(-g));
            gateGradient[i] = d * u * sigma * (T.One + g * (T.One - sigma));
            upGradient[i] = d * g * sigma;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int ForwardLanes<TLanes, T>(ReadOnlySpan<T> gate, ReadOnlySpan<T> up, Span<T> y)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ref T pg = ref MemoryMarshal.GetReference(gate), pu = ref MemoryMarshal.GetReference(up), py = ref MemoryMarshal.GetReference(y);
        TLanes one = TLanes.Of(T.One);
        nuint i = 0, width = (nuint)TLanes.Count;
        for (; i + width <= (nuint)gate.Length; i += width)
        {
            TLanes g = TLanes.Load(ref pg, i);
            (g / (one + TLanes.Exp(-g)) * TLanes.Load(ref pu, i)).Store(ref py, i);
        }
        return (int)i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int BackwardLanes<TLanes, T>(ReadOnlySpan<T> gate, ReadOnlySpan<T> up, ReadOnlySpan<T> dy, Span<T> gateGradient, Span<T> upGradient)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ref T pg = ref MemoryMarshal.GetReference(gate), pu = ref MemoryMarshal.GetReference(up), pd = ref MemoryMarshal.GetReference(dy);
        ref T pdg = ref MemoryMarshal.GetReference(gateGradient), pdu = ref MemoryMarshal.GetReference(upGradient);
        TLanes one = TLanes.Of(T.One);
        nuint i = 0, width = (nuint)TLanes.Count;
        for (; i + width <= (nuint)gate.Length; i += width)
        {
            TLanes g = TLanes.Load(ref pg, i), u = TLanes.Load(ref pu, i), d = TLanes.Load(ref pd, i);
            TLanes sigma = one / (one + TLanes.Exp(-g)), scaled = d * sigma;
            (scaled * u * (one + g * (one - sigma))).Store(ref pdg, i);
            (scaled * g).Store(ref pdu, i);
        }
        return (int)i;
    }
}
