using System.Numerics;

namespace EcoLora.Numerics;

/// <summary>
/// Matrix products on one thread. Each entry of the product is summed over k in ascending order, in equal blocks of at most 320, whatever the sizes
/// of the other two dimensions; a product of one row (k-contiguous operands) is a dot product instead. So a result depends on the operands and the path,
/// never on a thread count. Cost: 2·m·n·k operations. T is <see cref="float"/> or <see cref="double"/>. NaN and infinity propagate.
/// </summary>
public static class MatMul
{
    /// <summary>Y[rows, outputs] = X[rows, inputs]·Wᵀ, W[outputs, inputs]: a linear layer's forward pass. All row-major and dense.</summary>
    public static void Forward<T>(ReadOnlySpan<T> x, Weights<T> w, Span<T> y, int rows, int inputs, int outputs, bool accumulate = false,
        SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        => Multiply(rows, outputs, inputs, x, inputs, 1, w, 1, inputs, y, outputs, accumulate, path);

    /// <summary>dX[rows, inputs] = dY[rows, outputs]·W: the gradient of a linear layer's input.</summary>
    public static void InputGradient<T>(ReadOnlySpan<T> dy, Weights<T> w, Span<T> dx, int rows, int inputs, int outputs, bool accumulate = false,
        SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        => Multiply(rows, inputs, outputs, dy, outputs, 1, w, inputs, 1, dx, inputs, accumulate, path);

    /// <summary>dW[outputs, inputs] += dYᵀ·X: the gradient of a linear layer's weight.</summary>
    public static void WeightGradient<T>(ReadOnlySpan<T> dy, ReadOnlySpan<T> x, Span<T> dw, int rows, int inputs, int outputs, bool accumulate = true,
        SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        => Multiply(outputs, inputs, rows, dy, 1, outputs, x, inputs, 1, dw, inputs, accumulate, path);

    /// <summary>C[i, j] = Σₖ A[i, k]·B[k, j] (plus the old C[i, j]), A and B with any strides: A[i, k] = <paramref name="a"/>[i·aRow + k·aColumn].</summary>
    /// <param name="m">Rows of A and C.</param>
    /// <param name="n">Columns of B and C.</param>
    /// <param name="k">Columns of A, rows of B; 0 gives the empty sum.</param>
    /// <param name="a">A [m, k].</param>
    /// <param name="aRow">Distance between A's rows.</param>
    /// <param name="aColumn">Distance between A's columns.</param>
    /// <param name="b">B [k, n], in any format: the product is that of the widened entries, to the bit.</param>
    /// <param name="bRow">Distance between B's rows.</param>
    /// <param name="bColumn">Distance between B's columns.</param>
    /// <param name="c">C [m, n], contiguous inside a row; must not overlap A or B.</param>
    /// <param name="cRow">Distance between C's rows.</param>
    /// <param name="accumulate">Whether the product is added to C or replaces it.</param>
    /// <param name="path">Code path.</param>
    /// <exception cref="ArgumentException">A size is negative or a span is shorter than its shape and strides demand.</exception>
    public static unsafe void Multiply<T>(
        int m, int n, int k, ReadOnlySpan<T> a, int aRow, int aColumn, Weights<T> b, int bRow, int bColumn, Span<T> c, int cRow, bool accumulate,
        SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ExpectCovers(a.Length, m, k, aRow, aColumn, nameof(a));
        ExpectCovers(b.Length, k, n, bRow, bColumn, nameof(b));
        ExpectCovers(c.Length, m, n, cRow, 1, nameof(c));
        if (m == 0 || n == 0) return;
        if (k == 0)
        {
            for (int i = 0; i < m && !accumulate; i++) c.Slice(i * cRow, n).Clear();
            return;
        }
        if (m == 1 && aColumn == 1 && bRow == 1)
        {
            MultiplyRow(n, k, a, b, bColumn, c, accumulate, path);
            return;
        }
        fixed (T* pa = a, pb = b.Full, pc = c)
        fixed (ushort* narrow = b.Narrow)
        {
            var product = new BlockedProduct<T>(m, n, k, pa, aRow, aColumn, pb, narrow, b.Format, bRow, bColumn, pc, cRow);
            switch (Simd.Resolve(path))
            {
                case SimdPath.Vector512: product.Run<Lanes512<T>>(rowsPerTile: 8, accumulate); break;
                case SimdPath.Vector256: product.Run<Lanes256<T>>(rowsPerTile: 4, accumulate); break;
                case SimdPath.Vector128: product.Run<Lanes128<T>>(rowsPerTile: 8, accumulate); break;
                default: MultiplyScalar(m, n, k, pa, aRow, aColumn, b, bRow, bColumn, pc, cRow, accumulate); break;
            }
        }
    }

    /// <summary>One row against k-contiguous columns: reads B once, without repacking it. This is what generation spends its time on.</summary>
    private static void MultiplyRow<T>(int n, int k, ReadOnlySpan<T> a, Weights<T> b, int bColumn, Span<T> c, bool accumulate, SimdPath path)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T[]? widened = b.Format == WeightFormat.Full ? null : System.Buffers.ArrayPool<T>.Shared.Rent(k);
        for (int j = 0; j < n; j++)
        {
            ReadOnlySpan<T> column;
            if (widened is null) column = b.Full.Slice(j * bColumn, k);
            else
            {
                b.Slice(j * bColumn, k).CopyTo(widened);
                column = widened.AsSpan(0, k);
            }
            T sum = VectorMath.Dot(a[..k], column, path);
            c[j] = accumulate ? c[j] + sum : sum;
        }
        if (widened is not null) System.Buffers.ArrayPool<T>.Shared.Return(widened);
    }

    private static unsafe void MultiplyScalar<T>(int m, int n, int k, T* a, nint aRow, nint aColumn, Weights<T> b, int bRow, int bColumn, T* c, nint cRow,
        bool accumulate)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (nint i = 0; i < m; i++)
        {
            for (nint j = 0; j < n; j++)
            {
                T sum = accumulate ? c[i * cRow + j] : T.Zero;
                for (nint l = 0; l < k; l++) sum += a[i * aRow + l * aColumn] * b[(int)(l * bRow + j * bColumn)];
                c[i * cRow + j] = sum;
            }
        }
    }

    private static void ExpectCovers(int length, int rows, int columns, int row, int column, string name)
    {
        if (rows < 0 || columns < 0 || row < 0 || column < 0)
            throw new ArgumentException($"{name}: expected sizes and strides of at least 0, found [{rows}, {columns}] with strides {row}, {column}", name);
        long needed = rows == 0 || columns == 0 ? 0 : (rows - 1L) * row + (columns - 1L) * column + 1;
        if (length < needed) throw new ArgumentException($"{name}: expected at least {needed} entries for [{rows}, {columns}], found {length}", name);
    }
}
