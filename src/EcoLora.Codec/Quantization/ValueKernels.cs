using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EcoLora.Codec;

/// <summary>
/// How a value mode rounds magnitudes and what its codes stand for (FORMAT.md, section Values). The scalar form is the reference; vectors give the same bits.
/// </summary>
internal interface IValueKernel
{
    /// <summary>m of a finite magnitude given by its bits; 0 when it rounds to zero.</summary>
    int Round(uint bits);

    /// <inheritdoc cref="Round(uint)"/>
    Vector128<uint> Round(Vector128<uint> bits);

    /// <inheritdoc cref="Round(uint)"/>
    Vector256<uint> Round(Vector256<uint> bits);

    /// <inheritdoc cref="Round(uint)"/>
    Vector512<uint> Round(Vector512<uint> bits);

    /// <summary>The value that m stands for; 0 for 0.</summary>
    float Value(uint m);

    /// <inheritdoc cref="Value(uint)"/>
    Vector128<float> Value(Vector128<uint> m);

    /// <inheritdoc cref="Value(uint)"/>
    Vector256<float> Value(Vector256<uint> m);

    /// <inheritdoc cref="Value(uint)"/>
    Vector512<float> Value(Vector512<uint> m);
}

/// <summary>Binary16 of the value times 2^e.</summary>
/// <param name="exponent">e, −113 to 126, such that no magnitude times 2^e reaches 2^15.</param>
internal readonly struct Fp16Kernel(int exponent) : IValueKernel
{
    /// <summary>Where binary16 has its subnormals: below 2^−14, in steps of 2^−24, which are also the steps of binary32 from 0.5 to 1.</summary>
    private const uint Subnormal = 113u << 23, Bias = 112u << 23, Half = 126u << 23;

    private readonly float _scale = Powers.OfTwo(exponent), _inverse = Powers.OfTwo(-exponent);
    private readonly uint _largest = exponent == SectionParameters.SmallestScale ? 0x77FFu : 0x7BFFu;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Round(uint bits)
    {
        float scaled = BitConverter.UInt32BitsToSingle(bits) * _scale;
        return (int)Math.Min(BitConverter.HalfToUInt16Bits((System.Half)scaled), _largest);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<uint> Round(Vector128<uint> bits)
    {
        Vector128<float> scaled = bits.AsSingle() * _scale;
        Vector128<uint> x = scaled.AsUInt32();
        Vector128<uint> normal = x - Vector128.Create(Bias - 0xFFF) + (x >>> 13 & Vector128<uint>.One) >>> 13;
        Vector128<uint> subnormal = (scaled + Vector128.Create(0.5f)).AsUInt32() - Vector128.Create(Half);
        Vector128<uint> isSmall = Vector128.LessThan(x.AsInt32(), Vector128.Create((int)Subnormal)).AsUInt32();
        return Vector128.Min(Vector128.ConditionalSelect(isSmall, subnormal, normal), Vector128.Create(_largest));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<uint> Round(Vector256<uint> bits)
    {
        Vector256<float> scaled = bits.AsSingle() * _scale;
        Vector256<uint> x = scaled.AsUInt32();
        Vector256<uint> normal = x - Vector256.Create(Bias - 0xFFF) + (x >>> 13 & Vector256<uint>.One) >>> 13;
        Vector256<uint> subnormal = (scaled + Vector256.Create(0.5f)).AsUInt32() - Vector256.Create(Half);
        Vector256<uint> isSmall = Vector256.LessThan(x.AsInt32(), Vector256.Create((int)Subnormal)).AsUInt32();
        return Vector256.Min(Vector256.ConditionalSelect(isSmall, subnormal, normal), Vector256.Create(_largest));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<uint> Round(Vector512<uint> bits)
    {
        Vector512<float> scaled = bits.AsSingle() * _scale;
        Vector512<uint> x = scaled.AsUInt32();
        Vector512<uint> normal = x - Vector512.Create(Bias - 0xFFF) + (x >>> 13 & Vector512<uint>.One) >>> 13;
        Vector512<uint> subnormal = (scaled + Vector512.Create(0.5f)).AsUInt32() - Vector512.Create(Half);
        Vector512<uint> isSmall = Vector512.LessThan(x, Vector512.Create(Subnormal));
        return Vector512.Min(Vector512.ConditionalSelect(isSmall, subnormal, normal), Vector512.Create(_largest));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Value(uint m) => (float)BitConverter.UInt16BitsToHalf((ushort)m) * _inverse;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<float> Value(Vector128<uint> m)
    {
        Vector128<float> normal = ((m << 13) + Vector128.Create(Bias)).AsSingle();
        Vector128<float> subnormal = Vector128.ConvertToSingle(m.AsInt32()) * Powers.OfTwo(-24);
        Vector128<float> isSmall = Vector128.LessThan(m.AsInt32(), Vector128.Create(1 << 10)).AsSingle();
        return Vector128.ConditionalSelect(isSmall, subnormal, normal) * _inverse;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<float> Value(Vector256<uint> m)
    {
        Vector256<float> normal = ((m << 13) + Vector256.Create(Bias)).AsSingle();
        Vector256<float> subnormal = Avx.ConvertToVector256Single(m.AsInt32()) * Powers.OfTwo(-24);
        Vector256<float> isSmall = Vector256.LessThan(m.AsInt32(), Vector256.Create(1 << 10)).AsSingle();
        return Vector256.ConditionalSelect(isSmall, subnormal, normal) * _inverse;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Value(Vector512<uint> m)
    {
        Vector512<float> normal = ((m << 13) + Vector512.Create(Bias)).AsSingle();
        Vector512<float> subnormal = Avx512F.ConvertToVector512Single(m.AsInt32()) * Powers.OfTwo(-24);
        Vector512<float> isSmall = Vector512.LessThan(m, Vector512.Create(1u << 10)).AsSingle();
        return Vector512.ConditionalSelect(isSmall, subnormal, normal) * _inverse;
    }
}

/// <summary>The upper half of binary32.</summary>
internal readonly struct Bf16Kernel : IValueKernel
{
    private const uint Largest = 0x7F7F;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Round(uint bits) => (int)Math.Min(bits + 0x7FFF + (bits >> 16 & 1) >> 16, Largest);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<uint> Round(Vector128<uint> bits) =>
        Vector128.Min(bits + Vector128.Create(0x7FFFu) + (bits >>> 16 & Vector128<uint>.One) >>> 16, Vector128.Create(Largest));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<uint> Round(Vector256<uint> bits) =>
        Vector256.Min(bits + Vector256.Create(0x7FFFu) + (bits >>> 16 & Vector256<uint>.One) >>> 16, Vector256.Create(Largest));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<uint> Round(Vector512<uint> bits) =>
        Vector512.Min(bits + Vector512.Create(0x7FFFu) + (bits >>> 16 & Vector512<uint>.One) >>> 16, Vector512.Create(Largest));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Value(uint m) => BitConverter.UInt32BitsToSingle(m << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<float> Value(Vector128<uint> m) => (m << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<float> Value(Vector256<uint> m) => (m << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Value(Vector512<uint> m) => (m << 16).AsSingle();
}

/// <summary>Steps with a dead zone of two thirds: m = min(levels, ⌊|x|·(1/step) + 1/3⌋), value m·step, in binary32.</summary>
/// <param name="step">The tensor's step.</param>
/// <param name="levels">Largest m.</param>
internal readonly struct StepKernel(float step, int levels) : IValueKernel
{
    private const float Third = 1f / 3;

    private readonly float _step = step, _inverse = 1 / step, _levels = levels;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Round(uint bits) => (int)MathF.Min(BitConverter.UInt32BitsToSingle(bits) * _inverse + Third, _levels);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<uint> Round(Vector128<uint> bits) => Vector128.ConvertToInt32Native(
        Vector128.MinNative(bits.AsSingle() * _inverse + Vector128.Create(Third), Vector128.Create(_levels))).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<uint> Round(Vector256<uint> bits) => Avx.ConvertToVector256Int32WithTruncation(
        Avx.Min(bits.AsSingle() * _inverse + Vector256.Create(Third), Vector256.Create(_levels))).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<uint> Round(Vector512<uint> bits) => Avx512F.ConvertToVector512Int32WithTruncation(
        Avx512F.Min(bits.AsSingle() * _inverse + Vector512.Create(Third), Vector512.Create(_levels))).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Value(uint m) => m * _step;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<float> Value(Vector128<uint> m) => Vector128.ConvertToSingle(m.AsInt32()) * _step;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<float> Value(Vector256<uint> m) => Avx.ConvertToVector256Single(m.AsInt32()) * _step;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Value(Vector512<uint> m) => Avx512F.ConvertToVector512Single(m.AsInt32()) * _step;
}

/// <summary>The sign, with one magnitude for all.</summary>
/// <param name="mean">The magnitude.</param>
internal readonly struct SignKernel(float mean) : IValueKernel
{
    private readonly float _mean = mean;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Round(uint bits) => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<uint> Round(Vector128<uint> bits) => Vector128<uint>.One;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<uint> Round(Vector256<uint> bits) => Vector256<uint>.One;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<uint> Round(Vector512<uint> bits) => Vector512<uint>.One;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Value(uint m) => m == 0 ? 0 : _mean;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<float> Value(Vector128<uint> m) => Vector128.AndNot(Vector128.Create(_mean), Vector128.Equals(m, Vector128<uint>.Zero).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<float> Value(Vector256<uint> m) => Vector256.AndNot(Vector256.Create(_mean), Vector256.Equals(m, Vector256<uint>.Zero).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Value(Vector512<uint> m) => Vector512.AndNot(Vector512.Create(_mean), Vector512.Equals(m, Vector512<uint>.Zero).AsSingle());
}

/// <summary>Powers of two in binary32.</summary>
internal static class Powers
{
    /// <summary>2^e for e in −126..127, exactly.</summary>
    public static float OfTwo(int exponent) => BitConverter.Int32BitsToSingle((exponent + 127) << 23);
}
