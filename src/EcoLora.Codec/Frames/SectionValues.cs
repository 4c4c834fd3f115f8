using System.Buffers.Binary;

namespace EcoLora.Codec;

/// <summary>Values of a section to bytes and back.</summary>
internal static class SectionValues
{
    public const int SmallestScale = -113, LargestScale = 126;

    /// <summary>
    /// e such that max|v|·2^e lies in [2^14, 2^15): the whole range of binary16 below it is used, and small changes do not fall among its
    /// subnormals. In −113..126; 0 for FP32 and for all zeros.
    /// </summary>
    public static sbyte ScaleFor(ReadOnlySpan<float> values, ValueMode mode)
    {
        if (mode == ValueMode.Fp32) return 0;
        float largest = 0;
        foreach (float value in values) largest = Math.Max(largest, Math.Abs(value));
        return largest == 0 ? (sbyte)0 : (sbyte)Math.Min(14 - Math.ILogB(largest), LargestScale);
    }

    /// <summary>
    /// What the receiver will read for a value: rounded to nearest even, zero kept as zero; toward zero where the nearest is 2^128, which binary32
    /// does not have.
    /// </summary>
    public static float Round(float value, ValueMode mode, sbyte scale)
    {
        if (mode == ValueMode.Fp32) return value;
        float rounded = (float)(Half)(value * PowerOfTwo(scale)) * PowerOfTwo(-scale);
        return float.IsFinite(rounded) ? rounded : MathF.CopySign(32752 * PowerOfTwo(113), value);
    }

    public static void Write(float value, ValueMode mode, float power, Span<byte> destination)
    {
        if (mode == ValueMode.Fp32) BinaryPrimitives.WriteSingleLittleEndian(destination, value);
        else BinaryPrimitives.WriteHalfLittleEndian(destination, (Half)(value * power));
    }

    public static float Read(ReadOnlySpan<byte> source, ValueMode mode, float inversePower) =>
        mode == ValueMode.Fp32 ? BinaryPrimitives.ReadSingleLittleEndian(source) : (float)BinaryPrimitives.ReadHalfLittleEndian(source) * inversePower;

    /// <summary>2^e for e in −126..127, exactly.</summary>
    public static float PowerOfTwo(int exponent) => BitConverter.Int32BitsToSingle((exponent + 127) << 23);
}
