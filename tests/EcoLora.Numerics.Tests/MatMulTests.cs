namespace EcoLora.Numerics.Tests;

public class MatMulTests
{
    private static readonly int[] s_sizes = [1, 2, 3, 5, 7, 8, 9, 12, 15, 16, 17, 31, 33, 40];

    public static TheoryData<SimdPath> Paths => [SimdPath.Scalar, SimdPath.Vector128, SimdPath.Vector256, SimdPath.Vector512];

    [Theory]
    [MemberData(nameof(Paths))]
    public void All_forms_match_the_definition_on_odd_shapes(SimdPath path)
    {
        foreach (int rows in s_sizes)
            foreach (int inputs in s_sizes)
                foreach (int outputs in s_sizes)
                    AssertForms(rows, inputs, outputs, path);
    }

    [Theory]
    [InlineData(140, 300, 530)]
    [InlineData(129, 257, 33)]
    [InlineData(300, 512, 8)]
    [InlineData(257, 8, 129)]
    [InlineData(1, 600, 70)]
    public void Shapes_beyond_one_block_match(int rows, int inputs, int outputs)
    {
        AssertForms(rows, inputs, outputs, SimdPath.Vector128);
        AssertForms(rows, inputs, outputs, SimdPath.Vector256);
        AssertForms(rows, inputs, outputs, SimdPath.Vector512);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Double_precision_matches(SimdPath path)
    {
        foreach ((int m, int n, int k) in new[] { (5, 9, 7), (17, 33, 40), (1, 8, 9), (40, 3, 300) })
        {
            double[] a = Numbers.Doubles(m * k), b = Numbers.Doubles(n * k, 1), c = new double[m * n], expected = new double[m * n];
            MatMul.Forward<double>(a, b, c, m, k, n, path: path);
            for (int i = 0; i < m; i++)
                for (int j = 0; j < n; j++)
                    for (int l = 0; l < k; l++)
                        expected[i * n + j] += a[i * k + l] * b[j * k + l];
            Numbers.AssertClose(expected, c, 1e-12, $"{path} {m}×{n}×{k}");
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Strided_operands_and_untouched_gaps(SimdPath path)
    {
        const int M = 11, N = 37, K = 21, ARow = 50, BRow = 45, CRow = 41;
        float[] a = Numbers.Floats(M * ARow), b = Numbers.Floats(K * BRow, 1), c = Numbers.Floats(M * CRow, 2), before = [.. c];
        MatMul.Multiply<float>(M, N, K, a.AsSpan(3), ARow, 2, b.AsSpan(5), BRow, 1, c.AsSpan(2), CRow, accumulate: true, path);
        for (int i = 0; i < M; i++)
        {
            for (int j = 0; j < CRow; j++)
            {
                int at = i * CRow + j;
                double expected = before[at];
                for (int l = 0; l < K && j is >= 2 and < N + 2; l++) expected += (double)a[3 + i * ARow + 2 * l] * b[5 + l * BRow + j - 2];
                if (j is >= 2 and < N + 2) Assert.Equal(expected, c[at], 1e-4);
                else Assert.Equal(before[at], c[at]);
            }
        }
    }

    [Fact]
    public void All_vector_widths_give_the_same_bits()
    {
        float[] x = Numbers.Floats(50 * 300), w = Numbers.Floats(70 * 300, 1);
        float[][] products = [.. Numbers.VectorPaths.Select(path =>
        {
            float[] y = new float[50 * 70];
            MatMul.Forward<float>(x, w, y, 50, 300, 70, path: path);
            return y;
        })];
        Assert.All(products, product => Assert.Equal(products[0], product));
    }

    [Fact]
    public void A_row_does_not_depend_on_the_rows_beside_it()
    {
        float[] x = Numbers.Floats(50 * 90), w = Numbers.Floats(70 * 90, 1), all = new float[50 * 70], some = new float[9 * 70];
        MatMul.Forward<float>(x, w, all, 50, 90, 70);
        MatMul.Forward<float>(x.AsSpan(20 * 90, 9 * 90), w, some, 9, 90, 70);
        Assert.Equal(all[(20 * 70)..(29 * 70)], some);
    }

    [Fact]
    public void An_empty_sum_is_zero()
    {
        float[] c = [1, 2, 3, 4];
        MatMul.Forward<float>([], Array.Empty<float>(), c, 2, 0, 2, accumulate: true);
        Assert.Equal([1f, 2f, 3f, 4f], c);
        MatMul.Forward<float>([], Array.Empty<float>(), c, 2, 0, 2);
        Assert.Equal(new float[4], c);
        MatMul.Forward<float>([], Array.Empty<float>(), [], 0, 3, 0);
    }

    [Fact]
    public void Short_spans_are_refused()
    {
        Assert.Throws<ArgumentException>(() => MatMul.Forward<float>(new float[5], new float[6], new float[4], 2, 3, 2));
        Assert.Throws<ArgumentException>(() => MatMul.Forward<float>(new float[6], new float[5], new float[4], 2, 3, 2));
        Assert.Throws<ArgumentException>(() => MatMul.Forward<float>(new float[6], new float[6], new float[3], 2, 3, 2));
        Assert.Throws<ArgumentException>(() => MatMul.Forward<float>(new float[6], new float[6], new float[4], -2, 3, 2));
        Assert.Throws<ArgumentException>(() => MatMul.Forward<float>(new float[6], new float[6], new float[4], int.MaxValue, int.MaxValue, 2));
    }

    private static void AssertForms(int rows, int inputs, int outputs, SimdPath path)
    {
        float[] x = Numbers.Floats(rows * inputs), w = Numbers.Floats(outputs * inputs, 1), dy = Numbers.Floats(rows * outputs, 2);
        foreach (bool accumulate in new[] { false, true })
        {
            float[] y = Numbers.Floats(rows * outputs, 3), dx = Numbers.Floats(rows * inputs, 4), dw = Numbers.Floats(outputs * inputs, 5);
            double[] yd = Start(y, accumulate), dxd = Start(dx, accumulate), dwd = Start(dw, accumulate);
            for (int r = 0; r < rows; r++)
            {
                for (int o = 0; o < outputs; o++)
                {
                    double d = dy[r * outputs + o];
                    for (int i = 0; i < inputs; i++)
                    {
                        yd[r * outputs + o] += (double)x[r * inputs + i] * w[o * inputs + i];
                        dxd[r * inputs + i] += d * w[o * inputs + i];
                        dwd[o * inputs + i] += d * x[r * inputs + i];
                    }
                }
            }
            MatMul.Forward<float>(x, w, y, rows, inputs, outputs, accumulate, path);
            MatMul.InputGradient<float>(dy, w, dx, rows, inputs, outputs, accumulate, path);
            MatMul.WeightGradient<float>(dy, x, dw, rows, inputs, outputs, accumulate, path);
            AssertNear(yd, y, $"Y {path} {rows}×{inputs}×{outputs} {accumulate}");
            AssertNear(dxd, dx, $"dX {path} {rows}×{inputs}×{outputs} {accumulate}");
            AssertNear(dwd, dw, $"dW {path} {rows}×{inputs}×{outputs} {accumulate}");
        }
    }

    private static double[] Start(float[] values, bool accumulate) => [.. values.Select(value => accumulate ? (double)value : 0)];

    private static void AssertNear(double[] expected, float[] found, string what)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (!(Math.Abs(expected[i] - found[i]) <= 2e-4)) Assert.Fail($"{what}: entry {i}: expected {expected[i]:R}, found {found[i]:R}");
        }
    }
}
