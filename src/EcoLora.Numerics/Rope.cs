using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EcoLora.Numerics;

/// <summary>
/// Rotary position embedding (Su et al., 2021) in the layout of Hugging Face's <c>rotate_half</c>: inside a head of size d, entry i &lt; d/2 is paired with
/// entry i + d/2 and the pair is turned by the angle position·θ^(−2i/d). The backward pass turns the gradient by the opposite angle.
/// </summary>
public static class Rope
{
    /// <summary>Fills cosines[positions, d/2] and sines[positions, d/2]; angles are computed in double precision.</summary>
    /// <param name="cosines">[positions, d/2].</param>
    /// <param name="sines">[positions, d/2].</param>
    /// <param name="positions">From 0.</param>
    /// <param name="headSize">d, even.</param>
    /// <param name="theta">θ.</param>
    /// <param name="scaling">What becomes of the frequencies, or null.</param>
    /// <exception cref="ArgumentException">A table's length is not positions × d/2, or d is odd.</exception>
    public static void FillTables<T>(Span<T> cosines, Span<T> sines, int positions, int headSize, double theta, RopeScaling? scaling = null)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (headSize % 2 != 0) throw new ArgumentException($"headSize: expected an even number, found {headSize}", nameof(headSize));
        int half = headSize / 2;
        Shape.Expect(cosines.Length, (long)positions * half);
        Shape.Expect(sines.Length, cosines.Length);
        double[] frequencies = new double[half];
        for (int i = 0; i < half; i++)
        {
            double unscaled = Math.Pow(theta, -2.0 * i / headSize);
            frequencies[i] = scaling?.Scale(unscaled) ?? unscaled;
        }
        for (int position = 0; position < positions; position++)
        {
            for (int i = 0; i < half; i++)
            {
                double angle = position * frequencies[i];
                cosines[position * half + i] = T.CreateTruncating(Math.Cos(angle));
                sines[position * half + i] = T.CreateTruncating(Math.Sin(angle));
            }
        }
    }

    /// <summary>Turns X[rows, heads·d] in place: (a, b) ← (a·cos − b·sin, b·cos + a·sin), row r by its position.</summary>
    /// <param name="x">[rows, heads·d].</param>
    /// <param name="positions">[rows], each below the tables' number of positions.</param>
    /// <param name="cosines">[positions, d/2].</param>
    /// <param name="sines">[positions, d/2].</param>
    /// <param name="headSize">d, even.</param>
    /// <param name="path">Code path.</param>
    /// <exception cref="ArgumentException">X is not a whole number of heads per row.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A position lies outside the tables.</exception>
    public static void Forward<T>(Span<T> x, ReadOnlySpan<int> positions, ReadOnlySpan<T> cosines, ReadOnlySpan<T> sines, int headSize,
        SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        => Turn(x, positions, cosines, sines, headSize, T.One, path);

    /// <summary>Turns the gradient back in place: (a, b) ← (a·cos + b·sin, b·cos − a·sin).</summary>
    /// <inheritdoc cref="Forward"/>
    public static void Backward<T>(Span<T> x, ReadOnlySpan<int> positions, ReadOnlySpan<T> cosines, ReadOnlySpan<T> sines, int headSize,
        SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        => Turn(x, positions, cosines, sines, headSize, -T.One, path);

    private static void Turn<T>(Span<T> x, ReadOnlySpan<int> positions, ReadOnlySpan<T> cosines, ReadOnlySpan<T> sines, int headSize, T direction,
        SimdPath path)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (positions.IsEmpty) return;
        int half = headSize / 2, width = x.Length / positions.Length;
        Shape.Expect(x.Length, (long)positions.Length * (width / headSize) * headSize);
        Shape.Expect(sines.Length, cosines.Length);
        SimdPath resolved = Simd.Resolve(path);
        for (int row = 0; row < positions.Length; row++)
        {
            ReadOnlySpan<T> cos = cosines.Slice(positions[row] * half, half), sin = sines.Slice(positions[row] * half, half);
            Span<T> heads = x.Slice(row * width, width);
            for (int head = 0; head < width; head += headSize)
            {
                Span<T> first = heads.Slice(head, half), second = heads.Slice(head + half, half);
                int done = resolved switch
                {
                    SimdPath.Vector512 => TurnLanes<Lanes512<T>, T>(first, second, cos, sin, direction),
                    SimdPath.Vector256 => TurnLanes<Lanes256<T>, T>(first, second, cos, sin, direction),
                    SimdPath.Vector128 => TurnLanes<Lanes128<T>, T>(first, second, cos, sin, direction),
                    _ => 0,
                };
                for (int i = done; i < half; i++)
                {
                    T a = first[i], b = second[i], s = direction * sin[i];
                    first[i] = a * cos[i] - b * s;
                    second[i] = b * cos[i] + a * s;
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int TurnLanes<TLanes, T>(Span<T> first, Span<T> second, ReadOnlySpan<T> cos, ReadOnlySpan<T> sin, T direction)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged
    {
        ref T pa = ref MemoryMarshal.GetReference(first), pb = ref MemoryMarshal.GetReference(second);
        ref T pc = ref MemoryMarshal.GetReference(cos), ps = ref MemoryMarshal.GetReference(sin);
        TLanes sign = TLanes.Of(direction);
        nuint i = 0, width = (nuint)TLanes.Count;
        for (; i + width <= (nuint)first.Length; i += width)
        {
            TLanes a = TLanes.Load(ref pa, i), b = TLanes.Load(ref pb, i), c = TLanes.Load(ref pc, i), s = sign * TLanes.Load(ref ps, i);
            (a * c - b * s).Store(ref pa, i);
            (b * c + a * s).Store(ref pb, i);
        }
        return (int)i;
    }
}
