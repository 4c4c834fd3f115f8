using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using EcoLora.Formats.Safetensors;

namespace EcoLora.Formats.Peft;

/// <summary>A base model's config.json for weights of another type.</summary>
internal static class MergedConfig
{
    private static readonly JsonSerializerOptions s_format = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The same bytes where they state the type already; else the same fields, with the type in <c>dtype</c> or, as older versions have it,
    /// <c>torch_dtype</c>.</summary>
    public static byte[] WithType(byte[] config, TensorType type)
    {
        string wanted = type switch { TensorType.F16 => "float16", TensorType.BF16 => "bfloat16", _ => "float32" };
        using var reader = new StreamReader(new MemoryStream(config), Encoding.UTF8); // leaves out a byte order mark
        JsonObject fields = JsonNode.Parse(reader.ReadToEnd())!.AsObject();
        string[] names = [.. ((string[])["dtype", "torch_dtype"]).Where(fields.ContainsKey)];
        if (names.Length == 0) names = ["torch_dtype"];
        if (names.All(name => fields[name] is JsonValue stated && stated.TryGetValue(out string? text) && text == wanted)) return config;
        foreach (string name in names) fields[name] = wanted;
        return Encoding.UTF8.GetBytes(fields.ToJsonString(s_format) + "\n");
    }
}
