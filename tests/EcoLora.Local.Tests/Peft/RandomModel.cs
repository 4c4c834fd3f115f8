using EcoLora.Formats.HuggingFace;
using EcoLora.Formats.Peft;
using EcoLora.Formats.Safetensors;
using EcoLora.Formats.Tokenizers;
using EcoLora.Numerics;

namespace EcoLora.Local.Tests;

/// <summary>A small model folder and adapters of random weights, large enough that every one of them is felt in the logits.</summary>
internal static class RandomModel
{
    /// <summary>Grouped queries, and heads that are wider than hidden/heads.</summary>
    public static ModelConfig Config(bool tied, RopeScaling? scaling, ModelFamily family = ModelFamily.Llama, bool biases = false) => new()
    {
        Family = family,
        QueryKeyValueBias = biases,
        OutputBias = biases && family == ModelFamily.Llama,
        MlpBias = biases && family == ModelFamily.Llama,
        VocabularySize = 258,
        HiddenSize = 24,
        IntermediateSize = 40,
        Layers = 2,
        Heads = 4,
        KeyValueHeads = 2,
        HeadSize = 8,
        MaxPositions = 64,
        RmsNormEpsilon = 1e-5,
        RopeTheta = 100,
        RopeScaling = scaling,
        TiedEmbeddings = tied,
        BosId = 0,
        EosIds = [1],
    };

    public static void Write(string folder, ModelConfig config, TensorType type)
    {
        BpeTokenizer tokenizer = BpeTrainer.Train(["Anna has a red ball."], config.VocabularySize);
        ModelFolder.Save(folder, config, tokenizer,
            [.. config.Tensors().Select(tensor => new SafetensorsTensor(tensor.Name, tensor.Shape, Weights(tensor.Name, tensor.Shape)))], type);
    }

    /// <summary>A pair for every linear layer whose last name is a target, of ranks 1 to 5 and other α: rank_pattern and alpha_pattern have many entries.</summary>
    public static PeftAdapter Adapter(ModelConfig config, string[] targets, bool rslora, double deviation)
    {
        var modules = new List<PeftModule>();
        foreach ((string tensor, int[] shape) in config.Tensors())
        {
            string name = tensor[..^".weight".Length];
            if (shape.Length == 1 || !targets.Contains(name[(name.LastIndexOf('.') + 1)..])) continue;
            int rank = 1 + (3 * modules.Count % 5), inputs = shape[1], outputs = shape[0];
            double alpha = 2 + (1.5 * (modules.Count % 4));
            modules.Add(new PeftModule(name, rank, alpha, inputs, outputs, Draw(name + "A", rank * inputs, deviation), Draw(name + "B", outputs * rank, deviation)));
        }
        return new PeftAdapter("base", modules, UseRsLora: rslora);
    }

    private static float[] Weights(string name, int[] shape) => name.EndsWith("norm.weight", StringComparison.Ordinal)
        ? [.. Draw(name, shape[0], 0.1).Select(value => 1 + value)]
        : Draw(name, shape.Aggregate(1, (product, dimension) => product * dimension), 0.3);

    private static float[] Draw(string name, int count, double deviation)
    {
        var stream = new RandomStream(11, name);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(stream.NextGaussian() * deviation))];
    }
}
