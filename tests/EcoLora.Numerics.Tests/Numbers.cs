namespace EcoLora.Numerics.Tests;

/// <summary>Seeded inputs and comparisons that the kernel tests share.</summary>
internal static class Numbers
{
    public static readonly SimdPath[] VectorPaths = [SimdPath.Vector128, SimdPath.Vector256, SimdPath.Vector512];

    public static float[] Floats(int length, int salt = 0)
    {
        var stream = new RandomStream(11, "floats", length, salt);
        float[] values = new float[length];
        for (int i = 0; i < length; i++) values[i] = (float)stream.NextGaussian();
        return values;
    }

    public static double[] Doubles(int length, int salt = 0) => [.. Floats(length, salt).Select(x => (double)x)];

    /// <summary>Entries agree to a tolerance that is relative above 1 and absolute below.</summary>
    public static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> found, double tolerance, string what)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (!(Math.Abs(expected[i] - found[i]) <= tolerance * Math.Max(1, Math.Abs(expected[i]))))
                Assert.Fail($"{what}: entry {i} of {expected.Length}: expected {expected[i]:R}, found {found[i]:R}");
        }
    }

    public static void AssertClose(ReadOnlySpan<double> expected, ReadOnlySpan<double> found, double tolerance, string what)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (!(Math.Abs(expected[i] - found[i]) <= tolerance * Math.Max(1, Math.Abs(expected[i]))))
                Assert.Fail($"{what}: entry {i} of {expected.Length}: expected {expected[i]:R}, found {found[i]:R}");
        }
    }
}
