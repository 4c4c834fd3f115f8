namespace EcoLora.Numerics.Tests;

/// <summary>Each vector path of each kernel against the scalar one, over all lengths from 0 to 256.</summary>
public class VectorKernelTests
{
    private const double Tolerance = 2e-6;

    public static TheoryData<SimdPath> Paths => [SimdPath.Vector128, SimdPath.Vector256, SimdPath.Vector512];

    [Theory]
    [MemberData(nameof(Paths))]
    public void Sums(SimdPath path)
    {
        for (int n = 0; n <= 256; n++)
        {
            float[] x = Numbers.Floats(n), y = Numbers.Floats(n, 1);
            double[] xd = Numbers.Doubles(n), yd = Numbers.Doubles(n, 1);
            Assert.Equal(VectorMath.Dot(xd, yd, SimdPath.Scalar), VectorMath.Dot<float>(x, y, path), 1e-4);
            Assert.Equal(VectorMath.Dot(xd, yd, SimdPath.Scalar), VectorMath.Dot<double>(xd, yd, path), 1e-12);
            Assert.Equal(VectorMath.SumOfSquares(xd, SimdPath.Scalar), VectorMath.SumOfSquares<float>(x, path), 1e-4);
            Assert.Equal(VectorMath.SumOfSquares(xd, SimdPath.Scalar), VectorMath.SumOfSquares<double>(xd, path), 1e-11);
        }
    }

