namespace EcoLora.Numerics.Tests;

public class TruncatedSvdTests
{
    [Fact]
    public void A_matrix_of_two_by_two_has_the_values_that_are_computed_by_hand()
    {
        // [3 0; 4 5]: MᵀM = [25 20; 20 25] has the eigenvalues 45 and 5.
        var svd = TruncatedSvd.Of([3, 0, 4, 5], 2, 2, 2);
        Assert.Equal(Math.Sqrt(45), svd.Values[0], 1e-14);
        Assert.Equal(Math.Sqrt(5), svd.Values[1], 1e-14);
        Assert.Equal(Math.Sqrt(0.5), Math.Abs(svd.Right[0][0]), 1e-14);
        Assert.Equal(1 / Math.Sqrt(10), Math.Abs(svd.Left[0][0]), 1e-14);
    }

    [Theory]
    [InlineData(5, 9, 3)]
    [InlineData(9, 5, 3)]
    [InlineData(40, 60, 4)] // The smaller side is above r + 8: by subspace iteration.
    [InlineData(60, 40, 4)]
    public void A_matrix_of_that_rank_comes_back_whole(int rows, int columns, int rank)
    {
        float[] matrix = OfRank(rows, columns, rank);
        var svd = TruncatedSvd.Of(matrix, rows, columns, rank);
        float[] back = Product(svd, rows, columns);
        Assert.All(back.Zip(matrix), pair => Assert.Equal(pair.Second, pair.First, 2e-6));
        foreach (double[][] vectors in (double[][][])[svd.Left, svd.Right])
            for (int i = 0; i < rank; i++)
                for (int j = 0; j < rank; j++)
                    Assert.Equal(i == j ? 1 : 0, vectors[i].Zip(vectors[j], (x, y) => x * y).Sum(), 1e-9);
        Assert.Equal(svd.Values.OrderDescending(), svd.Values);
    }

    [Fact]
    public void What_is_cut_off_is_the_sum_of_the_squares_of_the_other_values()
    {
        float[] matrix = OfRank(48, 50, 48);
        TruncatedSvd whole = TruncatedSvd.Of(matrix, 48, 50, 48), cut = TruncatedSvd.Of(matrix, 48, 50, 5);
        double lost = Product(cut, 48, 50).Zip(matrix, (found, wanted) => Math.Pow(found - wanted, 2)).Sum();
        double least = whole.Values.Skip(5).Sum(value => value * value), all = matrix.Sum(value => (double)value * value);
        Assert.Equal(all, whole.Values.Sum(value => value * value), all * 1e-9);
        Assert.InRange(lost, least * 0.99999, least * 1.01);
    }

    [Fact]
    public void A_zero_matrix_has_zero_values_and_sizes_must_fit()
    {
        var svd = TruncatedSvd.Of(new float[6], 2, 3, 2);
        Assert.All(svd.Values, value => Assert.Equal(0, value));
        Assert.All(Product(svd, 2, 3), value => Assert.Equal(0, value));
        Assert.All(TruncatedSvd.Of(new float[400], 20, 20, 2).Values, value => Assert.Equal(0, value));
        Assert.Throws<ArgumentException>(() => TruncatedSvd.Of(new float[6], 2, 3, 3));
        Assert.Throws<ArgumentException>(() => TruncatedSvd.Of(new float[5], 2, 3, 1));
    }

    private static float[] Product(TruncatedSvd svd, int rows, int columns)
    {
        float[] product = new float[rows * columns];
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
                product[row * columns + column] = (float)svd.Values.Select((value, i) => value * svd.Left[i][row] * svd.Right[i][column]).Sum();
        return product;
    }

    private static float[] OfRank(int rows, int columns, int rank)
    {
        var random = new RandomStream(1, "svd-test", rows, columns, rank);
        double[] left = [.. Enumerable.Range(0, rows * rank).Select(_ => random.NextGaussian())], right = [.. Enumerable.Range(0, rank * columns).Select(_ => random.NextGaussian())];
        float[] matrix = new float[rows * columns];
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
                matrix[row * columns + column] = (float)Enumerable.Range(0, rank).Sum(r => left[row * rank + r] * right[r * columns + column] / rank);
        return matrix;
    }
}
