using System.Text.Json;
using System.Text.Json.Nodes;
using EcoLora.Federation;

namespace EcoLora.Hosting;

/// <summary>
/// A run file as it travels to services: its canonical options, in which model and data go by the names of their folder and files. Where these lie is each
/// trainer's own configuration, so that a run names no path on anybody's machine. Baselines are left out: they belong to a run in one process.
/// </summary>
public static class AnnouncedOptions
{
    /// <summary>What a file's name may be.</summary>
    public const string FileNameRule = "1 to 100 letters, digits, '.', '_' and '-', not beginning with '.'";

    private const string Model = "model", Files = "data.files";

    /// <summary>The options of a run file, each path replaced by its name.</summary>
    /// <exception cref="OptionsException">Model or data are missing, have names that cannot travel, or two files have one name.</exception>
    public static JsonElement Of(RunFile file)
    {
        string source = file.Values.File;
        JsonObject options = file.Values.ToJson();
        string[] names = [.. file.Data.Files.Select(NameOf)];
        if (file.Model is null) throw new OptionsException($"{source}: {Model}: expected the base model's folder (or --model), found none");
        if (names.Length == 0) throw new OptionsException($"{source}: {Files}: expected at least one file (or --data), found none");
        if (names.Distinct().Count() < names.Length) throw new OptionsException($"{source}: {Files}: expected files of different names, found {string.Join(", ", names)}");
        foreach (string name in names.Append(NameOf(file.Model)))
            if (!IsFileName(name)) throw new OptionsException($"{source}: expected names of {FileNameRule}, found '{name}'");
        options[Model] = NameOf(file.Model);
        options["data"]!["files"] = new JsonArray([.. names.Select(name => JsonValue.Create(name))]);
        options["baselines"] = new JsonArray();
        return JsonSerializer.SerializeToElement(options);
    }

    /// <summary>The options that a run's plan carries, as every run of services has them.</summary>
    /// <exception cref="InvalidOperationException">It is the plan of a run in one process.</exception>
    public static JsonElement Of(RunPlan plan) => plan.Options ?? throw new InvalidOperationException($"run {plan.Run}: expected options in its plan, found none");

    /// <summary>Reads options as <see cref="Of(RunFile)"/> makes them; the paths of the run file that comes out mean nothing but their last part.</summary>
    /// <param name="options">The options.</param>
    /// <exception cref="OptionsException">They are not such options; the message says which and why.</exception>
    public static RunFile Read(JsonElement options)
    {
        if (options.ValueKind != JsonValueKind.Object) throw new OptionsException($"options: expected an object, found {options.ValueKind}");
        RunFile file = RunFile.Parse(Source(options), options.GetRawText(), []);
        _ = ModelOf(options);
        string[] files = FilesOf(options);
        if (files.Length == 0) throw new OptionsException($"{Source(options)}: {Files}: expected at least one name, found none");
        return file;
    }

    /// <summary>A run that was announced with options, before its first journal entry.</summary>
    /// <param name="run">Its name.</param>
    /// <param name="options">The options.</param>
    /// <param name="overhead">Bytes that every message has besides itself.</param>
    /// <exception cref="OptionsException">They are not such options.</exception>
    public static RunHistory HistoryOf(string run, JsonElement options, int overhead)
    {
        RunFile file = Read(options);
        RunPlan draft = file.Draft(run, file.Exchange) with { Options = options, Overhead = overhead };
        return new RunHistory(new RunAnnounced(run, options), new RosterState(draft, file.Federation.Clients));
    }

    /// <summary>Reads options, and puts paths for the names.</summary>
    /// <param name="options">The options.</param>
    /// <param name="models">Folders of models by name.</param>
    /// <param name="data">Files of records by name.</param>
    /// <param name="hosts">The clients that are here: with a file for each client, the others' files may be elsewhere.</param>
    /// <exception cref="OptionsException">They are not such options, or a name stands for nothing here.</exception>
    public static RunFile Read(JsonElement options, IReadOnlyDictionary<string, string> models, IReadOnlyDictionary<string, string> data, Func<int, bool> hosts)
    {
        RunFile file = Read(options);
        bool isFilePerClient = file.Partition.Scheme == "file";
        return RunFile.Parse(Source(options), options.GetRawText(),
        [
            OptionOverride.OfTexts(Model, [PathOf(models, ModelOf(options), Model)], Model),
            OptionOverride.OfTexts(Files, [.. FilesOf(options).Select((name, client) => isFilePerClient && !hosts(client) ? name : PathOf(data, name, Files))], Files),
        ]);
    }

    /// <summary>The last part of a path.</summary>
    public static string NameOf(string path) => Path.GetFileName(Path.TrimEndingDirectorySeparator(path));

    /// <summary>Whether a text is such a name.</summary>
    public static bool IsFileName(string? text) =>
        text is { Length: >= 1 and <= 100 } && text[0] != '.' && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    private static string ModelOf(JsonElement options) => options.TryGetProperty(Model, out JsonElement model)
        ? NameIn(model, Model)
        : throw new OptionsException($"{Source(options)}: {Model}: expected a name, found none");

    private static string[] FilesOf(JsonElement options)
    {
        JsonElement files = default;
        bool isGiven = options.TryGetProperty("data", out JsonElement data) && data.ValueKind == JsonValueKind.Object && data.TryGetProperty("files", out files);
        if (!isGiven) throw new OptionsException($"{Source(options)}: {Files}: expected one or more names, found none");
        return files.ValueKind == JsonValueKind.Array ? [.. files.EnumerateArray().Select(file => NameIn(file, Files))] : [NameIn(files, Files)];
    }

    private static string NameIn(JsonElement value, string option)
    {
        string? text = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        return IsFileName(text) ? text! : throw new OptionsException($"{option}: expected a name of {FileNameRule}, found {value.GetRawText()}");
    }

    private static string PathOf(IReadOnlyDictionary<string, string> places, string name, string option) => places.TryGetValue(name, out string? path)
        ? path
        : throw new UnknownNameException(option, name, places.Keys);

    private static string Source(JsonElement options) =>
        options.TryGetProperty("name", out JsonElement name) && name.ValueKind == JsonValueKind.String && RunPlan.IsName(name.GetString()) ? name.GetString()! : "options";
}
