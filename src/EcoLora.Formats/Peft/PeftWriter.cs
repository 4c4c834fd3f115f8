using System.Text.Encodings.Web;
using System.Text.Json;
using EcoLora.Formats.Files;
using EcoLora.Formats.Safetensors;

namespace EcoLora.Formats.Peft;

/// <summary>Writes what <see cref="PeftAdapter.Write"/> promises. Fields stand in the order of their names, as PEFT sorts them.</summary>
internal static class PeftWriter
{
    public const string ConfigName = "adapter_config.json";
    public const string WeightsName = "adapter_model.safetensors";
    public const string KeyPrefix = "base_model.model.";
    public const string ASuffix = ".lora_A.weight";
    public const string BSuffix = ".lora_B.weight";

    public static void Write(string folder, PeftAdapter adapter)
    {
        PeftModule[] modules = [.. adapter.Modules.OrderBy(m => m.Name, ModuleNameOrder.Instance)];
        Check(modules);
        IEnumerable<SafetensorsTensor> tensors = modules.SelectMany<PeftModule, SafetensorsTensor>(m =>
        [
            new(KeyPrefix + m.Name + ASuffix, [m.Rank, m.Inputs], m.A),
            new(KeyPrefix + m.Name + BSuffix, [m.Outputs, m.Rank], m.B),
        ]);
        AtomicFile.WriteFolder(folder, unfinished =>
        {
            AtomicFile.Write(Path.Combine(unfinished, ConfigName), stream => WriteConfig(stream, adapter, modules));
            SafetensorsWriter.Write(Path.Combine(unfinished, WeightsName), tensors);
        });
    }

    private static void Check(PeftModule[] modules)
    {
        if (modules.Length == 0) throw new ArgumentException("an adapter needs at least one module", nameof(modules));
        string? former = null;
        foreach (PeftModule m in modules)
        {
            if (m.Name == former) throw new ArgumentException($"expected each module once, found '{m.Name}' twice", nameof(modules));
            former = m.Name;
            bool fits = m.Rank > 0 && m.Inputs > 0 && m.Outputs > 0 && double.IsFinite(m.Alpha) && m.A.LongLength == (long)m.Rank * m.Inputs
                && m.B.LongLength == (long)m.Outputs * m.Rank;
            if (!fits)
            {
                string expected = $"A {m.Rank} × {m.Inputs}, B {m.Outputs} × {m.Rank} and a finite α";
                throw new ArgumentException($"module '{m.Name}': expected {expected}, found {m.A.Length} and {m.B.Length} entries, α {m.Alpha}",
                    nameof(modules));
            }
        }
    }

    private static void WriteConfig(Stream stream, PeftAdapter adapter, PeftModule[] modules)
    {
        // PEFT takes r and lora_alpha where no pattern matches: the most frequent values, the smaller one where two are as frequent.
        int rank = modules.GroupBy(m => m.Rank).OrderByDescending(g => g.Count()).ThenBy(g => g.Key).First().Key;
        double alpha = modules.GroupBy(m => m.Alpha).OrderByDescending(g => g.Count()).ThenBy(g => g.Key).First().Key;
        using var json = new Utf8JsonWriter(stream,
            new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteStartObject("alpha_pattern");
        foreach (PeftModule m in modules.Where(m => m.Alpha != alpha)) WriteNumber(json, m.Name, m.Alpha);
        json.WriteEndObject();
        json.WriteNull("auto_mapping");
        json.WriteString("base_model_name_or_path", adapter.BaseModel);
        json.WriteString("bias", "none");
        json.WriteBoolean("fan_in_fan_out", false);
        json.WriteBoolean("inference_mode", true);
        json.WriteBoolean("init_lora_weights", true);
        WriteNumber(json, "lora_alpha", alpha);
        json.WriteNumber("lora_dropout", adapter.Dropout);
        json.WriteNull("modules_to_save");
        json.WriteString("peft_type", "LORA");
        json.WriteNumber("r", rank);
        json.WriteStartObject("rank_pattern");
        foreach (PeftModule m in modules.Where(m => m.Rank != rank)) json.WriteNumber(m.Name, m.Rank);
        json.WriteEndObject();
        json.WriteNull("revision");
        json.WriteStartArray("target_modules");
        foreach (string target in Targets(modules)) json.WriteStringValue(target);
        json.WriteEndArray();
        json.WriteString("task_type", "CAUSAL_LM");
        json.WriteBoolean("use_dora", false);
        json.WriteBoolean("use_rslora", adapter.UseRsLora);
        json.WriteEndObject();
    }

    /// <summary>
    /// The last parts of the names (q_proj), which PEFT matches in every layer and which vLLM needs.
    /// </summary>
    private static IEnumerable<string> Targets(PeftModule[] modules) =>
        modules.Select(m => m.Name[(m.Name.LastIndexOf('.') + 1)..]).Distinct().Order(StringComparer.Ordinal);

    private static void WriteNumber(Utf8JsonWriter json, string name, double value)
    {
        if (value == Math.Floor(value) && Math.Abs(value) < 1e9) json.WriteNumber(name, (long)value);
        else json.WriteNumber(name, value);
    }
}

/// <summary>Ordinal order in which runs of digits compare by value: layers.2 before layers.10.</summary>
internal sealed class ModuleNameOrder : IComparer<string>
{
    public static readonly ModuleNameOrder Instance = new();

    public int Compare(string? x, string? y)
    {
        ReadOnlySpan<char> left = x, right = y;
        while (left.Length > 0 && right.Length > 0)
        {
            int digitsLeft = Digits(left), digitsRight = Digits(right);
            if (digitsLeft > 0 && digitsRight > 0)
            {
                ReadOnlySpan<char> a = left[..digitsLeft].TrimStart('0'), b = right[..digitsRight].TrimStart('0');
                int order = a.Length != b.Length ? a.Length.CompareTo(b.Length) : a.SequenceCompareTo(b);
                if (order != 0) return order;
                left = left[digitsLeft..];
                right = right[digitsRight..];
                continue;
            }
            if (left[0] != right[0]) return left[0].CompareTo(right[0]);
            left = left[1..];
            right = right[1..];
        }
        return left.Length != right.Length ? left.Length.CompareTo(right.Length) : string.CompareOrdinal(x, y);
    }

    private static int Digits(ReadOnlySpan<char> text)
    {
        int other = text.IndexOfAnyExceptInRange('0', '9');
        return other < 0 ? text.Length : other;
    }
}