    [Fact]
    public void The_sum_of_squares_of_a_long_vector_stays_accurate()
    {
        float[] x = new float[3_000_001];
        Array.Fill(x, 0.1f);
        Assert.Equal(3_000_001.0 * 0.1f * 0.1f, VectorMath.SumOfSquares<float>(x), 0.01);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Axpy_and_scale(SimdPath path) => AllLengths(path, 0, (n, p) =>
    {
        float[] x = Numbers.Floats(n), y = Numbers.Floats(n, 1);
        VectorMath.Axpy(0.3f, x, y.AsSpan(), p);
        VectorMath.Scale(-1.7f, y.AsSpan(), p);
        return y;
    });

    [Theory]
    [MemberData(nameof(Paths))]
    public void SwiGlu_forward_and_backward(SimdPath path) => AllLengths(path, 0, (n, p) =>
    {
        float[] gate = [.. Numbers.Floats(n).Select(x => 4 * x)], up = Numbers.Floats(n, 1), dy = Numbers.Floats(n, 2), y = new float[n], dg = new float[n],
            du = new float[n];
        SwiGlu.Forward<float>(gate, up, y, p);
        SwiGlu.Backward<float>(gate, up, dy, dg, du, p);
        return [.. y, .. dg, .. du];
    });

    [Theory]
    [MemberData(nameof(Paths))]
    public void SoftMax_row(SimdPath path) => AllLengths(path, 1, (n, p) =>
    {
        float[] x = Numbers.Floats(n), d = Numbers.Floats(n, 1);
        float max = SoftMax.Max<float>(x, p), logSum = SoftMax.Forward(x.AsSpan(), 0.7f, p);
        SoftMaxGradient.Apply<float>(x, d, 0.2f, 0.7f, p);
        return [max, logSum, .. x, .. d];
    });

    [Theory]
    [MemberData(nameof(Paths))]
    public void RmsNorm_rows(SimdPath path) => AllLengths(path, 1, (n, p) =>
    {
        const int Rows = 3;
        float[] x = Numbers.Floats(Rows * n), gains = Numbers.Floats(n, 1), dy = Numbers.Floats(Rows * n, 2), y = new float[Rows * n],
            factors = new float[Rows];
        float[] dx = Numbers.Floats(Rows * n, 3), dg = Numbers.Floats(n, 4), dxOnly = [.. dx];
        RmsNorm.Forward<float>(x, gains, y, factors, 1e-3, p);
        RmsNorm.Backward<float>(x, gains, factors, dy, dx, dg, p);
        RmsNorm.Backward<float>(x, gains, factors, dy, dxOnly, [], p);
        Assert.Equal(dx, dxOnly);
        return [.. y, .. dx, .. dg];
    }, 2e-5);

    [Theory]
    [MemberData(nameof(Paths))]
    public void Rope_of_every_head_size(SimdPath path) => AllLengths(path, 1, (half, p) =>
    {
        int[] positions = [0, 1, 9];
        float[] cos = new float[10 * half], sin = new float[10 * half], x = Numbers.Floats(3 * 2 * 2 * half), forward, back;
        Rope.FillTables<float>(cos, sin, 10, 2 * half, 10_000);
        Rope.Forward<float>(x, positions, cos, sin, 2 * half, p);
        forward = [.. x];
        Rope.Backward<float>(x, positions, cos, sin, 2 * half, p);
        back = x;
        Numbers.AssertClose(Numbers.Floats(3 * 2 * 2 * half), back, 2e-6, "back and forth");
        return forward;
    });

    /// <summary>
    /// Llama-3.2-1B's: θ = 500,000, d = 64, factor 32, low 1, high 4, 8192 positions. Expected values by the formula of Hugging Face's _compute_llama3_parameters, evaluated in Python.
    /// </summary>
    [Fact]
    public void Rope_frequencies_are_scaled_as_Llama_3_scales_them()
    {
        var llama = new RopeScaling.Llama3(32, 1, 4, 8192);
        foreach ((int i, double expected) in new[]
        {
            (0, 1.0), (1, 0.6636012376960885), (14, 0.0032114459947525913), (15, 0.001290547928209264), (16, 0.00042955679655936815), (17, 9.70828780262767e-05),
            (18, 1.9461638184831125e-05), (19, 1.291476718704739e-05), (31, 9.418306725434909e-08),
        })
        {
            double unscaled = Math.Pow(500_000, -2.0 * i / 64);
            Assert.Equal(expected, llama.Scale(unscaled), 1e-13 * expected);
            Assert.Equal(unscaled / 4, new RopeScaling.Linear(4).Scale(unscaled));
            double[] cosines = new double[2 * 32], sines = new double[2 * 32];
            Rope.FillTables<double>(cosines, sines, 2, 64, 500_000, llama);
            Assert.Equal((Math.Cos(expected), Math.Sin(expected)), (cosines[32 + i], sines[32 + i]), (x, y) => Math.Abs(x.Item1 - y.Item1) < 1e-14 && Math.Abs(x.Item2 - y.Item2) < 1e-14);
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Cross_entropy(SimdPath path) => AllLengths(path, 1, (n, p) =>
    {
        float[] logits = [.. Numbers.Floats(3 * n).Select(x => 5 * x)], forward = [.. logits], losses = new float[3], same = new float[3];
        int[] targets = [n - 1, CrossEntropy.Masked, 0];
        CrossEntropy.ForwardBackward<float>(logits, targets, losses, 0.5f, p);
        CrossEntropy.Forward<float>(forward, targets, same, p);
        Assert.Equal(losses, same);
        return [.. logits, .. losses];
    });

    [Theory]
    [MemberData(nameof(Paths))]
    public void Adam_step(SimdPath path) => AllLengths(path, 0, (n, p) =>
    {
        float[] w = Numbers.Floats(n), g = Numbers.Floats(n, 1), m = Numbers.Floats(n, 2), v = [.. Numbers.Floats(n, 3).Select(x => x * x)];
        new AdamStep(0.01, 0.9, 0.99, 1e-8, 0.1, 0.5, 3).Apply<float>(w, g, m, v, p);
        return [.. w, .. m, .. v];
    });

    [Theory]
    [MemberData(nameof(Paths))]
    public void Double_precision_agrees_to_its_own_rounding(SimdPath path)
    {
        for (int n = 1; n <= 256; n++)
        {
            double[] expected = Run(SimdPath.Scalar), found = Run(path);
            Numbers.AssertClose(expected, found, 1e-12, $"{path} {n}");

            double[] Run(SimdPath p)
            {
                double[] gate = Numbers.Doubles(n), up = Numbers.Doubles(n, 1), y = new double[n], dx = new double[n], factors = new double[1];
                SwiGlu.Forward<double>(gate, up, y, p);
                RmsNorm.Forward<double>(y, up, gate, factors, 1e-5, p);
                RmsNorm.Backward<double>(y, up, factors, gate, dx, [], p);
                double logSum = SoftMax.Forward(y.AsSpan(), 0.3, p);
                new AdamStep(0.01, 0.9, 0.99, 1e-8, 0.1, 0.5, 3).Apply<double>(up, gate, dx, factors.Length == 1 ? [.. y] : [], p);
                return [.. y, .. dx, .. up, logSum];
            }
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void The_exponential_is_within_two_units_in_the_last_place(SimdPath path)
    {
        float[] special = [float.NegativeInfinity, float.PositiveInfinity, float.NaN, 0, -0f, float.MinValue, float.MaxValue, 1e-30f];
        float[] x = [.. Enumerable.Range(-105_000, 195_000).Select(i => i / 1000f), .. special], y = [.. x];
        SoftMax.Exponentiate(y.AsSpan(), 1f, 0f, path);
        for (int i = 0; i < x.Length; i++)
        {
            double exact = Math.Exp(x[i]);
            float expected = (float)exact;
            if (float.IsNaN(expected)) Assert.True(float.IsNaN(y[i]));
            else if (float.IsInfinity(expected)) Assert.Equal(expected, y[i]);
            else Assert.True(Math.Abs(y[i] - exact) <= 2.0 * (MathF.BitIncrement(expected) - (double)expected),
                $"exp({x[i]:R}): expected {expected:R}, found {y[i]:R}");
        }
    }

    [Fact]
    public void Large_logits_are_safe()
    {
        foreach (SimdPath path in new[] { SimdPath.Scalar, SimdPath.Vector128, SimdPath.Vector256, SimdPath.Vector512 })
        {
            float[] x = new float[20], losses = new float[1];
            Array.Fill(x, 1000f);
            Assert.Equal(1000 + MathF.Log(20), SoftMax.Forward(x.AsSpan(), 1f, path), 1e-3);
            Assert.All(x, p => Assert.Equal(0.05f, p, 1e-6));
            float[] logits = [3e38f, -3e38f];
            CrossEntropy.ForwardBackward<float>(logits, [0], losses, 1, path);
            Assert.Equal(0f, losses[0]);
            Assert.Equal([0f, 0f], logits);
            float[] gate = [-200, 200], up = [1, 1], y = new float[2];
            SwiGlu.Forward<float>([.. gate, .. new float[16]], [.. up, .. new float[16]], y = new float[18], path);
            Assert.Equal(0f, y[0], 1e-30);
            Assert.Equal(200f, y[1]);
        }
    }

    [Fact]
    public void NaN_reaches_the_loss()
    {
        foreach (SimdPath path in new[] { SimdPath.Scalar, SimdPath.Vector128, SimdPath.Vector256, SimdPath.Vector512 })
        {
            for (int at = 0; at < 40; at += 13)
            {
                float[] logits = new float[40], losses = new float[1];
                logits[at] = float.NaN;
                CrossEntropy.Forward<float>(logits, [5], losses, path);
                Assert.True(float.IsNaN(losses[0]), $"{path} at {at}");
            }
        }
    }

    [Fact]
    public void Hand_computed_values()
    {
        float[] y = new float[2], factors = new float[1];
        RmsNorm.Forward<float>([3, 4], [1, 2], y, factors, 0);   // mean square 12.5
        Numbers.AssertClose([3 / MathF.Sqrt(12.5f), 8 / MathF.Sqrt(12.5f)], y, 1e-6, "norm");
        float[] logits = [0, MathF.Log(3)], losses = new float[1];
        CrossEntropy.ForwardBackward<float>(logits, [0], losses, 2, SimdPath.Scalar);   // softmax = 1/4, 3/4
        Assert.Equal(MathF.Log(4), losses[0], 1e-6);
        Numbers.AssertClose([-1.5f, 1.5f], logits, 1e-6, "gradient");
        float[] w = [1], m = [0], v = [0];
        new AdamStep(LearningRate: 0.1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.5, GradientScale: 1, Step: 1).Apply<float>(w, [4f], m, v);
        Assert.Equal(1 * (1 - 0.05f) - 0.1f, w[0], 1e-6);   // the first step of Adam is η·sign(g)
        Assert.Equal(0.4f, m[0], 1e-6);
        Assert.Equal(0.016f, v[0], 1e-6);
        float[] x = [1, 2, 3, 4], cos = [1, 1, 0, 1], sin = [0, 0, 1, 0];   // position 1 turns pair 0 by 90 degrees
        Rope.Forward<float>(x, [1], cos, sin, 4);
        Assert.Equal([-3f, 2f, 1f, 4f], x);
    }

    [Fact]
    public void Embedding_gathers_and_scatters()
    {
        float[] y = new float[6], gradient = [0, 0, 0, 0, 1, 0];
        Embedding.Forward<float>(new float[] { 1, 2, 3, 4, 5, 6 }, [2, 0, 2], y, 2);
        Assert.Equal([5f, 6f, 1f, 2f, 5f, 6f], y);
        Embedding.Backward<float>([1, 2, 3, 4, 10, 20], [2, 0, 2], gradient, 2);
        Assert.Equal([3f, 4f, 0f, 0f, 12f, 22f], gradient);
        Assert.Throws<ArgumentOutOfRangeException>(() => Embedding.Forward<float>(new float[6], [3], new float[2], 2));
    }

    [Fact]
    public void Wrong_lengths_are_refused()
    {
        Assert.Throws<ArgumentException>(() => VectorMath.Dot<float>(new float[2], new float[3]));
        Assert.Throws<ArgumentException>(() => VectorMath.Axpy(1f, new float[2], new float[3].AsSpan()));
        Assert.Throws<ArgumentException>(() => SwiGlu.Forward<float>(new float[2], new float[2], new float[1]));
        Assert.Throws<ArgumentException>(() => RmsNorm.Forward<float>(new float[5], new float[2], new float[5], new float[2], 1e-5));
        Assert.Throws<ArgumentException>(() => CrossEntropy.Forward<float>(new float[5], [0, 1], new float[2]));
        Assert.Throws<ArgumentException>(() => new AdamStep(1, 0, 0, 1, 0, 1, 1).Apply<float>(new float[1], new float[2], new float[1], new float[1]));
        Assert.Throws<ArgumentException>(() => Rope.FillTables<float>(new float[3], new float[3], 1, 3, 10));
    }

    private static void AllLengths(SimdPath path, int from, Func<int, SimdPath, float[]> run, double tolerance = Tolerance)
    {
        for (int n = from; n <= 256; n++) Numbers.AssertClose(run(n, SimdPath.Scalar), run(n, path), tolerance, $"{path}, length {n}");
    }
}
