using System.Numerics;
using System.Runtime.CompilerServices;

namespace EcoLora.Numerics;

/// <summary>
/// The innermost loops of a matrix product: a tile of C stays in registers while k runs. A's entry (r, k) is at a[r·aRow + k·aColumn], B's row k at b +
/// k·bRow. Rows from <c>rows</c> on repeat the last valid row and their result is thrown away by the caller, so the loop has no branches. Longer than a
/// method should be, since an accumulator must be a local variable to live in a register.
/// </summary>
internal static unsafe class ProductTile
{
    /// <summary>8 rows × 2 vectors: 16 accumulators, for 32 registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Wide8<TLanes, T>(int kc, int rows, T* a, nint aRow, nint aColumn, T* b, nint bRow, T* c, nint cRow, bool add)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int last = rows - 1;
        T* a0 = a, a1 = a + Math.Min(1, last) * aRow, a2 = a + Math.Min(2, last) * aRow, a3 = a + Math.Min(3, last) * aRow;
        T* a4 = a + Math.Min(4, last) * aRow, a5 = a + Math.Min(5, last) * aRow, a6 = a + Math.Min(6, last) * aRow, a7 = a + Math.Min(7, last) * aRow;
        TLanes c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default;
        TLanes c40 = default, c41 = default, c50 = default, c51 = default, c60 = default, c61 = default, c70 = default, c71 = default;
        nint o = 0;
        for (int k = kc; k > 0; k--)
        {
            TLanes b0 = TLanes.Load(b), b1 = TLanes.Load(b + TLanes.Count);
            TLanes x = TLanes.Of(a0[o]);
            c00 = TLanes.MultiplyAdd(x, b0, c00);
            c01 = TLanes.MultiplyAdd(x, b1, c01);
            x = TLanes.Of(a1[o]);
            c10 = TLanes.MultiplyAdd(x, b0, c10);
            c11 = TLanes.MultiplyAdd(x, b1, c11);
            x = TLanes.Of(a2[o]);
            c20 = TLanes.MultiplyAdd(x, b0, c20);
            c21 = TLanes.MultiplyAdd(x, b1, c21);
            x = TLanes.Of(a3[o]);
            c30 = TLanes.MultiplyAdd(x, b0, c30);
            c31 = TLanes.MultiplyAdd(x, b1, c31);
            x = TLanes.Of(a4[o]);
            c40 = TLanes.MultiplyAdd(x, b0, c40);
            c41 = TLanes.MultiplyAdd(x, b1, c41);
            x = TLanes.Of(a5[o]);
            c50 = TLanes.MultiplyAdd(x, b0, c50);
            c51 = TLanes.MultiplyAdd(x, b1, c51);
            x = TLanes.Of(a6[o]);
            c60 = TLanes.MultiplyAdd(x, b0, c60);
            c61 = TLanes.MultiplyAdd(x, b1, c61);
            x = TLanes.Of(a7[o]);
            c70 = TLanes.MultiplyAdd(x, b0, c70);
            c71 = TLanes.MultiplyAdd(x, b1, c71);
            o += aColumn;
            b += bRow;
        }
        Put(c, c00, c01, add);
        Put<TLanes, T>(c += cRow, c10, c11, add);
        Put<TLanes, T>(c += cRow, c20, c21, add);
        Put<TLanes, T>(c += cRow, c30, c31, add);
        Put<TLanes, T>(c += cRow, c40, c41, add);
        Put<TLanes, T>(c += cRow, c50, c51, add);
        Put<TLanes, T>(c += cRow, c60, c61, add);
        Put<TLanes, T>(c + cRow, c70, c71, add);
    }

    /// <summary>4 rows × 2 vectors: 8 accumulators, for 16 registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Wide4<TLanes, T>(int kc, int rows, T* a, nint aRow, nint aColumn, T* b, nint bRow, T* c, nint cRow, bool add)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int last = rows - 1;
        T* a0 = a, a1 = a + Math.Min(1, last) * aRow, a2 = a + Math.Min(2, last) * aRow, a3 = a + Math.Min(3, last) * aRow;
        TLanes c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default;
        nint o = 0;
        for (int k = kc; k > 0; k--)
        {
            TLanes b0 = TLanes.Load(b), b1 = TLanes.Load(b + TLanes.Count);
            TLanes x = TLanes.Of(a0[o]);
            c00 = TLanes.MultiplyAdd(x, b0, c00);
            c01 = TLanes.MultiplyAdd(x, b1, c01);
            x = TLanes.Of(a1[o]);
            c10 = TLanes.MultiplyAdd(x, b0, c10);
            c11 = TLanes.MultiplyAdd(x, b1, c11);
            x = TLanes.Of(a2[o]);
            c20 = TLanes.MultiplyAdd(x, b0, c20);
            c21 = TLanes.MultiplyAdd(x, b1, c21);
            x = TLanes.Of(a3[o]);
            c30 = TLanes.MultiplyAdd(x, b0, c30);
            c31 = TLanes.MultiplyAdd(x, b1, c31);
            o += aColumn;
            b += bRow;
        }
        Put<TLanes, T>(c, c00, c01, add);
        Put<TLanes, T>(c += cRow, c10, c11, add);
        Put<TLanes, T>(c += cRow, c20, c21, add);
        Put<TLanes, T>(c + cRow, c30, c31, add);
    }

    /// <summary>8 rows × 1 vector, for the products whose last columns (or all, such as a LoRA rank) do not fill two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Narrow8<TLanes, T>(int kc, int rows, T* a, nint aRow, nint aColumn, T* b, nint bRow, T* c, nint cRow, bool add)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int last = rows - 1;
        T* a0 = a, a1 = a + Math.Min(1, last) * aRow, a2 = a + Math.Min(2, last) * aRow, a3 = a + Math.Min(3, last) * aRow;
        T* a4 = a + Math.Min(4, last) * aRow, a5 = a + Math.Min(5, last) * aRow, a6 = a + Math.Min(6, last) * aRow, a7 = a + Math.Min(7, last) * aRow;
        TLanes c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default, c6 = default, c7 = default;
        nint o = 0;
        for (int k = kc; k > 0; k--)
        {
            TLanes row = TLanes.Load(b);
            c0 = TLanes.MultiplyAdd(TLanes.Of(a0[o]), row, c0);
            c1 = TLanes.MultiplyAdd(TLanes.Of(a1[o]), row, c1);
            c2 = TLanes.MultiplyAdd(TLanes.Of(a2[o]), row, c2);
            c3 = TLanes.MultiplyAdd(TLanes.Of(a3[o]), row, c3);
            c4 = TLanes.MultiplyAdd(TLanes.Of(a4[o]), row, c4);
            c5 = TLanes.MultiplyAdd(TLanes.Of(a5[o]), row, c5);
            c6 = TLanes.MultiplyAdd(TLanes.Of(a6[o]), row, c6);
            c7 = TLanes.MultiplyAdd(TLanes.Of(a7[o]), row, c7);
            o += aColumn;
            b += bRow;
        }
        Put<TLanes, T>(c, c0, add);
        Put<TLanes, T>(c += cRow, c1, add);
        Put<TLanes, T>(c += cRow, c2, add);
        Put<TLanes, T>(c += cRow, c3, add);
        Put<TLanes, T>(c += cRow, c4, add);
        Put<TLanes, T>(c += cRow, c5, add);
        Put<TLanes, T>(c += cRow, c6, add);
        Put<TLanes, T>(c + cRow, c7, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TLanes, T>(T* c, TLanes first, TLanes second, bool add)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged
    {
        Put(c, first, add);
        Put(c + TLanes.Count, second, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TLanes, T>(T* c, TLanes value, bool add)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged
        => (add ? TLanes.Load(c) + value : value).Store(c);
}
