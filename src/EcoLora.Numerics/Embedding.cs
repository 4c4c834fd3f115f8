using System.Numerics;

namespace EcoLora.Numerics;

/// <summary>Rows of a table by their numbers.</summary>
public static class Embedding
{
    /// <summary>Y[i, :] = table[ids[i], :].</summary>
    /// <param name="table">[vocabulary, n].</param>
    /// <param name="ids">[rows].</param>
    /// <param name="y">[rows, n].</param>
    /// <param name="n">Width of a row.</param>
    /// <exception cref="ArgumentException">Y is not rows × n.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An id is outside the table.</exception>
    public static void Forward<T>(Weights<T> table, ReadOnlySpan<int> ids, Span<T> y, int n)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Shape.Expect(y.Length, (long)ids.Length * n);
        for (int i = 0; i < ids.Length; i++) table.Slice(checked(ids[i] * n), n).CopyTo(y.Slice(i * n, n));
    }

    /// <summary>dTable[ids[i], :] += dY[i, :], in the order of i.</summary>
    /// <inheritdoc cref="Forward"/>
    public static void Backward<T>(ReadOnlySpan<T> dy, ReadOnlySpan<int> ids, Span<T> tableGradient, int n)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Shape.Expect(dy.Length, (long)ids.Length * n);
        for (int i = 0; i < ids.Length; i++) VectorMath.Axpy(T.One, dy.Slice(i * n, n), tableGradient.Slice(checked(ids[i] * n), n));
    }
}
