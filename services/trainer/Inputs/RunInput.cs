using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Formats.Data;
using EcoLora.Formats.HuggingFace;
using EcoLora.Hosting;
using EcoLora.Training;

namespace EcoLora.Services.Trainer;

/// <summary>What a run file's model and data come to: the model, examples per client, held-out examples.</summary>
public sealed class RunInput
{
    private readonly RunFile _file;
    private readonly Training.LoraOptions _lora;
    private readonly Example[][] _clients;
    private readonly Example[] _heldOut;
    private readonly PreferenceInput? _preferences;
    private readonly ExactMatchOptions? _exactMatch;

    private RunInput(RunFile file, ModelFolder folder, ClientData data, Func<int, bool> hosts)
    {
        (_file, Data) = (file, data);
        _lora = OptionMap.LoraOf(file.Lora);
        Model = LlamaModel.Load(folder);
        if (folder.BosId is not { } bos || folder.EosId is not { } eos)
            throw new ModelFolderException($"{folder.Path}: expected a tokenizer with BOS and EOS, found none");
        int longest = Model.Config.MaxPositions;
        if (file.Data.Window > longest)
            throw new ArgumentException($"data.window: expected at most {longest} (the model's max_position_embeddings), found {file.Data.Window}");
        var factory = new ExampleFactory(PromptTemplate.Named(file.Data.Template), folder.Tokenizer, bos, eos);
        if (file.Dpo is { } dpo)
            _preferences = new PreferenceInput(
                dpo.Beta, [.. data.Clients.Select((records, client) => hosts(client) ? factory.Pairs(records, file.Data.Window) : [])],
                factory.Pairs(data.HeldOut, file.Data.Window));
        _clients = [.. data.Clients.Select((records, client) => hosts(client) && file.Dpo is null ? factory.Examples(records, file.Data.Window) : [])];
        _heldOut = file.Dpo is null ? factory.Examples(data.HeldOut, file.Data.Window) : [];
        _exactMatch = file.Evaluation.ExactMatch
            ? new ExactMatchOptions(ids => folder.Tokenizer.Decode(ids), file.Evaluation.MaxNewTokens, factory.StopTokens) : null;
        Modules = [.. _lora.LayoutFor(Model.Config).Tensors.Chunk(2).Select(pair => new LoraModule(pair[0].Module, pair[1].Rows, pair[0].Columns, pair[0].Rows))];
    }

    /// <summary>The frozen base.</summary>
    public LlamaModel Model { get; }

    /// <summary>Its modules that carry LoRA.</summary>
    public IReadOnlyList<LoraModule> Modules { get; }

    /// <summary>The records.</summary>
    public ClientData Data { get; }

    /// <summary>r of a client.</summary>
    public int RankOf(int client) => _file.Lora.RankOf(client);

    /// <summary>Loads model and data.</summary>
    /// <param name="file">The run file.</param>
    /// <param name="hosts">The clients whose examples are needed; null for all.</param>
    /// <exception cref="FormatException">A file is not what it should be.</exception>
    /// <exception cref="ArgumentException">An option does not fit the model or the data.</exception>
    public static RunInput Load(RunFile file, Func<int, bool>? hosts = null)
    {
        if (file.Model is null) throw new ArgumentException("model: expected the base model's folder (or --model), found none");
        using ModelFolder folder = ModelFolder.Open(file.Model);
        return new RunInput(file, folder, ClientData.Load(file, hosts), hosts ?? (_ => true));
    }

    /// <summary>The engine over this input.</summary>
    /// <param name="threads">The machine's, shared among the participations of a round that can be here.</param>
    /// <param name="recomputesLayers">See <see cref="ComputeOptions"/>.</param>
    /// <param name="device">TorchSharp's device on this machine; null for the run file's.</param>
    /// <exception cref="ArgumentException">This build has not the run's engine.</exception>
    public ModelEngine Engine(int threads, bool recomputesLayers, string? device = null)
    {
        IModelBackend backend = ModelBackends.Of(device is null ? _file.Engine : _file.Engine with { Device = device }, threads);
        int here = _preferences?.Clients.Count(pairs => pairs.Count > 0) ?? _clients.Count(examples => examples.Length > 0);
        int jobs = Math.Min(here, _file.Federation.Participants);
        var compute = ComputeOptions.Shared(threads, jobs, recomputesLayers);
        return new(new EngineInput(Model, _lora, OptionMap.TrainingOf(_file.Training), compute, _clients, _heldOut, _preferences, backend), _exactMatch);
    }

    /// <summary>The plan of an arm of a run in one process.</summary>
    /// <param name="run">The arm's run name.</param>
    /// <param name="exchange">How it sends.</param>
    public RunPlan Plan(string run, ExchangeOptions exchange) => _file.Draft(run, exchange) with
    {
        Modules = Modules,
        Roster = [.. Data.Clients.Select((records, client) => new Enrolment(client, ClientData.SiteOf(client, _clients.Length, _file.Federation.Sites), records.Count))],
    };
}
