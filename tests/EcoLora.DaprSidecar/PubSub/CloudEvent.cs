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
    /// invalid UTF-8 is lost.
    /// </summary>
    public static byte[] Envelope(
        byte[] data, string contentType, string appId, string pubsub, string topic, string? traceParent, DateTimeOffset now, long? ttl)
    {
        string mediaType = MediaType(contentType);
        if (mediaType == ContentType) return Completed(data, appId, pubsub, topic, now, ttl);
        return Write(writer =>
        {
            writer.WriteString("id", Guid.NewGuid().ToString());
            writer.WriteString("specversion", "1.0");
            writer.WriteString("source", appId);
            writer.WriteString("type", "com.dapr.event.sent");
            writer.WriteString("datacontenttype", contentType);
            writer.WriteString("topic", topic);
            writer.WriteString("pubsubname", pubsub);
            writer.WriteString("traceid", traceParent ?? "");
            writer.WriteString("traceparent", traceParent ?? "");
            writer.WriteString("tracestate", "");
            writer.WriteString("time", Time(now));
            if (ttl is { } seconds) writer.WriteString("expiration", Time(now.AddSeconds(seconds)));
            if (mediaType == "application/octet-stream")
            {
                writer.WriteBase64String("data_base64", data);
            }
            else
            {
                writer.WritePropertyName("data");
                if (IsJson(mediaType) && IsValidJson(data)) writer.WriteRawValue(data, skipInputValidation: true);
                else writer.WriteStringValue(Encoding.UTF8.GetString(data));
            }
        });
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

    /// <summary>Whether the bytes are a JSON object, which is all that daprd asks of an event, and when it expires.</summary>
    public static bool TryRead(byte[] data, out DateTimeOffset? expiration)
    {
        expiration = null;
        try
        {
            using JsonDocument document = JsonDocument.Parse(data);
            if (document.RootElement.ValueKind != JsonValueKind.Object) return false;
            if (document.RootElement.TryGetProperty("expiration", out JsonElement text) && text.ValueKind == JsonValueKind.String
                && DateTimeOffset.TryParse(text.GetString(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time))
                expiration = time;
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>The app sent an event of its own: what it lacks is filled in.</summary>
    private static byte[] Completed(byte[] data, string appId, string pubsub, string topic, DateTimeOffset now, long? ttl)
    {
        try
        {
            JsonObject given = JsonNode.Parse(data) as JsonObject ?? throw new FormatException("expected a CloudEvent, found no JSON object");
            given["id"] ??= Guid.NewGuid().ToString();
            given["specversion"] ??= "1.0";
            given["source"] ??= appId;
            given["type"] ??= "com.dapr.event.sent";
            given["topic"] = topic;
            given["pubsubname"] = pubsub;
            given["time"] ??= Time(now);
            if (ttl is { } seconds) given["expiration"] = Time(now.AddSeconds(seconds));
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

    private static string MediaType(string contentType) => contentType.Split(';')[0].Trim().ToLowerInvariant();

    private static bool IsJson(string mediaType) => mediaType == "application/json" || mediaType.EndsWith("+json", StringComparison.Ordinal);

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
