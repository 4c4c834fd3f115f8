using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>Values to codes, with what rounding loses left behind; the parameters of steps and signs.</summary>
internal static unsafe class Quantize
{
    private const uint Magnitude = 0x7FFF_FFFF;

    /// <summary>Rounds a run in place.</summary>
    /// <param name="values">The change on entry, the residual, change − sent, on return.</param>
    /// <param name="codes">[values] receives 2·m + sign of what is sent, otherwise 0.</param>
    /// <param name="minimum">Bits of the least magnitude that is sent; an entry with m = 0 is not sent either.</param>
    /// <param name="kernel">The value mode.</param>
    /// <param name="path">Code path.</param>
    public static void Run<TKernel>(Span<float> values, Span<ushort> codes, uint minimum, TKernel kernel, SimdPath path)
        where TKernel : struct, IValueKernel
    {
        fixed (float* value = values)
        fixed (ushort* code = codes[..values.Length])
        {
            int i = 0;
            if (path == SimdPath.Vector512) i = Run512((uint*)value, code, values.Length, minimum, kernel);
            else if (path == SimdPath.Vector256) i = Run256((uint*)value, code, values.Length, minimum, kernel);
            else if (path == SimdPath.Vector128) i = Run128((uint*)value, code, values.Length, minimum, kernel);
            for (; i < values.Length; i++)
            {
                uint bits = BitConverter.SingleToUInt32Bits(value[i]);
                int m = (bits & Magnitude) >= minimum ? kernel.Round(bits & Magnitude) : 0;
                code[i] = 0;
                if (m == 0) continue;
                code[i] = (ushort)(m << 1 | (int)(bits >> 31));
                float sent = kernel.Value((uint)m);
                value[i] -= bits >> 31 != 0 ? -sent : sent;
            }
        }
    }

    /// <summary>
    /// The step of a tensor: its largest magnitude divided by the number of levels, rounded up to a bfloat16, so that none is beyond the last level; at least
    /// 2^−126, so that 1/step is finite, and rounded down where the last level would not be finite.
    /// </summary>
    public static float StepFor(uint largest, int levels)
    {
        float step = Math.Max(BitConverter.UInt32BitsToSingle(largest) / levels, Powers.OfTwo(-126));
        uint bits = BitConverter.SingleToUInt32Bits(step) + 0xFFFF & 0xFFFF_0000;
        if (!float.IsFinite(BitConverter.UInt32BitsToSingle(bits) * levels)) bits -= 0x1_0000;
        return BitConverter.UInt32BitsToSingle(bits);
    }

    /// <summary>
    /// Sum and number of the magnitudes that are at least the minimum: entry i is added to sum i mod 8, and these as ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)).
    /// </summary>
    public static (double Sum, long Count) SumKept(ReadOnlySpan<float> values, uint minimum, SimdPath path)
    {
        Span<double> sums = stackalloc double[8];
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(values);
        long count = 0;
        int i = 0;
        if (path != SimdPath.Scalar)
        {
            Vector256<double> low = Vector256<double>.Zero, high = Vector256<double>.Zero;
            for (; i + 8 <= bits.Length; i += 8)
            {
                Vector256<uint> magnitude = Vector256.Create(bits[i..]) & Vector256.Create(Magnitude);
                Vector256<int> kept = Vector256.GreaterThan(magnitude.AsInt32(), Vector256.Create((int)minimum - 1));
                count += BitOperations.PopCount(kept.ExtractMostSignificantBits());
                (Vector256<double> first, Vector256<double> second) = Vector256.Widen((magnitude & kept.AsUInt32()).AsSingle());
                low += first;
                high += second;
            }
            low.CopyTo(sums);
            high.CopyTo(sums[4..]);
        }
        for (; i < bits.Length; i++)
        {
            uint magnitude = bits[i] & Magnitude;
            if (magnitude < minimum) continue;
            sums[i & 7] += BitConverter.UInt32BitsToSingle(magnitude);
            count++;
        }
        return (sums[0] + sums[1] + (sums[2] + sums[3]) + (sums[4] + sums[5] + (sums[6] + sums[7])), count);
    }

