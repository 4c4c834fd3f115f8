using System.Numerics;
using System.Runtime.InteropServices;

namespace EcoLora.Numerics;

/// <summary>
/// CRC-32C (Castagnoli; polynomial 0x1EDC6F41, reflected, initial and final value 0xFFFFFFFF), as in RFC 3720 appendix B.4. Uses the
/// processor's CRC instruction where there is one, three times at once. It finds accidents, not forgeries.
/// </summary>
public static class Crc32C
{
    /// <summary>Bytes of each of the three strands that run side by side: an instruction takes three cycles, and one can start in each.</summary>
    private const int Strand = 1024;

    private static readonly uint[] _shift = ShiftTable();

    /// <summary>The checksum of the bytes; of no bytes, 0.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes) => Continue(0, bytes);

    /// <summary>The checksum of (what gave <paramref name="checksum"/>, then <paramref name="bytes"/>).</summary>
    public static uint Continue(uint checksum, ReadOnlySpan<byte> bytes)
    {
        uint crc = ~checksum;
        if (BitConverter.IsLittleEndian)
        {
            for (; bytes.Length >= 3 * Strand; bytes = bytes[(3 * Strand)..]) crc = Three(crc, MemoryMarshal.Cast<byte, ulong>(bytes[..(3 * Strand)]));
            ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
            foreach (ulong word in words) crc = BitOperations.Crc32C(crc, word);
            bytes = bytes[(words.Length * sizeof(ulong))..];
        }
        foreach (byte b in bytes) crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }

    private static uint Three(uint crc, ReadOnlySpan<ulong> words)
    {
        const int Length = Strand / sizeof(ulong);
        ReadOnlySpan<ulong> first = words[..Length], second = words[Length..][..Length], third = words[(2 * Length)..][..Length];
        uint a = crc, b = 0, c = 0;
        for (int i = 0; i < first.Length; i++)
        {
            a = BitOperations.Crc32C(a, first[i]);
            b = BitOperations.Crc32C(b, second[i]);
            c = BitOperations.Crc32C(c, third[i]);
        }
        return Shift(Shift(a) ^ b) ^ c;
    }

    /// <summary>The register after <see cref="Strand"/> zero bytes, a linear map of its bits.</summary>
    private static uint Shift(uint crc) => _shift[crc & 255] ^ _shift[256 + (crc >> 8 & 255)] ^ _shift[512 + (crc >> 16 & 255)] ^ _shift[768 + (crc >> 24)];

    private static uint[] ShiftTable()
    {
        uint[] table = new uint[4 * 256];
        for (int bit = 0; bit < 32; bit++)
        {
            uint crc = 1u << bit;
            for (int i = 0; i < Strand; i++) crc = BitOperations.Crc32C(crc, (byte)0);
            int unit = 1 << (bit & 7);
            Span<uint> part = table.AsSpan(bit / 8 * 256, 256);
            for (int value = 0; value < 256; value++)
                if ((value & unit) != 0)
                    part[value] ^= crc;
        }
        return table;
    }
}
