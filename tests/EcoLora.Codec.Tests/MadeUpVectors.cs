using EcoLora.Numerics;

namespace EcoLora.Codec.Tests;

/// <summary>Layouts, headers and numbers that tests make up from a seed.</summary>
internal static class MadeUpVectors
{
    public static LoraLayout Layout(params ReadOnlySpan<(int Outputs, int Inputs, int Rank)> modules)
    {
        var list = new List<LoraModule>();
        foreach ((int outputs, int inputs, int rank) in modules) list.Add(new LoraModule($"m{list.Count}", outputs, inputs, rank));
        return LoraLayout.Of(list);
    }

    /// <summary>1 to 4 modules with sides of at least 1 and ranks of 1 to 4; sometimes only one role.</summary>
    public static LoraLayout RandomLayout(RandomStream random, int largestSide = 12)
    {
        var modules = Enumerable.Range(0, 1 + random.NextInt32(4))
            .Select(i => new LoraModule($"m{i}", 1 + random.NextInt32(largestSide), 1 + random.NextInt32(largestSide), 1 + random.NextInt32(4)));
        LoraLayout layout = LoraLayout.Of(modules);
        return random.NextInt32(4) == 0 ? layout.Only((LoraRole)random.NextInt32(2)) : layout;
    }

    public static FrameHeader Segment(LoraLayout layout, int segment = 0, int segments = 1, int client = 7, int round = 3) =>
        new(FrameKind.Segment, FrameHeader.KeyOf("golden"), round, client, segment, segments, round, (uint)layout.Fingerprint);

    /// <summary>Gaussian numbers times 2^±spread, with zeros of both signs, repeated values and, if the spread is large, subnormals among them.</summary>
    public static float[] Values(RandomStream random, int count, double spread)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            double value = random.NextGaussian() * Math.Pow(2, spread * (2 * random.NextDouble() - 1));
            values[i] = random.NextInt32(12) switch
            {
                0 => 0f,
                1 => -0f,
                2 when i > 0 => -values[i - 1],
                _ => (float)Math.Clamp(value, -float.MaxValue, float.MaxValue),
            };
        }
        return values;
    }

    public static uint[] Bits(ReadOnlySpan<float> values) => System.Runtime.InteropServices.MemoryMarshal.Cast<float, uint>(values).ToArray();
}
