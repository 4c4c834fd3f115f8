using EcoLora.Numerics;

namespace EcoLora.Training.Tests;

/// <summary>Small models and examples that the tests share.</summary>
internal static class TinyModel
{
    /// <summary>Two layers, grouped queries (4 heads on 2), a head size that is not hidden/heads.</summary>
    public static LlamaConfig Config(bool tied = true) => new()
    {
        HiddenSize = 12,
        IntermediateSize = 18,
        Layers = 2,
        Heads = 4,
        KeyValueHeads = 2,
        HeadSize = 6,
        Vocabulary = 23,
        MaxPositions = 64,
        TieEmbeddings = tied,
        NormEpsilon = 1e-5,
    };

    /// <summary>A model of the size of the samples' base.</summary>
    public static LlamaConfig Small { get; } = new()
    {
        HiddenSize = 32,
        IntermediateSize = 88,
        Layers = 2,
        Heads = 4,
        KeyValueHeads = 2,
        HeadSize = 8,
        Vocabulary = 64,
        MaxPositions = 128,
        TieEmbeddings = true,
    };

    /// <summary>Two sequences of different length with masked prompts, longer than one vector.</summary>
    public static IReadOnlyList<Example> TwoExamples { get; } =
    [
        new([1, 5, 9, 3, 22, 7, 7, 2], PromptLength: 3, "a", ""),
        new([1, 4, 0, 11, 2], PromptLength: 1, "b", ""),
    ];

    public static double[] Doubles(int length, double deviation, string name)
    {
        var stream = new RandomStream(5, name);
        double[] values = new double[length];
        for (int i = 0; i < length; i++) values[i] = stream.NextGaussian() * deviation;
        return values;
    }

    /// <summary>Examples whose answer is the prompt's token plus one, again and again: learnable.</summary>
    public static List<Example> Counting(int count, int vocabulary, string name)
    {
        var stream = new RandomStream(9, name);
        var examples = new List<Example>();
        for (int i = 0; i < count; i++)
        {
            int[] tokens = new int[6 + stream.NextInt32(20)];
            tokens[0] = 1;
            tokens[1] = stream.NextInt32(vocabulary);
            for (int t = 2; t < tokens.Length; t++) tokens[t] = (tokens[t - 1] + 1) % vocabulary;
            examples.Add(new Example(tokens, PromptLength: 2, i % 2 == 0 ? "even" : "odd", ""));
        }
        return examples;
    }
}
