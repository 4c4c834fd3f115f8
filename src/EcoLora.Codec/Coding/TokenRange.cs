using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace EcoLora.Codec;

/// <summary>The smallest and the largest token that were met.</summary>
internal struct TokenRange()
{
    private Vector256<byte> _low = Vector256<byte>.AllBitsSet, _high = Vector256<byte>.Zero;

    /// <summary>Smallest and largest; 255 and 0 of nothing.</summary>
    public readonly (int Smallest, int Largest) Ends
    {
        get
        {
            (int smallest, int largest) = (byte.MaxValue, byte.MinValue);
            for (int lane = 0; lane < Vector256<byte>.Count; lane++) (smallest, largest) = (Math.Min(smallest, _low[lane]), Math.Max(largest, _high[lane]));
            return (smallest, largest);
        }
    }

    /// <summary>Takes tokens in.</summary>
    [MethodImpl(Jit.Kernel)]
    public void Include(ReadOnlySpan<byte> tokens)
    {
        Vector256<byte> low = _low, high = _high;
        for (; tokens.Length >= Vector256<byte>.Count; tokens = tokens[Vector256<byte>.Count..])
        {
            var v = Vector256.Create(tokens);
            low = Vector256.Min(low, v);
            high = Vector256.Max(high, v);
        }
        foreach (byte token in tokens)
        {
            low = Vector256.Min(low, Vector256.Create(token));
            high = Vector256.Max(high, Vector256.Create(token));
        }
        (_low, _high) = (low, high);
    }
}
