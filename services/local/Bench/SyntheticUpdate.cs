using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>Made-up changes of 128 tensors (64 modules of rank 16, A and B); the same number of entries gives the same values.</summary>
internal static class SyntheticUpdate
{
    /// <summary>A number of entries must be a multiple of this.</summary>
    public const int Step = Tensors * Rank;

    private const int Tensors = 128, Rank = 16;
    private const ulong Seed = 1;
    private const int DegreesOfFreedom = 6;
    /// <summary>
    /// What an entry costs in binary16 hangs on where the threshold lies between two powers of two. Here the bound is within 1% of its mean over an octave of
    /// σ at every density of the table; with σ = 1 it is 1.3% below at density .05 and 0.5% above at .1.
    /// </summary>
    private const double GaussianSigma = 1.125;

    private const double LayerSigma = 0.5, RowSigma = 0.3, ColumnSigma = 0.2;

    /// <summary>Names that <see cref="Make"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = ["gaussian", "scaled", "structured"];

    /// <summary>Makes one of <see cref="Names"/>.</summary>
    /// <param name="name">
    /// <c>gaussian</c>: independent, σ = 1.125. <c>scaled</c>: Gaussian, each tensor with its own log-normal scale, σ of its logarithm 1. <c>structured</c>:
    /// Student's t with 6 degrees of freedom, times log-normal scales of the tensor, the row and the column.
    /// </param>
    /// <param name="entries">A multiple of <see cref="Step"/>.</param>
    public static DenseUpdate Make(string name, int entries)
    {
        int width = entries / Step;
        var layout = LoraLayout.Of(Enumerable.Range(0, Tensors / 2).Select(module => new LoraModule($"layers.{module}.proj", width, width, Rank)));
        float[] values = new float[entries];
        for (int index = 0; index < layout.Tensors.Count; index++)
        {
            LoraTensor tensor = layout.Tensors[index];
            Span<float> part = tensor.In(values.AsSpan());
            var random = new RandomStream(Seed, "bench/" + name, index);
            if (name == "structured") FillStructured(part, tensor, random);
            else FillGaussian(part, name == "scaled" ? Math.Exp(random.NextGaussian()) : GaussianSigma, random);
        }
        return new DenseUpdate(name, layout, values);
    }

    private static void FillGaussian(Span<float> values, double scale, RandomStream random)
    {
        foreach (ref float value in values) value = (float)(scale * random.NextGaussian());
    }

    private static void FillStructured(Span<float> values, LoraTensor tensor, RandomStream random)
    {
        double layer = Math.Exp(LayerSigma * random.NextGaussian());
        double[] rows = Scales(tensor.Rows, RowSigma, random), columns = Scales(tensor.Columns, ColumnSigma, random);
        for (int row = 0; row < tensor.Rows; row++)
            for (int column = 0; column < tensor.Columns; column++)
            {
                double chiSquare = 2 * random.NextGamma(DegreesOfFreedom / 2.0);
                double student = random.NextGaussian() / Math.Sqrt(chiSquare / DegreesOfFreedom);
                values[row * tensor.Columns + column] = (float)(layer * rows[row] * columns[column] * student);
            }
    }

    private static double[] Scales(int count, double sigma, RandomStream random)
    {
        double[] scales = new double[count];
        foreach (ref double scale in scales.AsSpan()) scale = Math.Exp(sigma * random.NextGaussian());
        return scales;
    }
}
