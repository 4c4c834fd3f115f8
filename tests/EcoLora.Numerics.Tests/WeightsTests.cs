namespace EcoLora.Numerics.Tests;

/// <summary>A kernel over 16-bit weights gives the bits that it gives over the same weights widened beforehand.</summary>
public class WeightsTests
{
    public static TheoryData<SimdPath, WeightFormat> Cases
    {
        get
        {
            var cases = new TheoryData<SimdPath, WeightFormat>();
            foreach (SimdPath path in (SimdPath[])[SimdPath.Scalar, SimdPath.Vector128, SimdPath.Vector256, SimdPath.Vector512])
                foreach (WeightFormat format in (WeightFormat[])[WeightFormat.Half, WeightFormat.Brain])
                    cases.Add(path, format);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Products_have_the_bits_of_the_widened_weights(SimdPath path, WeightFormat format)
    {
        foreach ((int rows, int inputs, int outputs) in new[]
                 { (1, 40, 33), (2, 1, 1), (3, 7, 9), (5, 8, 16), (9, 64, 40), (37, 17, 31), (40, 330, 65), (7, 33, 530), (140, 24, 8) })
        {
            (ushort[] narrow, float[] wide) = Matrix(outputs * inputs, format);
            float[] x = Numbers.Floats(rows * inputs, 1), dy = Numbers.Floats(rows * outputs, 2);
            float[] expected = Numbers.Floats(rows * outputs, 3), found = [.. expected];
            MatMul.Forward<float>(x, wide, expected, rows, inputs, outputs, accumulate: true, path);
            MatMul.Forward(x, new Weights<float>(narrow, format), found.AsSpan(), rows, inputs, outputs, accumulate: true, path);
            Assert.Equal(expected, found);

            float[] expectedDx = new float[rows * inputs], foundDx = new float[rows * inputs];
            MatMul.InputGradient<float>(dy, wide, expectedDx, rows, inputs, outputs, path: path);
            MatMul.InputGradient(dy, new Weights<float>(narrow, format), foundDx.AsSpan(), rows, inputs, outputs, path: path);
            Assert.Equal(expectedDx, foundDx);
        }
    }

    [Theory]
    [InlineData(WeightFormat.Half)]
    [InlineData(WeightFormat.Brain)]
    public void Double_precision_widens_too(WeightFormat format)
    {
        (ushort[] narrow, float[] wide) = Matrix(20 * 19, format);
        double[] x = Numbers.Doubles(6 * 19), weights = [.. wide.Select(value => (double)value)], expected = new double[6 * 20], found = new double[6 * 20];
        MatMul.Forward<double>(x, weights, expected, 6, 19, 20);
        MatMul.Forward(x, new Weights<double>(narrow, format), found.AsSpan(), 6, 19, 20);
        Assert.Equal(expected, found);
    }

    [Theory]
    [InlineData(WeightFormat.Half)]
    [InlineData(WeightFormat.Brain)]
    public void Slices_entries_and_rows_of_an_embedding_are_widened(WeightFormat format)
    {
        (ushort[] narrow, float[] wide) = Matrix(30, format);
        var weights = new Weights<float>(narrow, format);
        Assert.Equal(30, weights.Length);
        Assert.Equal(wide[17], weights[17]);
        float[] part = new float[10], rows = new float[9];
        weights.Slice(5, 10).CopyTo(part);
        Assert.Equal(wide[5..15], part);
        Embedding.Forward(weights, [9, 0, 4], rows.AsSpan(), 3);
        Assert.Equal([.. wide[27..30], .. wide[..3], .. wide[12..15]], rows);
    }

    /// <summary>Bits of both kinds of numbers, subnormals among them, and what they widen to.</summary>
    private static (ushort[] Narrow, float[] Wide) Matrix(int length, WeightFormat format)
    {
        float[] values = Numbers.Floats(length, 4);
        for (int i = 0; i < length; i += 7) values[i] *= 1e-6f;
        ushort[] narrow = [.. values.Select(value => format == WeightFormat.Half ? FloatConversion.NarrowHalf(value) : FloatConversion.NarrowBrain(value))];
        return (narrow, [.. narrow.Select(bits => format == WeightFormat.Half ? FloatConversion.WidenHalf(bits) : FloatConversion.WidenBrain(bits))]);
    }
}
