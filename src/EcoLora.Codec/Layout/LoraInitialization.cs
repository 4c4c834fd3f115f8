using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>Q⁰, the adapter that every party derives from the run's seed, so that it costs no bytes (method.md).</summary>
public static class LoraInitialization
{
    /// <summary>
    /// Fills a vector of <paramref name="layout"/>: A uniform in ±1/√n (PEFT's kaiming_uniform with a = √5), B zero, so that ΔW = 0. Each A has
    /// its own stream, so a method that exchanges only some tensors sees the same values in them.
    /// </summary>
    /// <exception cref="ArgumentException">The vector's length differs from the layout's.</exception>
    public static void Fill(LoraLayout layout, ulong seed, Span<float> vector) => Fill(layout, vector, module => new RandomStream(seed, "lora-initialization/" + module));

    private static void Fill(LoraLayout layout, Span<float> vector, Func<string, RandomStream> streamOf)
    {
        if (vector.Length != layout.Length) throw new ArgumentException($"expected a vector of {layout.Length} entries, found {vector.Length}", nameof(vector));
        for (int index = 0; index < layout.Tensors.Count; index++)
        {
            LoraTensor tensor = layout.Tensors[index];
            Span<float> values = tensor.In(vector);
            if (tensor.Role == LoraRole.B)
            {
                values.Clear();
                continue;
            }
            RandomStream stream = streamOf(tensor.Module);
            double bound = 1 / Math.Sqrt(tensor.Columns);
            for (int i = 0; i < values.Length; i++) values[i] = (float)((2 * stream.NextDouble() - 1) * bound);
        }
    }

    /// <summary>A new vector of <paramref name="layout"/>, filled.</summary>
    public static float[] Create(LoraLayout layout, ulong seed)
    {
        float[] vector = new float[layout.Length];
        Fill(layout, seed, vector);
        return vector;
    }

    /// <summary>
    /// The fresh adapter that a client begins a round with where every round's adapters are merged into the base (FLoRA): as <see cref="Create"/>, from the streams
    /// <c>fresh-lora/module</c> of (round, client), so that the sender and every receiver of its change know it at no cost.
    /// </summary>
    /// <param name="layout">Layout of the client's whole adapter.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="round">t.</param>
    /// <param name="client">Number of the client.</param>
    public static float[] Fresh(LoraLayout layout, ulong seed, int round, int client)
    {
        float[] vector = new float[layout.Length];
        Fill(layout, vector, module => new RandomStream(seed, "fresh-lora/" + module, round, client));
        return vector;
    }
}
