namespace EcoLora.Codec;

/// <summary>What the coder knows of a value mode.</summary>
internal static class ValueFormat
{
    /// <summary>Bits of a value that is written as it is.</summary>
    public static int RawBits(ValueMode mode) => mode == ValueMode.Fp32 ? 32 : 16;

    /// <summary>Largest magnitude of a code: the largest finite binary16.</summary>
    public static int MaximumMagnitude(ValueMode mode) => mode == ValueMode.Fp16
        ? 0x7BFF
        : throw new ArgumentOutOfRangeException(nameof(mode), mode, "this mode has no codes");

    /// <summary>Low bits r of a code that are not entropy-coded: FP16 has eight tokens per octave.</summary>
    public const int LowBits = 8;
}
