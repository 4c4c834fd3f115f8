using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace EcoLora.DaprSidecar;

/// <summary>
/// JSON as it comes out of daprd, which reads a value into Go's own types and writes it anew: members sorted, every number a float64 (2^53 + 1 becomes 2^53),
/// white space gone. An app that relies on the text that it wrote finds out here.
/// </summary>
internal static class GoJson
{
    public static byte[] Marshal(JsonElement value)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping })) Write(value, writer);
        return buffer.WrittenSpan.ToArray();
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
                foreach ((string name, JsonElement member) in members.OrderBy(m => m.Key, StringComparer.Ordinal))
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
        string shortest = number.ToString("R", CultureInfo.InvariantCulture);
        if (size != 0 && (size < 1e-6 || size >= 1e21)) return shortest.Replace("E", "e", StringComparison.Ordinal);
        // The shortest digits, without an exponent.
        return shortest.Contains('E') ? decimal.Parse(shortest, NumberStyles.Float, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture) : shortest;
    }
}
