using EcoLora.Formats.Safetensors;
using EcoLora.Hosting;

namespace EcoLora.Local;

/// <summary>The options of a pretraining file.</summary>
internal static class PretrainOptions
{
    public const string Synthetic = "synthetic";

    public static readonly (string Name, TensorType Type)[] SavedTypes = [("f32", TensorType.F32), ("f16", TensorType.F16), ("bf16", TensorType.BF16)];

    /// <summary>Every option: its name, values, default and meaning.</summary>
    public static OptionTable Table { get; } = new(
        "EcoLoRA pretraining file",
        [
            new("", "The job."),
            new("tokenizer", "The byte-level BPE vocabulary, trained on the corpus."),
            new("model", "The Llama model, trained from random weights."),
            new("training", "How it is trained."),
        ],
        [.. Job(), .. Model(), .. Training()]);

    private static OptionDefinition[] Job() =>
    [
        new("seed", new IntegerOption(0, 9007199254740991), 1L, "Seed of the generated corpus, the first weights and the order of the windows."),
        new("corpus", new TextOption("synthetic or a path", "^.+$"), Synthetic,
            "synthetic for the generated stories, else a text file, relative to this file; empty lines separate its documents."),
        new("corpus_bytes", new IntegerOption(1000, 1L << 30), 6_000_000L, "Size of the generated stories."),
        new("saved_as", new ChoiceOption([.. SavedTypes.Select(pair => pair.Name)]), "f32", "How the weights are stored."),
        new("tokenizer.vocabulary", new IntegerOption(258, 65536), 1024L, "Tokens, the two special ones and the 256 bytes included."),
    ];

    private static OptionDefinition[] Model() =>
    [
        new("model.hidden", new IntegerOption(2, 65536), 128L, "Width of the residual stream."),
        new("model.intermediate", new IntegerOption(1, 1_048_576), 352L, "Width of the feed-forward layer."),
        new("model.layers", new IntegerOption(1, 1024), 4L, "Decoder layers."),
        new("model.heads", new IntegerOption(1, 1024), 4L, "Query heads."),
        new("model.key_value_heads", new IntegerOption(1, 1024), 2L, "Key and value heads; divides heads."),
        new("model.positions", new IntegerOption(8, 1_048_576), 256L, "Longest sequence that the model says it is made for."),
        new("model.rope_theta", new NumberOption(1), 10_000.0, "Base of the rotary frequencies."),
        new("model.tied", new BooleanOption(), true, "The output layer is the embedding."),
    ];

    private static OptionDefinition[] Training() =>
    [
        new("training.steps", new IntegerOption(1), 1000L, "Optimizer steps."),
        new("training.window", new IntegerOption(2, 65536), 128L, "Tokens of a training window; at most positions."),
        new("training.batch_tokens", new IntegerOption(1, 1 << 24), 2048L, "Tokens per step, in whole windows."),
        new("training.learning_rate", new NumberOption(0, 10, Above: true), 3e-3, "Learning rate after the warm-up."),
        new("training.schedule", new ChoiceOption("constant", "cosine"), "cosine",
            "Learning rate after the warm-up: as it is, or falling to 0 along a cosine."),
        new("training.warmup_steps", new IntegerOption(0), 50L, "Steps over which the learning rate rises from 0."),
        new("training.weight_decay", new NumberOption(0), 0.1, "AdamW's decoupled weight decay."),
        new("training.beta2", new NumberOption(0, 1, Below: true), 0.95, "AdamW's decay of the second moment."),
        new("training.clip_norm", new NumberOption(0, Above: true, Word: "off"), 1.0, "Largest norm of a step's gradient; a larger one is scaled down."),
    ];
}
