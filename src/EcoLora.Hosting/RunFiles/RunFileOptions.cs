using EcoLora.Federation;
using EcoLora.Formats.Data;

namespace EcoLora.Hosting;

/// <summary>The options of a run file.</summary>
public static class RunFileOptions
{
    /// <summary>2^53 − 1: what every JSON reader keeps exactly.</summary>
    private const long LargestExactInteger = 9007199254740991;

    private static readonly string[] LinearLayers = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    private static readonly string[] PaperTargets = ["q_proj", "v_proj"];

    private static readonly string[] DenseBaselines = [ExchangePreset.DenseFp16.Name, ExchangePreset.DenseFp32.Name];

    private static readonly TextOption FilePath = new("a path", "^.+$");

    /// <summary>Every option: its name, values, default and meaning.</summary>
    public static OptionTable Table { get; } = new(
        "EcoLoRA run file",
        [
            new("", "The run."),
            new("torch", "TorchSharp, with engine torch."),
            new("data", "The records: instructions, or preferences with task dpo."),
            new("partition", "How the training records are spread over the clients."),
            new("lora", "The adapter that is trained: W + (alpha / rank)·B·A on the target layers."),
            new("training", "One client's local training in one round."),
            new("dpo", "Direct preference optimisation, with task dpo."),
            new("federation", "Who takes part, how often, by which method."),
            new("exchange", "How adapters travel: the mechanisms of EcoLoRA."),
            new("evaluation", "What is measured on the held-out records."),
        ],
        [.. Run(), .. Data(), .. Lora(), .. Training(), .. Dpo(), .. Federation(), .. ExchangeSection.Definitions, .. Evaluation()],
        ExchangeSection.Presets);

