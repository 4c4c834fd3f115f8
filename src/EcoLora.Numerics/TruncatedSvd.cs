namespace EcoLora.Numerics;

/// <summary>The largest singular values of a matrix with their vectors: M ≈ Σ_{i &lt; r} σ_i·u_i·v_iᵀ, the nearest matrix of rank r (Eckart and Young, 1936).</summary>
/// <param name="Values">σ [r], falling; 0 beyond the matrix's own rank.</param>
/// <param name="Left">u_i in row i, [r, rows].</param>
/// <param name="Right">v_i in row i, [r, columns]; 0 where σ_i is.</param>
public sealed record TruncatedSvd(double[] Values, double[][] Left, double[][] Right)
{
    private const int Oversampling = 8, Iterations = 24, MostSweeps = 60;

    /// <summary>
    /// In double precision, with sums in order, so that the same matrix gives the same bits everywhere. One-sided Jacobi (Hestenes, 1958) on the rows; where the smaller side is
    /// above r + 8 on an orthonormal basis of the largest r + 8 directions, found by subspace iteration (24 products with M·Mᵀ), which is exact up to rounding where M's rank is no larger.
    /// </summary>
    /// <param name="matrix">M [rows, columns], row-major, finite.</param>
    /// <param name="rows">Rows, 1 or more.</param>
    /// <param name="columns">Columns, 1 or more.</param>
    /// <param name="rank">r, 1 to the smaller side.</param>
    /// <exception cref="ArgumentException">Sizes that do not fit together.</exception>
    public static TruncatedSvd Of(ReadOnlySpan<float> matrix, int rows, int columns, int rank)
    {
        if (rows < 1 || columns < 1 || matrix.Length != (long)rows * columns || rank < 1 || rank > Math.Min(rows, columns))
            throw new ArgumentException($"expected a matrix [{rows}, {columns}] and a rank of 1 to its smaller side, found {matrix.Length} entries and {rank}");
        bool isTall = rows > columns;
        double[][] wide = isTall ? Transposed(matrix, rows, columns) : Rows(matrix, rows, columns);
        double[][] basis = rank + Oversampling >= wide.Length ? Identity(wide.Length) : Basis(wide, rank + Oversampling);
        double[][] projected = rank + Oversampling >= wide.Length ? wide : Product(basis, wide);
        Orthogonalise(projected, basis);

        double[] norms = [.. projected.Select(row => Math.Sqrt(Dot(row, row)))];
        int[] order = [.. Enumerable.Range(0, norms.Length).OrderByDescending(i => norms[i]).ThenBy(i => i).Take(rank)];
        double[][] left = [.. order.Select(i => basis[i])];
        double[][] right = [.. order.Select(i => projected[i].Select(value => norms[i] == 0 ? 0 : value / norms[i]).ToArray())];
        double[] values = [.. order.Select(i => norms[i])];
        return isTall ? new TruncatedSvd(values, right, left) : new TruncatedSvd(values, left, right);
    }

    /// <summary>Rotates pairs of rows until all are orthogonal, and the basis with them: basisᵀ·rows stays what it is.</summary>
    private static void Orthogonalise(double[][] rows, double[][] basis)
    {
        bool hasTurned = true;
        for (int sweep = 0; sweep < MostSweeps && hasTurned; sweep++)
        {
            hasTurned = false;
            for (int i = 0; i < rows.Length; i++)
            {
                for (int j = i + 1; j < rows.Length; j++)
                {
                    double a = Dot(rows[i], rows[i]), b = Dot(rows[j], rows[j]), c = Dot(rows[i], rows[j]);
                    if (Math.Abs(c) <= 1e-15 * Math.Sqrt(a * b)) continue;
                    hasTurned = true;
                    double zeta = (b - a) / (2 * c), tangent = Math.CopySign(1, zeta) / (Math.Abs(zeta) + Math.Sqrt(1 + zeta * zeta));
                    double cosine = 1 / Math.Sqrt(1 + tangent * tangent), sine = cosine * tangent;
                    Rotate(rows[i], rows[j], cosine, sine);
                    Rotate(basis[i], basis[j], cosine, sine);
                }
            }
        }
    }

    private static void Rotate(double[] x, double[] y, double cosine, double sine)
    {
        for (int k = 0; k < x.Length; k++) (x[k], y[k]) = (cosine * x[k] - sine * y[k], sine * x[k] + cosine * y[k]);
    }

    /// <summary>Orthonormal rows that span the directions of the largest singular values.</summary>
    private static double[][] Basis(double[][] wide, int size)
    {
        var random = new RandomStream(0, "truncated-svd");
        double[][] basis = [.. Enumerable.Range(0, size).Select(_ => Enumerable.Range(0, wide.Length).Select(_ => random.NextGaussian()).ToArray())];
        Normalise(basis);
        for (int i = 0; i < Iterations; i++)
        {
            double[][] turned = Product(basis, wide);
            Normalise(turned);
            basis = [.. turned.Select(row => wide.Select(other => Dot(row, other)).ToArray())];
            Normalise(basis);
        }
        return basis;
    }

    /// <summary>Gram and Schmidt, twice; a row that the others span becomes zero.</summary>
    private static void Normalise(double[][] rows)
    {
        for (int i = 0; i < rows.Length; i++)
        {
            double before = Math.Sqrt(Dot(rows[i], rows[i]));
            for (int pass = 0; pass < 2; pass++)
                for (int j = 0; j < i; j++)
                    AddScaled(-Dot(rows[i], rows[j]), rows[j], rows[i]);
            double after = Math.Sqrt(Dot(rows[i], rows[i]));
            double factor = after <= 1e-13 * before ? 0 : 1 / after;
            for (int k = 0; k < rows[i].Length; k++) rows[i][k] *= factor;
        }
    }

    private static double[][] Product(double[][] left, double[][] right)
    {
        double[][] product = [.. left.Select(_ => new double[right[0].Length])];
        for (int i = 0; i < left.Length; i++)
            for (int k = 0; k < right.Length; k++)
                AddScaled(left[i][k], right[k], product[i]);
        return product;
    }

    private static double Dot(double[] x, double[] y)
    {
        double sum = 0;
        for (int k = 0; k < x.Length; k++) sum += x[k] * y[k];
        return sum;
    }

    private static void AddScaled(double factor, double[] x, double[] sums)
    {
        for (int k = 0; k < x.Length; k++) sums[k] += factor * x[k];
    }

    private static double[][] Identity(int size) => [.. Enumerable.Range(0, size).Select(i => Enumerable.Range(0, size).Select(j => i == j ? 1.0 : 0).ToArray())];

    private static double[][] Rows(ReadOnlySpan<float> matrix, int rows, int columns)
    {
        var result = new double[rows][];
        for (int i = 0; i < rows; i++)
        {
            result[i] = new double[columns];
            for (int j = 0; j < columns; j++) result[i][j] = matrix[i * columns + j];
        }
        return result;
    }

    private static double[][] Transposed(ReadOnlySpan<float> matrix, int rows, int columns)
    {
        var result = new double[columns][];
        for (int j = 0; j < columns; j++)
        {
            result[j] = new double[rows];
            for (int i = 0; i < rows; i++) result[j][i] = matrix[i * columns + j];
        }
        return result;
    }
}
