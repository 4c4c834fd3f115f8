using EcoLora.Federation;

namespace EcoLora.Hosting;

/// <summary>
/// Everything that a run file says, with the defaults filled in and checked. Each option, its values and its default are in
/// <see cref="RunFileOptions.Table"/> and in docs/run-file.md.
/// </summary>
public sealed record RunFile
{
    /// <summary>The values as they were given, for the canonical form.</summary>
    public required OptionValues Values { get; init; }

    /// <summary>Name of the run, [a-z0-9-]{1,40}; a baseline's run is <c>name-baseline</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Seed of every named random stream, 0 to 2^53 − 1.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Full path of the base model's folder, or null when none was given.</summary>
    public required string? Model { get; init; }

    /// <summary>The records.</summary>
    public required DataOptions Data { get; init; }

    /// <summary>How the records are spread over the clients.</summary>
    public required PartitionOptions Partition { get; init; }

    /// <summary>The adapter.</summary>
    public required LoraOptions Lora { get; init; }

    /// <summary>Local training.</summary>
    public required TrainingOptions Training { get; init; }

    /// <summary>Direct preference optimisation, task <c>dpo</c>; null with task <c>sft</c>.</summary>
    public required DpoOptions? Dpo { get; init; }

    /// <summary>Clients, rounds and method.</summary>
    public required FederationOptions Federation { get; init; }

    /// <summary>The exchange's name: what it is but for the options that the file gives besides.</summary>
    public required ExchangePreset Preset { get; init; }

    /// <summary>How segments travel.</summary>
    public required ExchangeOptions Exchange { get; init; }

    /// <summary>The exchanges to compare with, in the file's order.</summary>
    public required IReadOnlyList<ExchangePreset> Baselines { get; init; }

    /// <summary>What is measured on the held-out records.</summary>
    public required EvaluationOptions Evaluation { get; init; }

    /// <summary>Threads for training, ≥ 1. They change no result.</summary>
    public required int Threads { get; init; }

    /// <summary>Whether training runs layers again instead of keeping their activations. It changes no result.</summary>
    public required bool RecomputesLayers { get; init; }

    /// <summary>On what models train and are scored.</summary>
    public required EngineOptions Engine { get; init; }

    /// <summary>Reads and checks a run file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="overrides">What the command line says.</param>
    /// <exception cref="OptionsException">The file or an override cannot be used; the message says where and why.</exception>
    public static RunFile Read(string file, IEnumerable<OptionOverride> overrides) => Of(OptionFile.Read(RunFileOptions.Table, file, overrides));

    /// <summary>Checks options that came otherwise than in a file.</summary>
    /// <param name="source">What the text is called in a refusal.</param>
    /// <param name="text">YAML or JSON.</param>
    /// <param name="overrides">What replaces options of the text.</param>
    /// <exception cref="OptionsException">The text or an override cannot be used; the message says where and why.</exception>
    public static RunFile Parse(string source, string text, IEnumerable<OptionOverride> overrides) =>
        Of(OptionFile.Parse(RunFileOptions.Table, source, text, overrides));

    private static RunFile Of(OptionValues values)
    {
        string file = values.File;
        RunFile run = RunFileOptions.Map(values);
        try
        {
            run.Check();
        }
        catch (ArgumentException refused)
        {
            int colon = refused.Message.IndexOf(':');
            string option = colon < 0 ? "" : refused.Message[..colon];
            throw new OptionsException($"{(RunFileOptions.Table.Find(option) is null ? file : values.SourceOf(option))}: {refused.Message}");
        }
        return run;
    }

    /// <summary>
    /// An override that names a path on the command line: it is kept relative to the run file's folder, so that the canonical form does not
    /// depend on the folder in which the command was started.
    /// </summary>
    /// <param name="file">The run file.</param>
    /// <param name="option">Path of the option.</param>
    /// <param name="paths">Paths relative to the present folder.</param>
    /// <param name="source">What was written on the command line.</param>
    public static OptionOverride PathOverride(string file, string option, IReadOnlyList<string> paths, string source)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        return OptionOverride.OfTexts(option, [.. paths.Select(path => Path.GetRelativePath(folder, Path.GetFullPath(path)).Replace('\\', '/'))], source);
    }

    /// <summary>The plan without what clients and model bring: modules and roster are empty. Baselines are strict, so that they come out the same each time.</summary>
    /// <param name="run">The run's name.</param>
    /// <param name="exchange">How it sends.</param>
    public RunPlan Draft(string run, ExchangeOptions exchange) =>
        new(run, Seed, Federation.Method, Federation.Rounds, Federation.Participants, Evaluation.Every, FederatedMethod.Named(Federation.Method).Effective(exchange), [], [])
        {
            Scale = FederatedMethod.Named(Federation.Method).MergesIntoBase ? OptionMap.LoraOf(Lora).Scale : null,
            Ranks = Lora.Ranks.Count == 0 ? null : Lora.Ranks,
            Deadline = ReferenceEquals(exchange, Exchange) ? Federation.Deadline : null,
        };

    private void Check()
    {
        Require(Federation.Participants <= Federation.Clients, "federation.participants", Federation.Participants,
            $"1 to {Federation.Clients} (federation.clients)");
        Require(Federation.Sites <= Federation.Clients, "federation.sites", Federation.Sites, $"1 to {Federation.Clients} (federation.clients)");
        Exchange.Validate(Federation.Participants);
        Require(Lora.Ranks.Count == 0 || FederatedMethod.Named(Federation.Method).MergesIntoBase, "lora.ranks", $"[{string.Join(", ", Lora.Ranks)}]", $"none with federation.method {Federation.Method}");
        Federation.Deadline?.Validate(Federation.Participants, Exchange.Segments);
        double overSampling = Values.Number("federation.over_sampling");
        Require(Federation.Deadline is not null || overSampling == 0, "federation.over_sampling", overSampling, "0 without federation.deadline");
        bool perFile = Partition.Scheme == "file" && Data.Files.Count > 0;
        Require(!perFile || Data.Files.Count == Federation.Clients, "federation.clients", Federation.Clients,
            $"{Data.Files.Count}, one per file of data.files, with partition.scheme file");
    }

    private static void Require(bool holds, string option, object found, string expected)
    {
        if (!holds) throw new ArgumentException(FormattableString.Invariant($"{option}: expected {expected}, found {found}"));
    }
}