    /// <summary>The run file that values stand for. Ranges of single options have been checked; what ties two options together has not.</summary>
    internal static RunFile Map(OptionValues values)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(values.File))!;
        string? FullPath(string? path) => path is null ? null : Path.GetFullPath(path, folder);
        int threads = values.Integer("threads");
        return new RunFile
        {
            Values = values,
            Name = values.TextOrNull("name") ?? throw new OptionsException($"{values.File}: name: expected {Table.Find("name")!.Type.Expected}, found nothing"),
            Seed = (ulong)values.LongInteger("seed"),
            Model = FullPath(values.TextOrNull("model")),
            Data = new DataOptions
            {
                Files = [.. values.Texts("data.files").Select(path => FullPath(path)!)],
                HeldOut = values.Number("data.held_out"),
                Template = values.Text("data.template"),
                Window = values.Integer("data.window"),
            },
            Partition = new PartitionOptions
            {
                Scheme = values.Text("partition.scheme"),
                Alpha = values.Number("partition.alpha"),
                Minimum = values.Integer("partition.minimum"),
            },
            Lora = new LoraOptions
            {
                Rank = values.Integer("lora.rank"),
                Alpha = values.Number("lora.alpha"),
                Dropout = values.Number("lora.dropout"),
                Targets = values.Texts("lora.targets"),
                Rslora = values.Boolean("lora.rslora"),
                Ranks = values.Integers("lora.ranks"),
            },
            Training = MapTraining(values),
            Dpo = values.Text("task") == "dpo" ? new DpoOptions { Beta = values.Number("dpo.beta") } : null,
            Federation = new FederationOptions
            {
                Method = values.Text("federation.method"),
                Clients = values.Integer("federation.clients"),
                Participants = values.Integer("federation.participants"),
                Rounds = values.Integer("federation.rounds"),
                Sites = values.IntegerOrNull("federation.sites") ?? values.Integer("federation.participants"),
                Deadline = values.NumberOrNull("federation.deadline") is { } seconds
                    ? new DeadlineOptions(seconds, values.Integer("federation.minimum_coverage"), values.Number("federation.over_sampling"))
                    : null,
            },
            Preset = ExchangePreset.Named(values.Text("exchange.preset")),
            Exchange = ExchangeSection.Map(values),
            Baselines = [.. values.Texts("baselines").Select(ExchangePreset.Named)],
            Evaluation = new EvaluationOptions
            {
                Every = values.Integer("evaluation.every"),
                ExactMatch = values.Boolean("evaluation.exact_match"),
                MaxNewTokens = values.Integer("evaluation.max_new_tokens"),
                Records = values.IntegerOrNull("evaluation.records"),
            },
            Threads = threads == 0 ? Environment.ProcessorCount : threads,
            RecomputesLayers = values.Boolean("recompute"),
            Engine = new EngineOptions(values.Text("engine"), values.Text("torch.precision"), values.Text("torch.device")),
        };
    }

    private static TrainingOptions MapTraining(OptionValues values) => new()
    {
        Steps = values.IntegerOrNull("training.steps"),
        Epochs = values.IntegerOrNull("training.epochs"),
        BatchSize = values.Integer("training.batch_size"),
        LearningRate = values.Number("training.learning_rate"),
        Schedule = values.Text("training.schedule"),
        WarmupSteps = values.Integer("training.warmup_steps"),
        WeightDecay = values.Number("training.weight_decay"),
        Beta1 = values.Number("training.beta1"),
        Beta2 = values.Number("training.beta2"),
        Epsilon = values.Number("training.epsilon"),
        ClipNorm = values.NumberOrNull("training.clip_norm"),
    };

    private static OptionDefinition[] Run() =>
    [
        new("name", new TextOption("1 to 40 of a-z, 0-9 and -", "^[a-z0-9-]{1,40}$"), null, "Name of the run, and of its folder under runs/. Required."),
        new("seed", new IntegerOption(0, LargestExactInteger), 1L,
            "Seed of everything random: sampling, partition, initial adapter, order of records, dropout."),
        new("task", new ChoiceOption("sft", "dpo"), "sft",
            "What is trained. sft: answers to instructions. dpo: preferences between two answers, by direct preference optimisation; data.files are preference files then, "
                + "and evaluation.exact_match is not measured."),
        new("model", FilePath, null, "Folder of the base model in Hugging Face layout, relative to the run file. On the command line: --model."),
        new("baselines", new ListOption(new ChoiceOption([.. ExchangePreset.All.Select(preset => preset.Name)]), 0), DenseBaselines,
            "Exchanges of the same method that the run is compared with, by their presets. Each is trained too, so each takes as long as the run itself; [] for none."),
        new("threads", new IntegerOption(0, 1024), 0L,
            "Threads for training; 0 for one per core. They change no result. On the command line: --threads.") { ChangesResults = false },
        new("recompute", new BooleanOption(), false,
            "Run each layer again on the way back instead of keeping its activations: about a third more work for a fraction of the memory. It changes no result.")
        { ChangesResults = false },
        new("engine", new ChoiceOption(EngineOptions.Managed, EngineOptions.Torch), EngineOptions.Managed,
            "On what models train and are scored. managed: this project's kernels, the same bits on every machine of one instruction set. torch: TorchSharp, on a CUDA device or libtorch's processor kernels, "
                + "where the build has it (docs/torch.md)."),
        new("torch.precision", new ChoiceOption([.. EngineOptions.Precisions]), EngineOptions.Precisions[0], "Of the base's weights and the activations; adapters and their gradients are binary32 always."),
        new("torch.device", new ChoiceOption([.. EngineOptions.Devices]), EngineOptions.Devices[0], "auto: the first CUDA device where there is one, else cpu. At a trainer service: ECOLORA_TORCH_DEVICE.")
        { ChangesResults = false },
    ];

    private static OptionDefinition[] Data() =>
    [
        new("data.files", new ListOption(FilePath, 1), null,
            "One file or a list: JSON lines, JSON, or either gzipped, with the fields of Dolly or of Alpaca, with task dpo those of a preference file (training.md); "
                + "relative to the run file. On the command line: --data."),
        new("data.held_out", new ShareOrCountOption(), 0.1, "Records kept out of training for evaluation: a share of all, or a number of records; with partition.scheme file, of each file."),
        new("data.template", new ChoiceOption([.. PromptTemplate.All.Select(template => template.Name)]), PromptTemplate.Plain.Name,
            "How a record becomes a prompt: plain and alpaca suit any model, the others are the chat forms of their families (README.md). "
                + "On the command line of eval and generate: --template."),
        new("data.window", new IntegerOption(8, 65536), 128L,
            "Most tokens of a record. A longer answer is capped at half of it, and the prompt is cut from the left."),
        new("partition.scheme", new ChoiceOption("iid", "dirichlet", "category", "file"), "dirichlet",
            "iid: evenly at random. dirichlet: each category is split over the clients by a Dirichlet draw. "
                + "category: one category per client. file: one file per client."),
        new("partition.alpha", new NumberOption(0, 1_000_000, Above: true), 0.5, "Concentration of the Dirichlet draw: the smaller, the more clients differ."),
        new("partition.minimum", new IntegerOption(1), 1L, "Fewest training records of a client."),
    ];

    private static OptionDefinition[] Lora() =>
    [
        new("lora.rank", new IntegerOption(1, 1024), 8L, "Rank r of the adapter."),
        new("lora.alpha", new NumberOption(0, 1_000_000, Above: true), 16.0, "Scale: the adapter's product B·A is multiplied by alpha / rank."),
        new("lora.dropout", new NumberOption(0, 1, Below: true), 0.0, "Share of the adapter's inputs set to zero in training."),
        new("lora.targets", new ListOption(new ChoiceOption(LinearLayers), 1), PaperTargets,
            "Linear layers that carry an adapter, in every transformer layer."),
        new("lora.rslora", new BooleanOption(), false, "Scale by alpha / √rank instead (rank-stabilised LoRA)."),
        new("lora.ranks", new IntegerListOption(1, 1024), null,
            "With method flora: ranks of the clients, such as [64, 32, 16, 16, 8, 8, 4, 4, 4, 4]; client i has the one at i modulo their number. The scale stays that of alpha and rank. "
                + "Left out: every client has lora.rank."),
    ];

    private static OptionDefinition[] Training() =>
    [
        new("training.steps", new IntegerOption(1), 8L, "Optimizer steps of a participant in one round.") { InsteadOf = "training.epochs" },
        new("training.epochs", new IntegerOption(1), null,
            "Passes over the participant's records in one round, instead of steps.") { InsteadOf = "training.steps" },
        new("training.batch_size", new IntegerOption(1, 65536), 8L, "Records per step."),
        new("training.learning_rate", new NumberOption(0, 10, Above: true), 3e-4, "Learning rate after the warm-up."),
        new("training.schedule", new ChoiceOption("constant", "cosine"), "constant",
            "Learning rate after the warm-up: as it is, or falling to 0 along a cosine."),
        new("training.warmup_steps", new IntegerOption(0), 0L, "Steps over which the learning rate rises from 0."),
        new("training.weight_decay", new NumberOption(0), 0.0, "AdamW's decoupled weight decay."),
        new("training.beta1", new NumberOption(0, 1, Below: true), 0.9, "AdamW's decay of the first moment."),
        new("training.beta2", new NumberOption(0, 1, Below: true), 0.999, "AdamW's decay of the second moment."),
        new("training.epsilon", new NumberOption(0, 1, Above: true), 1e-8, "AdamW's addition to the denominator."),
        new("training.clip_norm", new NumberOption(0, Above: true, Word: "off"), 1.0, "Largest norm of a step's gradient; a larger one is scaled down."),
    ];

    private static OptionDefinition[] Dpo() =>
    [
        new("dpo.beta", new NumberOption(0, 1000, Above: true), 0.1,
            "Weight of the reference in the loss: rewards are beta times the log-ratio of adapter and first adapter; the larger, the closer they stay."),
    ];

    private static OptionDefinition[] Federation() =>
    [
        new("federation.method", new ChoiceOption([.. FederatedMethod.All.Select(method => method.Name)]), FederatedMethod.FedIt.Name,
            "fedit: A and B are trained and averaged. ffa-lora: A stays at its seeded start, only B is trained, sent and averaged. "
                + "flora: every round trains fresh adapters, which are stacked and merged into the base; mixing, feedback and a downlink of its own do not apply, segments are whole modules."),
        new("federation.clients", new IntegerOption(1, 1_000_000), 20L, "Clients in all."),
        new("federation.participants", new IntegerOption(1, 65535), 10L, "Clients sampled at random for each round; at most clients."),
        new("federation.rounds", new IntegerOption(1, 1_000_000), 10L, "Rounds."),
        new("federation.sites", new IntegerOption(1, 1_000_000, Word: "participants"), "participants",
            "Sites that host the clients. A round's change is downloaded once per site, so as many sites as participants "
                + "gives the fan-out of the paper: ten downloads for ten participants."),
        new("federation.deadline", new NumberOption(0, DeadlineOptions.LongestSeconds, Above: true, Word: "off"), "off",
            "Seconds after which a round closes with what has come; what comes later is kept for the client's next upload. "
                + "off: strict mode, every round waits for all of its participants, and the result follows from this file and the data alone."),
        new("federation.minimum_coverage", new IntegerOption(0, 65535), 1L,
            "With a deadline: answers that each segment needs before a round may close; at most participants / segments. At the deadline, segments that lack them get further participants."),
        new("federation.over_sampling", new NumberOption(0, 10), 0.0,
            "With a deadline: share of participants that is sampled besides, such as 0.3; the round closes when as many as participants have delivered."),
    ];

    private static OptionDefinition[] Evaluation() =>
    [
        new("evaluation.every", new IntegerOption(1), 1L, "Rounds between evaluations; before the first round and after the last there is always one."),
        new("evaluation.exact_match", new BooleanOption(), true, "Also generate an answer to every held-out record and count those that equal the record's."),
        new("evaluation.max_new_tokens", new IntegerOption(1, 65536), 32L, "Most tokens of a generated answer."),
        new("evaluation.records", new IntegerOption(1, Word: "all"), "all", "Most held-out records to evaluate on."),
    ];
}
