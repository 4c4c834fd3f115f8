using EcoLora.Numerics;
using EcoLora.Training;

namespace EcoLora.Local.Bench;

/// <summary>A model's shape that training is measured on, with LoRA of rank 16 on queries and values.</summary>
/// <param name="Name">Its name on the command line.</param>
/// <param name="Config">The shape.</param>
internal sealed record TrainShape(string Name, LlamaConfig Config)
{
    /// <summary>The adapter.</summary>
    public static LoraOptions Lora { get; } = new(Rank: 16, Alpha: 32);

    /// <summary>Every shape, the usual one first.</summary>
    public static IReadOnlyList<TrainShape> All { get; } =
    [
        new("smollm-135m", Of(576, 1536, layers: 30, heads: 9, keyValueHeads: 3, vocabulary: 49_152)),
        new("llama-3.2-1b", Of(2048, 8192, layers: 16, heads: 32, keyValueHeads: 8, vocabulary: 128_256)),
        new("tiny", Of(64, 172, layers: 2, heads: 8, keyValueHeads: 4, vocabulary: 512)),
    ];

    /// <summary>Number of base weights.</summary>
    public long Parameters => ParameterLayout.Of(Config).Length;

    /// <summary>
    /// Floating point operations that a training step needs per token with a frozen base: 2 per weight of a linear layer forward and 2 back to its input;
    /// the same for the head at the share of tokens that have a label; per layer 6·T·H·d for attention, forward and back over the T/2 positions that a token
    /// sees on average; per LoRA pair 2·r·(inputs + outputs) forward and twice that back. What an engine computes beyond that is its own affair.
    /// </summary>
    public double FlopsPerToken(int sequence, double labels)
    {
        LlamaConfig c = Config;
        double layer = c.HiddenSize * (2.0 * c.QueryWidth + 2.0 * c.KeyValueWidth + 3.0 * c.IntermediateSize);
        double lora = Lora.Rank * (2.0 * c.HiddenSize + c.QueryWidth + c.KeyValueWidth);
        return c.Layers * (4 * layer + 6.0 * sequence * c.QueryWidth + 6 * lora) + 4.0 * labels * c.HiddenSize * c.Vocabulary;
    }

    /// <summary>A model of this shape with random weights in bfloat16, as published models are stored; gains are 1.</summary>
    public LlamaModel RandomModel() => LlamaModel.Load(Config, tensor =>
    {
        ushort[] weights = GC.AllocateUninitializedArray<ushort>(tensor.Length);
        if (tensor.IsVector) Array.Fill(weights, FloatConversion.NarrowBrain(1));
        else
        {
            var stream = new RandomStream(1, tensor.Name);
            for (int i = 0; i < weights.Length; i += 4)
            {
                // Uniform with deviation 0.02, 16 random bits each.
                ulong bits = stream.NextUInt64();
                for (int j = i; j < Math.Min(i + 4, weights.Length); j++, bits >>= 16) weights[j] = FloatConversion.NarrowBrain(((int)(ushort)bits - 32_768) * (0.0346f / 32_768));
            }
        }
        return new WeightMemory<float>(weights, WeightFormat.Brain);
    });

    private static LlamaConfig Of(int hidden, int intermediate, int layers, int heads, int keyValueHeads, int vocabulary) => new()
    {
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        Layers = layers,
        Heads = heads,
        KeyValueHeads = keyValueHeads,
        HeadSize = hidden / heads,
        Vocabulary = vocabulary,
        MaxPositions = 8_192,
        TieEmbeddings = true,
    };
}

/// <summary>What is measured.</summary>
/// <param name="Shape">The model.</param>
/// <param name="Threads">Threads of the step.</param>
/// <param name="Sequences">Sequences per step.</param>
/// <param name="Length">Tokens of a sequence that go through the model.</param>
/// <param name="Labels">Share of the tokens that have a label, from the end of each sequence.</param>
/// <param name="Steps">Steps that are timed, after one that is not; the best counts.</param>
/// <param name="Recomputes">Whether our engine runs layers again instead of keeping them.</param>
internal sealed record TrainCase(TrainShape Shape, int Threads, int Sequences, int Length, double Labels, int Steps, bool Recomputes);
