namespace EcoLora.Codec;

/// <summary>Eight bytes at once in a 64-bit number.</summary>
internal static unsafe class Bytes
{
    /// <summary>1 in each byte.</summary>
    public const ulong Ones = 0x0101010101010101;

    /// <summary>128 in each byte.</summary>
    public const ulong Tops = 0x8080808080808080;

    /// <summary>Which of 64 bytes are equal to a value.</summary>
    public static ulong Equal(ulong* bytes, byte value)
    {
        ulong equal = 0;
        for (int i = 0; i < 8; i++)
        {
            // A byte of the difference is zero exactly when adding 127 to its lower bits sets no highest bit, nor has it one.
            ulong different = bytes[i] ^ value * Ones, isZero = ~((different & ~Tops) + ~Tops | different) & Tops;
            if (isZero != 0) equal |= FirstBits(isZero >> 7) << 8 * i;
        }
        return equal;
    }

    /// <summary>Bit 0 of each byte: that of byte j is bit j of the result.</summary>
    public static ulong FirstBits(ulong bytes) => (bytes & Ones) * 0x0102040810204080 >> 56;
}
