using EcoLora.Formats.HuggingFace;
using EcoLora.Training;

namespace EcoLora.Local.Runs;

/// <summary>Reads a Hugging Face folder into the managed engine's model.</summary>
public static class BaseModel
{
    /// <summary>Reads all weights.</summary>
    /// <exception cref="FormatException">The folder is not a model that the engine supports.</exception>
    public static LlamaModel Load(ModelFolder folder) => LlamaModel.Load(ConfigOf(folder.Config), folder.ReadTensor);

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
