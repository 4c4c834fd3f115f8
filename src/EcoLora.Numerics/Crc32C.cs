using System.Numerics;
using System.Runtime.InteropServices;

namespace EcoLora.Numerics;

/// <summary>
/// CRC-32C (Castagnoli; polynomial 0x1EDC6F41, reflected, initial and final value 0xFFFFFFFF), as in RFC 3720 appendix B.4. Uses the
/// processor's CRC instruction where there is one. It finds accidents, not forgeries.
/// </summary>
public static class Crc32C
{
    /// <summary>The checksum of the bytes; of no bytes, 0.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes) => Continue(0, bytes);

    /// <summary>The checksum of (what gave <paramref name="checksum"/>, then <paramref name="bytes"/>).</summary>
    public static uint Continue(uint checksum, ReadOnlySpan<byte> bytes)
    {
        uint crc = ~checksum;
        if (BitConverter.IsLittleEndian)
        {
            ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
            foreach (ulong word in words) crc = BitOperations.Crc32C(crc, word);
            bytes = bytes[(words.Length * sizeof(ulong))..];
        }
        foreach (byte b in bytes) crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }
}
