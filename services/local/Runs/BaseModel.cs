using EcoLora.Formats.HuggingFace;
using EcoLora.Training;

namespace EcoLora.Local.Runs;

/// <summary>Reads a Hugging Face folder into the managed engine's model.</summary>
public static class BaseModel
{
    /// <summary>Reads all weights.</summary>
    /// <exception cref="FormatException">The folder is not a model that the engine supports.</exception>
    public static LlamaModel Load(ModelFolder folder) => LlamaModel.Load(ConfigOf(folder.Config), (name, rows, columns, destination) =>
    {
        // The engine sees a gain as one row; the file has it as a vector.
        if (name.EndsWith("norm.weight", StringComparison.Ordinal)) folder.ReadTensor(name, destination);
        else folder.ReadTensor(name, rows, columns, destination);
    });

    /// <summary>The engine's config.</summary>
    public static LlamaConfig ConfigOf(ModelConfig config) => new()
    {
        HiddenSize = config.HiddenSize,
        IntermediateSize = config.IntermediateSize,
        Layers = config.Layers,
        Heads = config.Heads,
        KeyValueHeads = config.KeyValueHeads,
        HeadSize = config.HeadSize,
        Vocabulary = config.VocabularySize,
        NormEpsilon = config.RmsNormEpsilon,
        RopeTheta = config.RopeTheta,
        MaxPositions = config.MaxPositions,
        TieEmbeddings = config.TiedEmbeddings,
    };
}
