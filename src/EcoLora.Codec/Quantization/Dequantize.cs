using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>Codes to values: 0 to 0, every other to what <see cref="Quantize"/> took off.</summary>
internal static unsafe class Dequantize
{
    /// <summary>Writes the values.</summary>
    /// <param name="codes">Codes.</param>
    /// <param name="values">[codes].</param>
    /// <param name="kernel">The value mode.</param>
    /// <param name="path">Code path.</param>
    public static void Run<TKernel>(ReadOnlySpan<ushort> codes, Span<float> values, TKernel kernel, SimdPath path)
        where TKernel : struct, IValueKernel
    {
        fixed (ushort* code = codes)
        fixed (float* value = values[..codes.Length])
        {
            int i = 0;
            if (path == SimdPath.Vector512) i = Run512(code, value, codes.Length, kernel);
            else if (path == SimdPath.Vector256) i = Run256(code, value, codes.Length, kernel);
            else if (path == SimdPath.Vector128) i = Run128(code, value, codes.Length, kernel);
            for (; i < codes.Length; i++) value[i] = Value(code[i], kernel);
        }
    }

    /// <summary>sums[i] += weight·value, the product rounded to binary64 before it is added.</summary>
    /// <param name="codes">Codes.</param>
    /// <param name="weight">w.</param>
    /// <param name="sums">[codes].</param>
    /// <param name="kernel">The value mode.</param>
    /// <param name="path">Code path.</param>
    public static void Accumulate<TKernel>(ReadOnlySpan<ushort> codes, double weight, Span<double> sums, TKernel kernel, SimdPath path)
        where TKernel : struct, IValueKernel
    {
        fixed (ushort* code = codes)
        fixed (double* sum = sums[..codes.Length])
        {
            int i = 0;
            if (path == SimdPath.Vector512) i = Accumulate512(code, weight, sum, codes.Length, kernel);
            else if (path == SimdPath.Vector256) i = Accumulate256(code, weight, sum, codes.Length, kernel);
            else if (path == SimdPath.Vector128) i = Accumulate128(code, weight, sum, codes.Length, kernel);
            for (; i < codes.Length; i++)
                if (code[i] != 0)
                    sum[i] += weight * Value(code[i], kernel);
        }
    }

    /// <summary>As the other, of binary32 values.</summary>
    public static void Accumulate(ReadOnlySpan<float> values, double weight, Span<double> sums)
    {
        for (int i = 0; i < values.Length; i++)
            if (values[i] != 0)
                sums[i] += weight * values[i];
    }

    private static float Value<TKernel>(uint code, TKernel kernel)
        where TKernel : struct, IValueKernel
    {
        float value = kernel.Value(code >> 1);
        return (code & 1) != 0 ? -value : value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Value512<TKernel>(ushort* codes, TKernel kernel)
        where TKernel : struct, IValueKernel
    {
        Vector512<uint> code = Avx512F.ConvertToVector512UInt32(Vector256.Load(codes));
        return (kernel.Value(code >>> 1).AsUInt32() | code << 31).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Value256<TKernel>(ushort* codes, TKernel kernel)
        where TKernel : struct, IValueKernel
    {
        Vector256<uint> code = Avx2.ConvertToVector256Int32(codes).AsUInt32();
        return (kernel.Value(code >>> 1).AsUInt32() | code << 31).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Value128<TKernel>(ushort* codes, TKernel kernel)
        where TKernel : struct, IValueKernel
    {
        Vector128<uint> code = Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)codes).AsUInt16());
        return (kernel.Value(code >>> 1).AsUInt32() | code << 31).AsSingle();
    }

    [MethodImpl(Jit.Kernel)]
    private static int Run512<TKernel>(ushort* codes, float* values, int count, TKernel kernel)
        where TKernel : struct, IValueKernel
    {
        int i = 0;
        for (; i + 16 <= count; i += 16) Value512(codes + i, kernel).Store(values + i);
        return i;
    }

    [MethodImpl(Jit.Kernel)]
    private static int Run256<TKernel>(ushort* codes, float* values, int count, TKernel kernel)
        where TKernel : struct, IValueKernel
    {
        int i = 0;
        for (; i + 8 <= count; i += 8) Value256(codes + i, kernel).Store(values + i);
        return i;
    }

    [MethodImpl(Jit.Kernel)]
    private static int Run128<TKernel>(ushort* codes, float* values, int count, TKernel kernel)
        where TKernel : struct, IValueKernel
    {
        int i = 0;
        for (; i + 4 <= count; i += 4) Value128(codes + i, kernel).Store(values + i);
        return i;
    }

    [MethodImpl(Jit.Kernel)]
    private static int Accumulate512<TKernel>(ushort* codes, double weight, double* sums, int count, TKernel kernel)
        where TKernel : struct, IValueKernel
    {
        var w = Vector512.Create(weight);
        int i = 0;
        for (; i + 16 <= count; i += 16)
        {
            Vector512<float> value = Value512(codes + i, kernel);
            (Vector512.Load(sums + i) + w * Avx512F.ConvertToVector512Double(value.GetLower())).Store(sums + i);
            (Vector512.Load(sums + i + 8) + w * Avx512F.ConvertToVector512Double(value.GetUpper())).Store(sums + i + 8);
        }
        return i;
    }

    [MethodImpl(Jit.Kernel)]
    private static int Accumulate256<TKernel>(ushort* codes, double weight, double* sums, int count, TKernel kernel)
        where TKernel : struct, IValueKernel
    {
        var w = Vector256.Create(weight);
        int i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector256<float> value = Value256(codes + i, kernel);
            (Vector256.Load(sums + i) + w * Avx.ConvertToVector256Double(value.GetLower())).Store(sums + i);
            (Vector256.Load(sums + i + 4) + w * Avx.ConvertToVector256Double(value.GetUpper())).Store(sums + i + 4);
        }
        return i;
    }

    [MethodImpl(Jit.Kernel)]
    private static int Accumulate128<TKernel>(ushort* codes, double weight, double* sums, int count, TKernel kernel)
        where TKernel : struct, IValueKernel
    {
        var w = Vector128.Create(weight);
        int i = 0;
        for (; i + 4 <= count; i += 4)
        {
            (Vector128<double> lower, Vector128<double> upper) = Vector128.Widen(Value128(codes + i, kernel));
            (Vector128.Load(sums + i) + w * lower).Store(sums + i);
            (Vector128.Load(sums + i + 2) + w * upper).Store(sums + i + 2);
        }
        return i;
    }
}
