namespace EcoLora.Numerics.Tests;

public class AttentionTests
{
    public static TheoryData<SimdPath, int, int> Cases
    {
        get
        {
            var cases = new TheoryData<SimdPath, int, int>();
            foreach (SimdPath path in new[] { SimdPath.Scalar, SimdPath.Vector128, SimdPath.Vector256, SimdPath.Vector512 })
                foreach ((int queries, int keys) in new[] { (1, 1), (2, 2), (17, 17), (64, 64), (65, 65), (150, 150), (1, 40), (5, 70), (70, 75) })
                    cases.Add(path, queries, keys);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_matches_the_definition(SimdPath path, int queries, int keys)
    {
        const int Heads = 6, KeyHeads = 2, D = 10;
        double[] q = Numbers.Doubles(queries * Heads * D), k = Numbers.Doubles(keys * KeyHeads * D, 1), v = Numbers.Doubles(keys * KeyHeads * D, 2);
        double[] o = new double[queries * Heads * D], logSums = new double[queries * Heads], scratch = new double[Attention.ScratchLength(keys)];
        Attention.Forward<double>(q, k, v, o, logSums, scratch, Heads, KeyHeads, path);
        for (int i = 0; i < queries; i++)
        {
            for (int head = 0; head < Heads; head++)
            {
                int keyHead = head / 3, visible = keys - queries + i + 1;
                double Score(int j) => Enumerable.Range(0, D).Sum(x => q[(i * Heads + head) * D + x] * k[(j * KeyHeads + keyHead) * D + x]) / Math.Sqrt(D);
                double[] e = [.. Enumerable.Range(0, visible).Select(j => Math.Exp(Score(j)))];
                double sum = e.Sum();
                Assert.Equal(Math.Log(sum), logSums[i * Heads + head], 1e-10);
                for (int x = 0; x < D; x++)
                    Assert.Equal(Enumerable.Range(0, visible).Sum(j => e[j] * v[(j * KeyHeads + keyHead) * D + x]) / sum, o[(i * Heads + head) * D + x], 1e-10);
            }
        }
    }

    [Theory]
    [InlineData(SimdPath.Vector128)]
    [InlineData(SimdPath.Vector256)]
    [InlineData(SimdPath.Vector512)]
    public void Vector_paths_match_the_scalar_one_in_both_directions(SimdPath path)
    {
        foreach (int n in new[] { 1, 3, 16, 63, 64, 65, 129 })
        {
            float[] expected = Run(n, SimdPath.Scalar), found = Run(n, path);
            Numbers.AssertClose(expected, found, 2e-4, $"{path}, {n} rows");
        }

        static float[] Run(int n, SimdPath p)
        {
            const int Heads = 4, KeyHeads = 2, D = 8;
            float[] q = Numbers.Floats(n * Heads * D), k = Numbers.Floats(n * KeyHeads * D, 1), v = Numbers.Floats(n * KeyHeads * D, 2),
                dOut = Numbers.Floats(n * Heads * D, 3);
            float[] o = new float[q.Length], logSums = new float[n * Heads], scratch = new float[Attention.ScratchLength(n)], dq = new float[q.Length],
                dk = new float[k.Length], dv = new float[v.Length];
            Attention.Forward<float>(q, k, v, o, logSums, scratch, Heads, KeyHeads, p);
            Attention.Backward<float>(q, k, v, o, logSums, dOut, dq, dk, dv, scratch, Heads, KeyHeads, p);
            return [.. o, .. logSums, .. dq, .. dk, .. dv];
        }
    }

    [Fact]
    public void The_gradient_matches_finite_differences()
    {
        const int N = 9, Heads = 4, KeyHeads = 2, D = 6;
        double[] q = Numbers.Doubles(N * Heads * D), k = Numbers.Doubles(N * KeyHeads * D, 1), v = Numbers.Doubles(N * KeyHeads * D, 2),
            weight = Numbers.Doubles(N * Heads * D, 3);
        double[] o = new double[q.Length], logSums = new double[N * Heads], scratch = new double[Attention.ScratchLength(N)], dq = new double[q.Length],
            dk = new double[k.Length], dv = new double[v.Length];
        Objective();
        Attention.Backward<double>(q, k, v, o, logSums, weight, dq, dk, dv, scratch, Heads, KeyHeads);
        foreach ((double[] x, double[] gradient) in new[] { (q, dq), (k, dk), (v, dv) })
        {
            for (int i = 0; i < x.Length; i += 5)
            {
                double kept = x[i];
                x[i] = kept + 1e-6;
                double above = Objective();
                x[i] = kept - 1e-6;
                double below = Objective();
                x[i] = kept;
                Assert.Equal((above - below) / 2e-6, gradient[i], 1e-7);
            }
        }

        double Objective()
        {
            Attention.Forward<double>(q, k, v, o, logSums, scratch, Heads, KeyHeads);
            return VectorMath.Dot<double>(o, weight);
        }
    }

    [Fact]
    public void Wrong_shapes_are_refused()
    {
        float[] scratch = new float[Attention.ScratchLength(4)];
        Assert.Throws<ArgumentException>(() => Attention.Forward<float>(new float[12], new float[8], new float[8], new float[12], new float[3], scratch, 3, 2));
        Assert.Throws<ArgumentException>(() => Attention.Forward<float>(new float[16], new float[4], new float[4], new float[16], new float[4], scratch, 2, 1));
        Assert.Throws<ArgumentException>(() => Attention.Forward<float>(new float[8], new float[8], new float[4], new float[8], new float[4], scratch, 2, 2));
    }
}
