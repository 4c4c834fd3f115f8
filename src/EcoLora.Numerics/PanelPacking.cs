using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EcoLora.Numerics;

/// <summary>Loads eight neighbouring entries as floats.</summary>
internal unsafe interface IRowLoader
{
    static abstract Vector256<float> Load(void* source, nint index);
}

/// <summary>binary32.</summary>
internal readonly unsafe struct FullLoader : IRowLoader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(void* source, nint index) => Vector256.Load((float*)source + index);
}

/// <summary>binary16.</summary>
internal readonly unsafe struct HalfLoader : IRowLoader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(void* source, nint index)
    {
        Vector128<ushort> bits = Vector128.Load((ushort*)source + index);
        return FloatConversion.WidenHalf(Vector256.Create(Vector128.WidenLower(bits), Vector128.WidenUpper(bits)));
    }
}

/// <summary>bfloat16.</summary>
internal readonly unsafe struct BrainLoader : IRowLoader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(void* source, nint index)
    {
        Vector128<ushort> bits = Vector128.Load((ushort*)source + index);
        return (Vector256.Create(Vector128.WidenLower(bits), Vector128.WidenUpper(bits)) << 16).AsSingle();
    }
}

/// <summary>Brings a panel of B into the order in which a tile reads it, from rows along k: destination[k·width + j] = source[j·stride + k].</summary>
internal static unsafe class PanelPacking
{
    /// <summary>Whether <see cref="Transpose{TLoader}"/> may be called.</summary>
    public static bool IsSupported => Avx.IsSupported;

    /// <summary>Rows along the columns to whole panels, one behind the other: panel j / width gets source[k·stride + j] at [k·width + j mod width].</summary>
    /// <param name="source">Entry k = 0 of the first column.</param>
    /// <param name="stride">Distance between rows, in entries.</param>
    /// <param name="kc">Rows.</param>
    /// <param name="columns">Columns, a multiple of the width.</param>
    /// <param name="destination">kc·columns entries.</param>
    /// <param name="width">Width of a panel, a multiple of 8.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen<TLoader>(void* source, nint stride, int kc, int columns, float* destination, int width)
        where TLoader : struct, IRowLoader
    {
        nint panel = (nint)kc * width, o = 0;
        for (int k = 0; k < kc; k++, o += stride, destination += width)
        {
            float* d = destination;
            for (int j = 0; j < columns; j += width, d += panel)
                for (int i = 0; i < width; i += 8) TLoader.Load(source, o + j + i).Store(d + i);
        }
    }

    /// <summary>Whole squares of 8 × 8 entries; returns how many columns it wrote for how many k, both multiples of 8. The caller does the rest.</summary>
    /// <param name="source">Entry k = 0 of column 0.</param>
    /// <param name="stride">Distance between columns, in entries.</param>
    /// <param name="kc">Length of a column.</param>
    /// <param name="columns">Columns that exist.</param>
    /// <param name="destination">kc rows.</param>
    /// <param name="width">Distance between rows of the destination.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (int Columns, int Rows) Transpose<TLoader>(void* source, nint stride, int kc, int columns, float* destination, int width)
        where TLoader : struct, IRowLoader
    {
        int wholeColumns = columns & ~7, wholeRows = kc & ~7;
        for (int j = 0; j < wholeColumns; j += 8)
        {
            nint o = j * stride;
            float* d = destination + j;
            for (int k = 0; k < wholeRows; k += 8, o += 8, d += 8 * width)
            {
                Vector256<float> r0 = TLoader.Load(source, o), r1 = TLoader.Load(source, o + stride);
                Vector256<float> r2 = TLoader.Load(source, o + 2 * stride), r3 = TLoader.Load(source, o + 3 * stride);
                Vector256<float> r4 = TLoader.Load(source, o + 4 * stride), r5 = TLoader.Load(source, o + 5 * stride);
                Vector256<float> r6 = TLoader.Load(source, o + 6 * stride), r7 = TLoader.Load(source, o + 7 * stride);
                // Pairs, then fours inside each half of 128 bits, then the halves.
                Vector256<double> a0 = Avx.UnpackLow(r0, r1).AsDouble(), a1 = Avx.UnpackHigh(r0, r1).AsDouble();
                Vector256<double> a2 = Avx.UnpackLow(r2, r3).AsDouble(), a3 = Avx.UnpackHigh(r2, r3).AsDouble();
                Vector256<double> a4 = Avx.UnpackLow(r4, r5).AsDouble(), a5 = Avx.UnpackHigh(r4, r5).AsDouble();
                Vector256<double> a6 = Avx.UnpackLow(r6, r7).AsDouble(), a7 = Avx.UnpackHigh(r6, r7).AsDouble();
                Vector256<float> b0 = Avx.UnpackLow(a0, a2).AsSingle(), b1 = Avx.UnpackHigh(a0, a2).AsSingle();
                Vector256<float> b2 = Avx.UnpackLow(a1, a3).AsSingle(), b3 = Avx.UnpackHigh(a1, a3).AsSingle();
                Vector256<float> b4 = Avx.UnpackLow(a4, a6).AsSingle(), b5 = Avx.UnpackHigh(a4, a6).AsSingle();
                Vector256<float> b6 = Avx.UnpackLow(a5, a7).AsSingle(), b7 = Avx.UnpackHigh(a5, a7).AsSingle();
                Avx.Permute2x128(b0, b4, 0x20).Store(d);
                Avx.Permute2x128(b1, b5, 0x20).Store(d + width);
                Avx.Permute2x128(b2, b6, 0x20).Store(d + 2 * width);
                Avx.Permute2x128(b3, b7, 0x20).Store(d + 3 * width);
                Avx.Permute2x128(b0, b4, 0x31).Store(d + 4 * width);
                Avx.Permute2x128(b1, b5, 0x31).Store(d + 5 * width);
                Avx.Permute2x128(b2, b6, 0x31).Store(d + 6 * width);
                Avx.Permute2x128(b3, b7, 0x31).Store(d + 7 * width);
            }
        }
        return (wholeColumns, wholeRows);
    }
}
