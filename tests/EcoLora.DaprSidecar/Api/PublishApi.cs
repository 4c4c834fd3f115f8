using System.Globalization;
using System.Text;
using System.Text.Json;

namespace EcoLora.DaprSidecar;

/// <summary>POST /v1.0/publish/{pubsub}/{topic}, one by one and in bulk.</summary>
internal sealed class PublishApi(SidecarOptions options, IReadOnlyDictionary<string, IBroker> brokers, Resiliency resiliency, Faults faults)
{
    public void Map(WebApplication api)
    {
        foreach (string verb in new[] { "POST", "PUT" })
        {
            api.MapMethods("/v1.0/publish/{pubsub}/{**topic}", [verb], PublishAsync);
            api.MapMethods("/v1.0/publish/bulk/{pubsub}/{**topic}", [verb], PublishBulkAsync);
            api.MapMethods("/v1.0-alpha1/publish/bulk/{pubsub}/{**topic}", [verb], PublishBulkAsync);
        }
    }

    private async Task<IResult> PublishAsync(string pubsub, string topic, HttpRequest request)
    {
        if (Refusal(pubsub, topic) is { } refusal) return refusal;
        if (await ApiAnswer.BodyAsync(request, options.MaxBodySize) is not { } body) return ApiAnswer.TooLarge(options.MaxBodySize);
        Dictionary<string, string> metadata = ApiAnswer.Metadata(request);
        byte[] message;
        try
        {
            message = Message(body, request.ContentType ?? "text/plain", pubsub, topic, metadata, request.Headers.TraceParent);
        }
        catch (FormatException error)
        {
            return ApiAnswer.Error(400, "ERR_PUBSUB_REQUEST_METADATA", error.Message);
        }
        return await StoreAsync(pubsub, topic, message, metadata) is { } failure
            ? ApiAnswer.Error(500, "ERR_PUBSUB_PUBLISH_MESSAGE", failure)
            : Results.NoContent();
    }

    private async Task<IResult> PublishBulkAsync(string pubsub, string topic, HttpRequest request)
    {
        if (Refusal(pubsub, topic) is { } refusal) return refusal;
        if (await ApiAnswer.BodyAsync(request, options.MaxBodySize) is not { } body) return ApiAnswer.TooLarge(options.MaxBodySize);
        Dictionary<string, string> common = ApiAnswer.Metadata(request);
        List<(string Id, byte[] Message, Dictionary<string, string> Metadata)> entries = [];
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            foreach (JsonElement entry in document.RootElement.EnumerateArray())
            {
                Dictionary<string, string> metadata = new(common, StringComparer.OrdinalIgnoreCase);
                if (entry.TryGetProperty("metadata", out JsonElement own) && own.ValueKind == JsonValueKind.Object)
                    foreach (JsonProperty pair in own.EnumerateObject())
                        metadata[pair.Name] = pair.Value.GetString() ?? "";
                string id = entry.GetProperty("entryId").GetString() ?? "";
                if (id.Length == 0 || entries.Any(e => e.Id == id))
                    throw new FormatException($"expected entry ids that are unique and not empty, found '{id}'");
                string contentType = entry.TryGetProperty("contentType", out JsonElement type) ? type.GetString() ?? "text/plain" : "text/plain";
                byte[] data = Event(entry.GetProperty("event"), contentType);
                entries.Add((id, Message(data, contentType, pubsub, topic, metadata, request.Headers.TraceParent), metadata));
            }
        }
        catch (Exception error) when (error is JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            return ApiAnswer.Error(400, "ERR_PUBSUB_EVENTS_SER", error.Message);
        }
        List<object> failed = [];
        foreach ((string id, byte[] message, Dictionary<string, string> metadata) in entries)
            if (await StoreAsync(pubsub, topic, message, metadata) is { } failure)
                failed.Add(new { entryId = id, error = failure });
        return failed.Count == 0
            ? Results.NoContent()
            : Results.Json(new { failedEntries = failed, errorCode = "ERR_PUBSUB_PUBLISH_MESSAGE" }, statusCode: 500);
    }

    private IResult? Refusal(string pubsub, string topic)
    {
        if (brokers.Count == 0) return ApiAnswer.Error(400, "ERR_PUBSUB_NOT_CONFIGURED", "no pubsub is configured");
        if (!brokers.TryGetValue(pubsub, out IBroker? broker)) return ApiAnswer.Error(404, "ERR_PUBSUB_NOT_FOUND", $"pubsub {pubsub} is not found");
        if (string.IsNullOrEmpty(topic)) return ApiAnswer.Error(404, "ERR_TOPIC_NAME_EMPTY", $"topic is empty in pubsub {pubsub}");
        return TopicScopes.MayPublish(broker.Component, options.AppId, topic)
            ? null
            : ApiAnswer.Error(403, "ERR_PUBSUB_FORBIDDEN", $"topic {topic} is not allowed for app id {options.AppId}");
    }

    /// <summary>The bytes for the broker: those of the app itself when raw, else an envelope around them.</summary>
    private byte[] Message(byte[] data, string contentType, string pubsub, string topic, Dictionary<string, string> metadata, string? traceParent)
    {
        bool raw = false;
        if (metadata.TryGetValue("rawPayload", out string? text) && !bool.TryParse(text, out raw))
            throw new FormatException($"metadata.rawPayload: expected true or false, found {text}");
        long? ttl = null;
        if (metadata.TryGetValue("ttlInSeconds", out string? seconds))
        {
            ttl = long.TryParse(seconds, NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value is > 0 and < int.MaxValue
                ? value
                : throw new FormatException($"metadata.ttlInSeconds: expected a whole number above 0, found {seconds}");
        }
        return raw ? data : CloudEvent.Envelope(data, contentType, options.AppId, pubsub, topic, traceParent, DateTimeOffset.UtcNow, ttl);
    }

    /// <summary>Null when the broker has it; else why not.</summary>
    private async Task<string?> StoreAsync(string pubsub, string topic, byte[] message, Dictionary<string, string> metadata)
    {
        if (faults.Refuses(topic)) return "refused on purpose (--fault-refuse-rate)";
        string failure = "the policy gave up";
        bool stored = await resiliency.Outbound(pubsub).RunAsync(async _ =>
        {
            try
            {
                await brokers[pubsub].PublishAsync(topic, message, metadata);
                return true;
            }
            catch (BrokerException error)
            {
                failure = error.Message;
                return false;
            }
        }, CancellationToken.None);
        return stored ? null : failure;
    }

    private static byte[] Event(JsonElement value, string contentType)
    {
        if (contentType.StartsWith("application/octet-stream", StringComparison.OrdinalIgnoreCase)) return value.GetBytesFromBase64();
        return value.ValueKind == JsonValueKind.String && !contentType.Contains("json", StringComparison.OrdinalIgnoreCase)
            ? Encoding.UTF8.GetBytes(value.GetString()!)
            : Encoding.UTF8.GetBytes(value.GetRawText());
    }
}
