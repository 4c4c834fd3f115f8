using EcoLora.Formats.Json;
using EcoLora.Formats.Safetensors;

namespace EcoLora.Formats.Peft;

/// <summary>Reads what <see cref="PeftAdapter.Read"/> promises.</summary>
internal static class PeftReader
{
    private const int LargestRank = 1 << 16;
    private const double LargestAlpha = 1e9;

    public static PeftAdapter Read(string folder)
    {
        if (!Directory.Exists(folder)) throw new PeftException($"{folder}: expected an adapter folder, found none");
        JsonField config = JsonField.ReadFile(Path.Combine(folder, PeftWriter.ConfigName), text => new PeftException(text));
        CheckSupported(config);
        try
        {
            using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, PeftWriter.WeightsName));
            List<PeftModule> modules = ReadModules(file, config);
            CheckTargets(config["target_modules"], modules);
            return new PeftAdapter(
                config["base_model_name_or_path"].StringOr(""), modules, config["lora_dropout"].DoubleOr(0, 0, 1), config["use_rslora"].BooleanOr(false));
        }
        catch (SafetensorsException fault)
        {
            throw new PeftException(fault.Message);
        }
    }

    private static void CheckSupported(JsonField config)
    {
        if (config["peft_type"].String() != "LORA") throw config["peft_type"].Refuse("LORA");
        if (config["bias"].StringOr("none") != "none") throw config["bias"].Refuse("none");
        foreach (string name in (ReadOnlySpan<string>)["use_dora", "fan_in_fan_out", "lora_bias", "use_qalora"])
            if (config[name].BooleanOr(false))
                throw config[name].Refuse("false");
        foreach (string name in (ReadOnlySpan<string>)["modules_to_save", "trainable_token_indices", "layer_replication", "target_parameters"])
            if (config[name].Exists && config[name].Count + (config[name].IsArray || config[name].IsObject ? 0 : 1) > 0)
                throw config[name].Refuse("null");
        JsonField initial = config["init_lora_weights"];
        // The other initialisations (PiSSA, OLoRA, LoftQ, CorDA) change the base weights: such an adapter is wrong on the plain base.
        if (initial.IsString && initial.String() is not ("gaussian" or "orthogonal" or "eva")) throw initial.Refuse("true, false, gaussian, orthogonal or eva");
    }

    private static List<PeftModule> ReadModules(SafetensorsFile file, JsonField config)
    {
        int rank = config["r"].Int32(1, LargestRank);
        double alpha = config["lora_alpha"].Double(0, LargestAlpha);
        List<(string Key, int Value)> ranks = Pattern(config["rank_pattern"], value => value.Int32(1, LargestRank));
        List<(string Key, double Value)> alphas = Pattern(config["alpha_pattern"], value => value.Double(0, LargestAlpha));
        var names = new SortedSet<string>(ModuleNameOrder.Instance);
        foreach (TensorEntry entry in file.Tensors) names.Add(ModuleOf(file, entry.Name));
        var modules = new List<PeftModule>(names.Count);
        foreach (string name in names)
        {
            string where = PrintableText.Of(name);
            int expected = Lookup(ranks, name, rank);
            (float[] a, int rowsA, int columnsA) = ReadMatrix(file, PeftWriter.KeyPrefix + name + PeftWriter.ASuffix);
            (float[] b, int rowsB, int columnsB) = ReadMatrix(file, PeftWriter.KeyPrefix + name + PeftWriter.BSuffix);
            if (rowsA != expected)
                throw new PeftException(
                    $"{PeftWriter.WeightsName}: module '{where}': expected lora_A with {expected} rows, as the config's rank, found {rowsA} × {columnsA}");
            if (columnsB != expected)
                throw new PeftException(
                    $"{PeftWriter.WeightsName}: module '{where}': expected lora_B with {expected} columns, as the config's rank, found {rowsB} × {columnsB}");
            modules.Add(new PeftModule(name, expected, Lookup(alphas, name, alpha), columnsA, rowsB, a, b));
        }
        return modules.Count > 0 ? modules : throw new PeftException($"{PeftWriter.WeightsName}: expected at least one LoRA pair, found no tensor");
    }

    private static string ModuleOf(SafetensorsFile file, string key)
    {
        bool a = key.EndsWith(PeftWriter.ASuffix, StringComparison.Ordinal), b = key.EndsWith(PeftWriter.BSuffix, StringComparison.Ordinal);
        int length = key.Length - PeftWriter.KeyPrefix.Length - PeftWriter.ASuffix.Length;
        if (!(a || b) || length < 1 || !key.StartsWith(PeftWriter.KeyPrefix, StringComparison.Ordinal))
        {
            const string Expected = $"{PeftWriter.KeyPrefix}…{PeftWriter.ASuffix} or …{PeftWriter.BSuffix}";
            throw new PeftException($"{Path.GetFileName(file.Path)}: tensor '{PrintableText.Of(key)}': expected {Expected}, found another name");
        }
        return key.Substring(PeftWriter.KeyPrefix.Length, length);
    }

    private static (float[] Values, int Rows, int Columns) ReadMatrix(SafetensorsFile file, string key)
    {
        TensorEntry entry = file[key];
        bool matrix = entry.Shape.Count == 2 && entry.Shape.All(d => d is > 0 and <= int.MaxValue) && entry.Shape[0] * entry.Shape[1] <= Array.MaxLength;
        if (!matrix) throw new PeftException($"{Path.GetFileName(file.Path)}: tensor '{PrintableText.Of(key)}': expected a matrix, found {entry.ShapeText}");
        file.CheckReadable(entry);
        float[] values = new float[entry.Shape[0] * entry.Shape[1]];
        file.Read(key, values);
        return (values, (int)entry.Shape[0], (int)entry.Shape[1]);
    }

    private static List<(string Key, T Value)> Pattern<T>(JsonField field, Func<JsonField, T> read)
    {
        if (!field.Exists) return [];
        return [.. field.Members().Select(member =>
        {
            // PEFT takes the keys as regular expressions; what it writes itself are names, and its documentation puts ^ before a whole one.
            string name = member.Name.StartsWith('^') ? member.Name[1..] : member.Name;
            bool plain = name.Length > 0 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');
            return plain ? (member.Name, read(member.Value))
                : throw member.Value.Refuse("a module's name or its end as the key (q_proj, layers.0.self_attn.q_proj, ^model.layers.0.self_attn.q_proj), not a pattern");
        })];
    }

    /// <summary>The first key that is the name, or the end of it after a dot where it does not begin with ^, as PEFT matches.</summary>
    private static T Lookup<T>(List<(string Key, T Value)> pattern, string name, T fallback)
    {
        foreach ((string key, T value) in pattern)
            if (key[0] == '^' ? name == key[1..] : Ends(name, key))
                return value;
        return fallback;
    }

    private static bool Ends(string name, string key) =>
        name == key || (name.Length > key.Length && name[^(key.Length + 1)] == '.' && name.EndsWith(key, StringComparison.Ordinal));

    /// <summary>PEFT drops weights of modules that target_modules does not name; here they are an error. A text is PEFT's own pattern and says
    /// nothing that the tensors do not.</summary>
    private static void CheckTargets(JsonField targets, List<PeftModule> modules)
    {
        if (!targets.Exists || targets.IsString) return;
        string[] names = [.. targets.Items().Select(item => item.String())];
        foreach (PeftModule module in modules)
            if (!names.Any(target => Ends(module.Name, target)))
                throw targets.Refuse($"a target for module '{PrintableText.Of(module.Name)}' of {PeftWriter.WeightsName}");
    }
}
