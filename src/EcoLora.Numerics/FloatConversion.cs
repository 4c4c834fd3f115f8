using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace EcoLora.Numerics;

/// <summary>
/// Conversions between binary32 and the two 16-bit formats. Widening is exact (subnormals, infinities and NaN payloads included); narrowing
/// rounds to the nearest, ties to even, overflow to infinity, and keeps NaN a NaN. Any order of lengths; source and destination may not overlap.
/// </summary>
public static class FloatConversion
{
    /// <summary>binary16 → binary32, element by element.</summary>
    public static void WidenHalf(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        destination = destination[..source.Length];
        ref ushort from = ref MemoryMarshal.GetReference(source);
        ref float to = ref MemoryMarshal.GetReference(destination);
        int i = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            for (; i <= source.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
            {
                (Vector256<uint> lower, Vector256<uint> upper) = Vector256.Widen(Vector256.LoadUnsafe(ref from, (nuint)i));
                WidenHalf(lower).StoreUnsafe(ref to, (nuint)i);
                WidenHalf(upper).StoreUnsafe(ref to, (nuint)i + (nuint)Vector256<uint>.Count);
            }
        }
        for (; i < source.Length; i++) destination[i] = WidenHalf(source[i]);
    }

    /// <summary>bfloat16 → binary32, element by element.</summary>
    public static void WidenBrain(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        destination = destination[..source.Length];
        ref ushort from = ref MemoryMarshal.GetReference(source);
        ref float to = ref MemoryMarshal.GetReference(destination);
        int i = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            for (; i <= source.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
            {
                (Vector256<uint> lower, Vector256<uint> upper) = Vector256.Widen(Vector256.LoadUnsafe(ref from, (nuint)i));
                (lower << 16).AsSingle().StoreUnsafe(ref to, (nuint)i);
                (upper << 16).AsSingle().StoreUnsafe(ref to, (nuint)i + (nuint)Vector256<uint>.Count);
            }
        }
        for (; i < source.Length; i++) destination[i] = WidenBrain(source[i]);
    }

    /// <summary>One binary16: sign, exponent and fraction moved into place, times 2^112 to correct the exponent's bias (which also normalises
    /// subnormals).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float WidenHalf(ushort half)
    {
        uint magnitude = (uint)(half & 0x7FFF) << 13;
        uint bits = magnitude >= 0x0F80_0000
            ? magnitude | 0x7F80_0000
            : BitConverter.SingleToUInt32Bits(BitConverter.UInt32BitsToSingle(magnitude) * BiasCorrection);
        return BitConverter.UInt32BitsToSingle(bits | ((uint)(half & 0x8000) << 16));
    }

    /// <summary>One bfloat16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float WidenBrain(ushort brain) => BitConverter.UInt32BitsToSingle((uint)brain << 16);

    /// <summary>One binary32 to bfloat16.</summary>
    public static ushort NarrowBrain(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return (ushort)((bits >> 16) | 0x40);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>One binary32 to binary16.</summary>
    public static ushort NarrowHalf(float value) => BitConverter.HalfToUInt16Bits((Half)value);

    private static float BiasCorrection => BitConverter.UInt32BitsToSingle((127u + 112u) << 23);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> WidenHalf(Vector256<uint> half)
    {
        Vector256<uint> magnitude = (half & Vector256.Create(0x7FFFu)) << 13;
        Vector256<uint> scaled = (magnitude.AsSingle() * BiasCorrection).AsUInt32();
        Vector256<uint> special = Vector256.GreaterThanOrEqual(magnitude, Vector256.Create(0x0F80_0000u));
        Vector256<uint> bits = Vector256.ConditionalSelect(special, magnitude | Vector256.Create(0x7F80_0000u), scaled);
        return (bits | ((half & Vector256.Create(0x8000u)) << 16)).AsSingle();
    }
}
