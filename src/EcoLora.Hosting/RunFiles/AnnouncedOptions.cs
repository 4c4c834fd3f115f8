using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EcoLora.Federation;

namespace EcoLora.Hosting;

/// <summary>
/// A run file as it travels to services: its canonical options, in which aliases stand for the model and the data. What an alias stands for is each trainer's own
/// configuration, so that a run names no path on anybody's machine. Baselines and threads are left out: they belong to a run in one process.
/// </summary>
public static class AnnouncedOptions
{
    private const string Model = "model", Files = "data.files";

    /// <summary>The options of a run file, each path replaced by its alias.</summary>
    /// <exception cref="OptionsException">Model or data are missing, or two paths have one alias.</exception>
    public static JsonElement Of(RunFile file)
    {
        JsonObject options = file.Values.ToJson();
        string[] aliases = [.. file.Data.Files.Select(Alias)];
        if (file.Model is null) throw new OptionsException($"{file.Values.File}: {Model}: expected the base model's folder (or --model), found none");
        if (aliases.Length == 0) throw new OptionsException($"{file.Values.File}: {Files}: expected at least one file (or --data), found none");
        if (aliases.Distinct().Count() < aliases.Length) throw new OptionsException($"{file.Values.File}: {Files}: expected files of different names, found {string.Join(", ", aliases)}");
        options[Model] = Alias(file.Model);
        options["data"]!["files"] = new JsonArray([.. aliases.Select(alias => JsonValue.Create(alias))]);
        options["baselines"] = new JsonArray();
        return JsonSerializer.SerializeToElement(options);
    }

    /// <summary>Reads options as <see cref="Of"/> makes them; the paths of the run file that comes out mean nothing.</summary>
    /// <param name="options">The options.</param>
    /// <exception cref="OptionsException">They are not such options; the message says which and why.</exception>
    public static RunFile Read(JsonElement options)
    {
        if (options.ValueKind != JsonValueKind.Object) throw new OptionsException($"options: expected an object, found {options.ValueKind}");
        RunFile file = RunFile.Parse(Source(options), options.GetRawText(), []);
        _ = ModelOf(options);
        _ = FilesOf(options);
        return file;
    }

    /// <summary>Reads options, and puts paths for the aliases.</summary>
    /// <param name="options">The options.</param>
    /// <param name="models">Folder of the model with an alias, or null where there is none.</param>
    /// <param name="data">File of the data set with an alias, or null where there is none.</param>
    /// <exception cref="OptionsException">They are not such options, or an alias stands for nothing here.</exception>
    public static RunFile Read(JsonElement options, Func<string, string?> models, Func<string, string?> data)
    {
        _ = Read(options);
        string model = ModelOf(options);
        string[] files = FilesOf(options);
        return RunFile.Parse(Source(options), options.GetRawText(),
        [
            OptionOverride.OfTexts(Model, [models(model) ?? throw Unknown(Model, model)], Model),
            OptionOverride.OfTexts(Files, [.. files.Select(alias => data(alias) ?? throw Unknown(Files, alias))], Files),
        ]);
    }

    /// <summary>The alias of a path: the name of the file up to its first dot, in lower case, with '-' for what is not a letter or a digit.</summary>
    public static string Alias(string path)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        if (dot > 0) name = name[..dot];
        var alias = new StringBuilder();
        foreach (char c in name.ToLowerInvariant().Take(63)) alias.Append(c is (>= 'a' and <= 'z') or (>= '0' and <= '9') ? c : '-');
        return alias.ToString();
    }

    private static string ModelOf(JsonElement options) => options.TryGetProperty(Model, out JsonElement model)
        ? AliasOf(model, Model)
        : throw new OptionsException($"{Source(options)}: {Model}: expected an alias, found none");

    private static string[] FilesOf(JsonElement options)
    {
        JsonElement files = default;
        bool isGiven = options.TryGetProperty("data", out JsonElement data) && data.ValueKind == JsonValueKind.Object && data.TryGetProperty("files", out files);
        if (!isGiven) throw new OptionsException($"{Source(options)}: {Files}: expected one or more aliases, found none");
        return files.ValueKind == JsonValueKind.Array ? [.. files.EnumerateArray().Select(file => AliasOf(file, Files))] : [AliasOf(files, Files)];
    }

    private static string AliasOf(JsonElement value, string option)
    {
        string? text = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        return RunPlan.IsName(text) ? text! : throw new OptionsException($"{option}: expected an alias of 1 to 63 of a-z, 0-9 and -, found {value.GetRawText()}");
    }

    private static OptionsException Unknown(string option, string alias) => new($"{option}: expected an alias that this trainer is configured for, found '{alias}'");

    private static string Source(JsonElement options) =>
        options.TryGetProperty("name", out JsonElement name) && name.ValueKind == JsonValueKind.String && RunPlan.IsName(name.GetString()) ? name.GetString()! : "options";
}