    /// <summary>The mean as a bfloat16, to nearest even; 0 of nothing.</summary>
    public static float MeanFor(double sum, long count)
    {
        if (count == 0) return 0;
        Bf16Kernel kernel = default;
        return kernel.Value((uint)kernel.Round(BitConverter.SingleToUInt32Bits((float)(sum / count))));
    }

    [MethodImpl(Jit.Kernel)]
    private static int Run512<TKernel>(uint* values, ushort* codes, int count, uint minimum, TKernel kernel)
        where TKernel : struct, IValueKernel
    {
        Vector512<uint> mask = Vector512.Create(Magnitude), least = Vector512.Create(minimum);
        int i = 0;
        for (; i + 16 <= count; i += 16)
        {
            Vector512<uint> bits = Vector512.Load(values + i), magnitude = bits & mask;
            Vector512<uint> m = kernel.Round(magnitude) & Vector512.GreaterThanOrEqual(magnitude, least);
            Vector512<uint> code = m << 1 | bits >>> 31;
            Vector512<uint> isSent = ~Vector512.Equals(m, Vector512<uint>.Zero);
            Avx512F.ConvertToVector256UInt16(code & isSent).Store(codes + i);
            Vector512<float> sent = (kernel.Value(m).AsUInt32() | Vector512.AndNot(bits, mask)).AsSingle();
            Vector512<float> residual = bits.AsSingle() - sent;
            Vector512.ConditionalSelect(isSent, residual.AsUInt32(), bits).Store(values + i);
        }
        return i;
    }

    [MethodImpl(Jit.Kernel)]
    private static int Run256<TKernel>(uint* values, ushort* codes, int count, uint minimum, TKernel kernel)
        where TKernel : struct, IValueKernel
    {
        // Magnitudes are below 2^31, so comparing them as signed numbers is right.
        Vector256<uint> mask = Vector256.Create(Magnitude);
        Vector256<int> below = Vector256.Create((int)minimum - 1);
        int i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector256<uint> bits = Vector256.Load(values + i), magnitude = bits & mask;
            Vector256<uint> m = kernel.Round(magnitude) & Vector256.GreaterThan(magnitude.AsInt32(), below).AsUInt32();
            Vector256<uint> isSent = ~Vector256.Equals(m, Vector256<uint>.Zero);
            Vector256<int> code = ((m << 1 | bits >>> 31) & isSent).AsInt32();
            Sse41.PackUnsignedSaturate(code.GetLower(), code.GetUpper()).Store(codes + i);
            Vector256<float> sent = (kernel.Value(m).AsUInt32() | Vector256.AndNot(bits, mask)).AsSingle();
            Vector256<float> residual = bits.AsSingle() - sent;
            Vector256.ConditionalSelect(isSent, residual.AsUInt32(), bits).Store(values + i);
        }
        return i;
    }

    [MethodImpl(Jit.Kernel)]
    private static int Run128<TKernel>(uint* values, ushort* codes, int count, uint minimum, TKernel kernel)
        where TKernel : struct, IValueKernel
    {
        Vector128<uint> mask = Vector128.Create(Magnitude);
        Vector128<int> below = Vector128.Create((int)minimum - 1);
        int i = 0;
        for (; i + 4 <= count; i += 4)
        {
            Vector128<uint> bits = Vector128.Load(values + i), magnitude = bits & mask;
            Vector128<uint> m = kernel.Round(magnitude) & Vector128.GreaterThan(magnitude.AsInt32(), below).AsUInt32();
            Vector128<uint> isSent = ~Vector128.Equals(m, Vector128<uint>.Zero);
            Vector128<uint> code = (m << 1 | bits >>> 31) & isSent;
            *(ulong*)(codes + i) = Vectors128.Pack(code, code).AsUInt64().ToScalar();
            Vector128<float> sent = (kernel.Value(m).AsUInt32() | Vector128.AndNot(bits, mask)).AsSingle();
            Vector128<float> residual = bits.AsSingle() - sent;
            Vector128.ConditionalSelect(isSent, residual.AsUInt32(), bits).Store(values + i);
        }
        return i;
    }
}
