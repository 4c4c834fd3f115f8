using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EcoLora.DaprSidecar;

/// <summary>CloudEvents 1.0 in their structured form, as daprd writes and reads them.</summary>
internal static class CloudEvent
{
    public const string ContentType = "application/cloudevents+json";
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// What an enveloped publish puts on the broker. Only application/octet-stream keeps all bytes (trap 1): any other type but JSON becomes text, where
    /// invalid UTF-8 is lost. Metadata that begin with <c>cloudevent.</c> replace members.
    /// </summary>
    public static byte[] Envelope(
        byte[] data, string contentType, string appId, string pubsub, string topic, string? traceParent, IReadOnlyDictionary<string, string> metadata,
        DateTimeOffset? expiration)
    {
        string mediaType = MediaType(contentType);
        if (mediaType == ContentType) return Completed(data, pubsub, topic, traceParent, expiration);
        string trace = Override("traceparent") ?? Override("traceid") ?? traceParent ?? "";
        return Write(writer =>
        {
            writer.WriteString("id", Override("id") ?? Guid.NewGuid().ToString());
            writer.WriteString("specversion", "1.0");
            writer.WriteString("source", Override("source") ?? appId);
            writer.WriteString("type", Override("type") ?? "com.dapr.event.sent");
            writer.WriteString("datacontenttype", contentType);
            if (Override("subject") is { } subject) writer.WriteString("subject", subject);
            writer.WriteString("topic", topic);
            writer.WriteString("pubsubname", pubsub);
            writer.WriteString("traceid", trace);
            writer.WriteString("traceparent", trace);
            writer.WriteString("tracestate", Override("tracestate") ?? "");
            writer.WriteString("time", Time(DateTimeOffset.UtcNow));
            if (expiration is { } end) writer.WriteString("expiration", Time(end));
            if (mediaType == "application/octet-stream")
            {
                writer.WriteBase64String("data_base64", data);
            }
            else
            {
                writer.WritePropertyName("data");
                if (mediaType == "application/json" && IsValidJson(data)) writer.WriteRawValue(data, skipInputValidation: true);
                else writer.WriteStringValue(Encoding.UTF8.GetString(data));
            }
        });

        string? Override(string name) => metadata.TryGetValue("cloudevent." + name, out string? value) && value.Length > 0 ? value : null;
    }

    /// <summary>What a raw subscription gets: an event made up around the bytes, with a new id at each delivery.</summary>
    public static byte[] AroundRaw(byte[] data, string pubsub, string topic) => Write(writer =>
    {
        writer.WriteString("id", Guid.NewGuid().ToString());
        writer.WriteString("specversion", "1.0");
        writer.WriteString("source", "Dapr");
        writer.WriteString("type", "com.dapr.event.sent");
        writer.WriteString("datacontenttype", "application/octet-stream");
        writer.WriteString("topic", topic);
        writer.WriteString("pubsubname", pubsub);
        writer.WriteBase64String("data_base64", data);
    });

    /// <summary>The event in the bytes, which need be no more than a JSON object; null where they are none.</summary>
    public static JsonElement? Read(byte[] data)
    {
        try
        {
            JsonElement theEvent = JsonSerializer.Deserialize<JsonElement>(data);
            return theEvent.ValueKind == JsonValueKind.Object ? theEvent : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static bool HasExpired(JsonElement theEvent) =>
        theEvent.TryGetProperty("expiration", out JsonElement text) && text.ValueKind == JsonValueKind.String
        && DateTimeOffset.TryParse(text.GetString(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)
        && time < DateTimeOffset.UtcNow;

    /// <summary>The app sent an event of its own: what it lacks is filled in, but for an id.</summary>
    private static byte[] Completed(byte[] data, string pubsub, string topic, string? traceParent, DateTimeOffset? expiration)
    {
        try
        {
            JsonObject given = JsonNode.Parse(data) as JsonObject ?? throw new FormatException("expected a CloudEvent, found no JSON object");
            given["specversion"] ??= "1.0";
            given["source"] ??= "Dapr";
            given["type"] ??= "com.dapr.event.sent";
            given["topic"] = topic;
            given["pubsubname"] = pubsub;
            given["time"] ??= Time(DateTimeOffset.UtcNow);
            if (!given.ContainsKey("traceid")) (given["traceid"], given["traceparent"]) = (traceParent ?? "", traceParent ?? "");
            given["tracestate"] ??= "";
            if (expiration is { } end) given["expiration"] = Time(end);
            return Encoding.UTF8.GetBytes(given.ToJsonString());
        }
        catch (JsonException error)
        {
            throw new FormatException($"expected a CloudEvent: {error.Message}", error);
        }
    }

    private static byte[] Write(Action<Utf8JsonWriter> members)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer, Plain))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }

    public static string MediaType(string contentType) => contentType.Split(';')[0].Trim().ToLowerInvariant();

    private static bool IsValidJson(byte[] data)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(data);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
