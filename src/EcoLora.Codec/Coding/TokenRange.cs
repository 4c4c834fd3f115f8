using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace EcoLora.Codec;

/// <summary>The smallest and the largest token that were met.</summary>
internal struct TokenRange()
{
    private Vector128<byte> _low = Vector128<byte>.AllBitsSet, _high = Vector128<byte>.Zero;

    /// <summary>Smallest and largest; 255 and 0 of nothing.</summary>
    public readonly (int Smallest, int Largest) Ends
    {
        get
        {
            (int smallest, int largest) = (byte.MaxValue, byte.MinValue);
            for (int lane = 0; lane < Vector128<byte>.Count; lane++) (smallest, largest) = (Math.Min(smallest, _low[lane]), Math.Max(largest, _high[lane]));
            return (smallest, largest);
        }
    }

    /// <summary>Takes tokens in.</summary>
    [MethodImpl(Jit.Kernel)]
    public void Include(ReadOnlySpan<byte> tokens)
    {
        Vector128<byte> low = _low, high = _high;
        for (; tokens.Length >= Vector128<byte>.Count; tokens = tokens[Vector128<byte>.Count..])
        {
            var v = Vector128.Create(tokens);
            low = Vector128.Min(low, v);
            high = Vector128.Max(high, v);
        }
        foreach (byte token in tokens)
        {
            low = Vector128.Min(low, Vector128.Create(token));
            high = Vector128.Max(high, Vector128.Create(token));
        }
        (_low, _high) = (low, high);
    }
}
