using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EcoLora.Numerics;

/// <summary>
/// CRC-32C (Castagnoli; polynomial 0x1EDC6F41, reflected, initial and final value 0xFFFFFFFF), as in RFC 3720 appendix B.4. It finds accidents, not
/// forgeries.
/// </summary>
/// <remarks>
/// Where there is a carry-less product, the bytes are folded (Gopal et al. 2009): 128 bits of the message are replaced by ones that are congruent to them
/// modulo the polynomial, further on, and added there. What is left at the end goes through the processor's CRC instruction, or a table where there is none.
/// </remarks>
public static class Crc32C
{
    private const uint Polynomial = 0x82F63B78; // Reflected: bit 31 − i stands for x^i.

    private static readonly Fold _by128 = new(128), _by512 = new(512), _by2048 = new(2048);

    /// <summary>The checksum of the bytes; of no bytes, 0.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes) => Continue(0, bytes);

    /// <summary>The checksum of (what gave <paramref name="checksum"/>, then <paramref name="bytes"/>).</summary>
    public static uint Continue(uint checksum, ReadOnlySpan<byte> bytes) => Continue(checksum, bytes, SimdPath.Fastest);

    /// <inheritdoc cref="Continue(uint, ReadOnlySpan{byte})"/>
    internal static uint Continue(uint checksum, ReadOnlySpan<byte> bytes, SimdPath path)
    {
        uint crc = ~checksum;
        if (path is SimdPath.Fastest or SimdPath.Vector512 && Pclmulqdq.V512.IsSupported && Avx512F.IsSupported && bytes.Length >= 256)
            crc = Folded512(crc, ref bytes);
        else if (path is not SimdPath.Scalar && Pclmulqdq.IsSupported && bytes.Length >= 128)
            crc = Folded128(crc, ref bytes);
        return ~Serial(crc, bytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static uint Serial(uint crc, ReadOnlySpan<byte> bytes)
    {
        if (BitConverter.IsLittleEndian)
        {
            ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
            foreach (ulong word in words) crc = BitOperations.Crc32C(crc, word);
            bytes = bytes[(words.Length * sizeof(ulong))..];
        }
        foreach (byte b in bytes) crc = BitOperations.Crc32C(crc, b);
        return crc;
    }

    /// <summary>All but the last bytes, fewer than 256, four vectors at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static uint Folded512(uint crc, ref ReadOnlySpan<byte> bytes)
    {
        ref ulong next = ref Unsafe.As<byte, ulong>(ref MemoryMarshal.GetReference(bytes));
        Vector512<ulong> a = Vector512.LoadUnsafe(ref next), b = Vector512.LoadUnsafe(ref next, 8), c = Vector512.LoadUnsafe(ref next, 16);
        Vector512<ulong> d = Vector512.LoadUnsafe(ref next, 24), by = Vector512.Create(_by2048.Value);
        a ^= Vector512.CreateScalar((ulong)crc);
        int folded = 256;
        for (; folded + 256 <= bytes.Length; folded += 256)
        {
            next = ref Unsafe.Add(ref next, 32);
            a = Folded(a, by) ^ Vector512.LoadUnsafe(ref next);
            b = Folded(b, by) ^ Vector512.LoadUnsafe(ref next, 8);
            c = Folded(c, by) ^ Vector512.LoadUnsafe(ref next, 16);
            d = Folded(d, by) ^ Vector512.LoadUnsafe(ref next, 24);
        }
        bytes = bytes[folded..];
        by = Vector512.Create(_by512.Value);
        Vector512<ulong> rest = Folded(Folded(Folded(a, by) ^ b, by) ^ c, by) ^ d;
        return Reduced(rest.GetLower().GetLower(), rest.GetLower().GetUpper(), rest.GetUpper().GetLower(), rest.GetUpper().GetUpper());
    }

    /// <summary>All but the last bytes, fewer than 64, four vectors at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static uint Folded128(uint crc, ref ReadOnlySpan<byte> bytes)
    {
        ref ulong next = ref Unsafe.As<byte, ulong>(ref MemoryMarshal.GetReference(bytes));
        Vector128<ulong> a = Vector128.LoadUnsafe(ref next), b = Vector128.LoadUnsafe(ref next, 2), c = Vector128.LoadUnsafe(ref next, 4);
        Vector128<ulong> d = Vector128.LoadUnsafe(ref next, 6), by = _by512.Value;
        a ^= Vector128.CreateScalar((ulong)crc);
        int folded = 64;
        for (; folded + 64 <= bytes.Length; folded += 64)
        {
            next = ref Unsafe.Add(ref next, 8);
            a = Folded(a, by) ^ Vector128.LoadUnsafe(ref next);
            b = Folded(b, by) ^ Vector128.LoadUnsafe(ref next, 2);
            c = Folded(c, by) ^ Vector128.LoadUnsafe(ref next, 4);
            d = Folded(d, by) ^ Vector128.LoadUnsafe(ref next, 6);
        }
        bytes = bytes[folded..];
        return Reduced(a, b, c, d);
    }

    /// <summary>512 bits of the message to the register after them.</summary>
    private static uint Reduced(Vector128<ulong> a, Vector128<ulong> b, Vector128<ulong> c, Vector128<ulong> d)
    {
        Vector128<ulong> by = _by128.Value, rest = Folded(Folded(Folded(a, by) ^ b, by) ^ c, by) ^ d;
        return BitOperations.Crc32C(BitOperations.Crc32C(0, rest[0]), rest[1]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Folded(Vector512<ulong> value, Vector512<ulong> by) =>
        Pclmulqdq.V512.CarrylessMultiply(value, by, 0x00) ^ Pclmulqdq.V512.CarrylessMultiply(value, by, 0x11);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Folded(Vector128<ulong> value, Vector128<ulong> by) =>
        Pclmulqdq.CarrylessMultiply(value, by, 0x00) ^ Pclmulqdq.CarrylessMultiply(value, by, 0x11);

    /// <summary>
    /// The factors that move 128 bits by a number of bits: x^(bits+63) and x^(bits−1) modulo the polynomial. Of 64 reflected bits, bit 63 − i stands for x^i,
    /// and the product of two such numbers stands for x times their product in the 128 bits of a vector.
    /// </summary>
    private sealed class Fold(int bits)
    {
        /// <summary>For the earlier 64 bits, then for the later ones.</summary>
        public Vector128<ulong> Value { get; } = Vector128.Create(Power(bits + 63), Power(bits - 1));

        private static ulong Power(int exponent)
        {
            uint power = 1u << 31;
            for (int i = 0; i < exponent; i++) power = power >> 1 ^ Polynomial & 0u - (power & 1);
            return (ulong)power << 32;
        }
    }
}
