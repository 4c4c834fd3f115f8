using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace EcoLora.DaprSidecar;

/// <summary>
/// JSON as it comes out of daprd's state on Redis, which reads a value into Go's own types and writes it anew: every number a float64 (2^53 + 1 becomes 2^53) and
/// below 83,886,080 with six decimals at most (0.1234567 becomes 0.123457, 1e-7 becomes 0), members in any order (here: backwards, so that nobody counts on
/// one), white space gone. An app that relies on the text that it wrote finds out here.
/// </summary>
internal static class GoJson
{
    private const double MostLossy = 0x4ffffff;

    public static byte[] Marshal(JsonElement value)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping })) Write(value, writer);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>A member as Go finds it: the exact name, else one that differs in case only.</summary>
    public static bool TryMember(this JsonElement item, string name, out JsonElement value)
    {
        value = default;
        if (item.ValueKind != JsonValueKind.Object) return false;
        if (item.TryGetProperty(name, out value)) return true;
        foreach (JsonProperty member in item.EnumerateObject())
            if (string.Equals(member.Name, name, StringComparison.OrdinalIgnoreCase)) value = member.Value;
        return value.ValueKind != JsonValueKind.Undefined;
    }

    /// <summary>A text member, or null where it is absent or null; anything else is an error, as it is to Go.</summary>
    public static string? Text(this JsonElement item, string name) => !item.TryMember(name, out JsonElement value) || value.ValueKind == JsonValueKind.Null ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw new FormatException($"{name}: expected a text, found {value.GetRawText()}");

    /// <summary>A member that is an object of texts; empty where it is absent.</summary>
    public static Dictionary<string, string> Texts(this JsonElement item, string name)
    {
        Dictionary<string, string> texts = new(StringComparer.Ordinal);
        if (!item.TryMember(name, out JsonElement pairs) || pairs.ValueKind == JsonValueKind.Null) return texts;
        if (pairs.ValueKind != JsonValueKind.Object) throw new FormatException($"{name}: expected an object of texts, found {pairs.GetRawText()}");
        foreach (JsonProperty pair in pairs.EnumerateObject()) texts[pair.Name] = pairs.Text(pair.Name) ?? "";
        return texts;
    }

    private static void Write(JsonElement value, Utf8JsonWriter writer)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                // Of a member given twice the last counts.
                Dictionary<string, JsonElement> members = [];
                foreach (JsonProperty member in value.EnumerateObject()) members[member.Name] = member.Value;
                foreach ((string name, JsonElement member) in members.OrderByDescending(m => m.Key, StringComparer.Ordinal))
                {
                    writer.WritePropertyName(name);
                    Write(member, writer);
                }
                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (JsonElement item in value.EnumerateArray()) Write(item, writer);
                writer.WriteEndArray();
                break;
            case JsonValueKind.Number:
                writer.WriteRawValue(Number(value.GetDouble()));
                break;
            default:
                value.WriteTo(writer);
                break;
        }
    }

    private static string Number(double number)
    {
        if (!double.IsFinite(number)) throw new FormatException("value: expected numbers that a float64 can hold");
        double size = Math.Abs(number);
        // 0.0000004 becomes "-0" when it is negative: the sign is written before the number is rounded.
        if (size <= MostLossy)
            return (number < 0 ? "-" : "") + ((decimal)Math.Floor((size * 1e6) + 0.5) / 1_000_000m).ToString("0.######", CultureInfo.InvariantCulture);
        string shortest = number.ToString("R", CultureInfo.InvariantCulture);
        if (size >= 1e21) return shortest.Replace("E", "e", StringComparison.Ordinal);
        // The shortest digits, without an exponent.
        return shortest.Contains('E') ? decimal.Parse(shortest, NumberStyles.Float, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture) : shortest;
    }
}
