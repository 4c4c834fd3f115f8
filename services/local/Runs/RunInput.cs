using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Formats.Data;
using EcoLora.Formats.HuggingFace;
using EcoLora.Hosting;
using EcoLora.Services.Trainer;
using EcoLora.Telemetry;
using EcoLora.Training;

namespace EcoLora.Local.Runs;

/// <summary>What a run file's model and data come to: examples per client, held-out examples, and the facts that the report shows.</summary>
public sealed class RunInput
{
    private readonly RunFile _file;
    private readonly LlamaModel _model;
    private readonly Training.LoraOptions _lora;
    private readonly Example[][] _clients;
    private readonly Example[] _heldOut;
    private readonly ExactMatchOptions? _exactMatch;

    private RunInput(RunFile file, ModelFolder folder, ClientData data)
    {
        _file = file;
        _lora = OptionMap.LoraOf(file.Lora);
        _model = LlamaModel.Load(folder);
        if (folder.BosId is not { } bos || folder.EosId is not { } eos)
            throw new ModelFolderException($"{folder.Path}: expected a tokenizer with BOS and EOS, found none");
        int longest = _model.Config.MaxPositions;
        if (file.Data.Window > longest)
            throw new ArgumentException($"data.window: expected at most {longest} (the model's max_position_embeddings), found {file.Data.Window}");
        var factory = new ExampleFactory(PromptTemplate.Named(file.Data.Template), text => folder.Tokenizer.Encode(text), bos, eos);
        _clients = [.. data.Partition.Clients.Select(records => Examples(factory, records))];
        _heldOut = Examples(factory, data.HeldOut);
        _exactMatch = file.Evaluation.ExactMatch ? new ExactMatchOptions(ids => folder.Tokenizer.Decode(ids), file.Evaluation.MaxNewTokens, [eos]) : null;
        Modules = ModulesOf(_lora, _model.Config);
        LoraLayout layout = LoraLayout.Of(Modules);
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder.Path));
        Model = new ModelFacts(name, _model.Layout.Length, layout.Length, _lora.Rank, _lora.Alpha, _lora.TargetNames);
        Data = data.Facts(file);
    }

    /// <summary>The modules that carry LoRA.</summary>
    public IReadOnlyList<LoraModule> Modules { get; }

    /// <summary>The model, for the report.</summary>
    public ModelFacts Model { get; }

    /// <summary>The data, for the report.</summary>
    public DataFacts Data { get; }

    /// <summary>Loads model and data.</summary>
    /// <exception cref="FormatException">A file is not what it should be.</exception>
    /// <exception cref="ArgumentException">An option does not fit the model or the data.</exception>
    public static RunInput Load(RunFile file)
    {
        if (file.Model is null) throw new ArgumentException("model: expected the base model's folder (or --model), found none");
        using ModelFolder folder = ModelFolder.Open(file.Model);
        return new RunInput(file, folder, ClientData.Load(file));
    }

    /// <summary>The engine over this input.</summary>
    public ManagedEngine Engine() => new(new EngineInput(_model, _lora, OptionMap.TrainingOf(_file.Training), _clients, _heldOut), _exactMatch);

    /// <summary>The plan of an arm.</summary>
    /// <param name="run">The arm's run name.</param>
    /// <param name="exchange">How it sends.</param>
    public RunPlan Plan(string run, ExchangeOptions exchange)
    {
        int clients = _clients.Length, sites = _file.Federation.Sites;
        return _file.Draft(run, exchange) with
        {
            Modules = Modules,
            Roster = [.. _clients.Select((examples, client) => new Enrolment(client, ClientData.SiteOf(client, clients, sites), examples.Length))],
        };
    }

    /// <summary>A whole adapter in PEFT's form.</summary>
    public Formats.Peft.PeftAdapter Peft(RunPlan plan, float[] adapter) => AdapterExport.ToPeft(plan.AdapterLayout(), adapter, _lora, _file.Model!);

    private static Example[] Examples(ExampleFactory factory, IReadOnlyList<Instruction> records, int window) =>
        [.. records.Select(record => factory.Create(record, window)).Select(s => new Example(s.Tokens, s.PromptLength, s.Category, s.Answer))];

    private Example[] Examples(ExampleFactory factory, IReadOnlyList<Instruction> records) => Examples(factory, records, _file.Data.Window);

    private static IReadOnlyList<LoraModule> ModulesOf(Training.LoraOptions lora, LlamaConfig config) =>
        [.. lora.LayoutFor(config).Tensors.Chunk(2).Select(pair => new LoraModule(pair[0].Module, pair[1].Rows, pair[0].Columns, pair[0].Rows))];
}
