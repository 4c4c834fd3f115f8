using EcoLora.Codec;
using EcoLora.Local.Bench;
using EcoLora.Numerics;

namespace EcoLora.Local.Tests.Bench;

/// <summary>Small sparse updates.</summary>
internal static class MadeUpUpdate
{
    /// <summary>One tensor with exactly these values.</summary>
    public static SparseUpdate Of(params ReadOnlySpan<double> values)
    {
        var layout = new LoraLayout([new LoraTensor("proj", LoraRole.A, 1, values.Length, 0)]);
        var buffer = new AlignedBuffer<Half>(values.Length);
        for (int i = 0; i < values.Length; i++) buffer.Span[i] = (Half)values[i];
        return new SparseUpdate("made-up", 0.5, layout, buffer);
    }

    /// <summary>So many entries, each kept with the given probability.</summary>
    public static SparseUpdate Random(int entries, double density)
    {
        var random = new RandomStream(5, "bench-test", entries, (long)(density * 1000));
        double[] values = new double[entries];
        foreach (ref double value in values.AsSpan())
        {
            double sign = random.NextDouble() < 0.5 ? -1 : 1;
            value = random.NextDouble() < density ? sign * (0.01 + Math.Abs(random.NextGaussian())) : 0;
        }
        return Of(values);
    }
}
