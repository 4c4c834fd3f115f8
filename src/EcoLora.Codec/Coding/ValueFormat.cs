namespace EcoLora.Codec;

/// <summary>What the coder knows of the codes of a value mode; FP32 has none.</summary>
internal static class ValueFormat
{
    /// <summary>Whether there are per-tensor parameters: a step or a magnitude in bfloat16.</summary>
    public static bool HasSteps(ValueMode mode) => mode >= ValueMode.Int8;

    /// <summary>Bits of a value that is written as it is.</summary>
    /// <param name="mode">Value mode.</param>
    /// <param name="all">Whether every entry is written, so that zero is among them; otherwise a code is written less 2.</param>
    public static int RawBits(ValueMode mode, bool all) => mode switch
    {
        ValueMode.Fp32 => 32,
        ValueMode.Fp16 or ValueMode.Bf16 => 16,
        ValueMode.Int8 => 8,
        ValueMode.Int4 => 4,
        _ => all ? 2 : 1,
    };

    /// <summary>Bytes of an entry before anything is coded, for the ledger: those of a value as it is, at least one.</summary>
    public static int Width(ValueMode mode) => Math.Max(1, RawBits(mode, all: true) / 8);

    /// <summary>Largest magnitude of a code: the largest finite number of the format, or of steps.</summary>
    public static int MaximumMagnitude(ValueMode mode) => mode switch
    {
        ValueMode.Fp16 => 0x7BFF,
        ValueMode.Bf16 => 0x7F7F,
        ValueMode.Int8 => 127,
        ValueMode.Int4 => 7,
        ValueMode.Sign => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "this mode has no codes"),
    };

    /// <summary>
    /// Low bits r of a code that are not entropy-coded: for binary16 and bfloat16 what leaves eight tokens per octave, for steps the sign and, of the
    /// fine ones, one more. More where a token would not fit in a byte.
    /// </summary>
    /// <param name="mode">Value mode.</param>
    /// <param name="least">Least magnitude t.</param>
    /// <param name="largest">Largest magnitude.</param>
    public static int LowBits(ValueMode mode, int least, int largest)
    {
        int bits = mode switch { ValueMode.Fp32 => 0, ValueMode.Fp16 => 8, ValueMode.Bf16 => 5, ValueMode.Int8 => 2, _ => 1 };
        while (2 * (largest - least) + 1 >> bits > byte.MaxValue) bits++;
        return bits;
    }
}
