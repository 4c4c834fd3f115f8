using EcoLora.Formats.Safetensors;
using EcoLora.Hosting;
using EcoLora.Training;
using EngineOptions = EcoLora.Training.TrainingOptions;

namespace EcoLora.Local;

/// <summary>Everything that a pretraining file says, with the defaults filled in and checked.</summary>
public sealed record PretrainFile
{
    /// <summary>Seed of the corpus, the weights and the order of the windows.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Full path of the text, or null for the generated one.</summary>
    public required string? Corpus { get; init; }

    /// <summary>Size of the generated text in bytes.</summary>
    public required long CorpusBytes { get; init; }

    /// <summary>How the weights are stored.</summary>
    public required TensorType SavedAs { get; init; }

    /// <summary>Tokens of the vocabulary, special ones included.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>The model's shape; its vocabulary is the tokenizer's and is filled in once that is trained.</summary>
    public required LlamaConfig Model { get; init; }

    /// <summary>Tokens of a training window.</summary>
    public required int Window { get; init; }

    /// <summary>Steps, batch, learning rate and so on.</summary>
    public required EngineOptions Training { get; init; }

    /// <summary>Reads and checks a pretraining file.</summary>
    /// <exception cref="OptionsException">The file or an override cannot be used.</exception>
    public static PretrainFile Read(string file, IEnumerable<OptionOverride> overrides)
    {
        OptionValues values = OptionFile.Read(PretrainOptions.Table, file, overrides);
        string corpus = values.Text("corpus");
        int heads = values.Integer("model.heads"), hidden = values.Integer("model.hidden"), window = values.Integer("training.window");
        var model = new LlamaConfig
        {
            HiddenSize = hidden,
            IntermediateSize = values.Integer("model.intermediate"),
            Layers = values.Integer("model.layers"),
            Heads = heads,
            KeyValueHeads = values.Integer("model.key_value_heads"),
            HeadSize = hidden / heads,
            Vocabulary = values.Integer("tokenizer.vocabulary"),
            MaxPositions = values.Integer("model.positions"),
            RopeTheta = values.Number("model.rope_theta"),
            TieEmbeddings = values.Boolean("model.tied"),
        };
        Require(values, hidden % heads == 0 && hidden / heads % 2 == 0, "model.hidden", "an even multiple of model.heads", hidden);
        Require(values, heads % model.KeyValueHeads == 0, "model.key_value_heads", $"a divisor of model.heads = {heads}", model.KeyValueHeads);
        Require(values, window <= model.MaxPositions, "training.window", $"at most model.positions = {model.MaxPositions}", window);
        return new PretrainFile
        {
            Seed = (ulong)values.LongInteger("seed"),
            Corpus = corpus == PretrainOptions.Synthetic ? null : Path.GetFullPath(corpus, Path.GetDirectoryName(Path.GetFullPath(file))!),
            CorpusBytes = values.LongInteger("corpus_bytes"),
            SavedAs = PretrainOptions.SavedTypes.First(pair => pair.Name == values.Text("saved_as")).Type,
            Vocabulary = values.Integer("tokenizer.vocabulary"),
            Model = model,
            Window = window,
            Training = MapTraining(values, window),
        };
    }

    private static EngineOptions MapTraining(OptionValues values, int window) => new()
    {
        Steps = values.Integer("training.steps"),
        BatchSize = Math.Max(1, values.Integer("training.batch_tokens") / window),
        LearningRate = values.Number("training.learning_rate"),
        Schedule = values.Text("training.schedule") == "cosine" ? LearningRateSchedule.Cosine : LearningRateSchedule.Constant,
        WarmupSteps = values.Integer("training.warmup_steps"),
        WeightDecay = values.Number("training.weight_decay"),
        Beta2 = values.Number("training.beta2"),
        ClipNorm = values.NumberOrNull("training.clip_norm") ?? 0,
    };

    private static void Require(OptionValues values, bool holds, string option, string expected, int found)
    {
        if (!holds) throw new OptionsException(FormattableString.Invariant($"{values.SourceOf(option)}: {option}: expected {expected}, found {found}"));
    }
}
