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
            api.MapMethods("/v1.0/publish/{pubsub}/{**topic}", [verb], AnswerAsync);
            api.MapMethods("/v1.0/publish/bulk/{pubsub}/{**topic}", [verb], AnswerBulkAsync);
            api.MapMethods("/v1.0-alpha1/publish/bulk/{pubsub}/{**topic}", [verb], AnswerBulkAsync);
        }
    }

    /// <summary>Why the app may not publish there at all, or null.</summary>
    public ApiFailure? Refusal(string pubsub, string topic)
    {
        if (brokers.Count == 0) return new(400, "ERR_PUBSUB_NOT_CONFIGURED", "no pubsub is configured");
        if (!brokers.TryGetValue(pubsub, out IBroker? broker)) return new(404, "ERR_PUBSUB_NOT_FOUND", $"pubsub {pubsub} is not found");
        if (string.IsNullOrEmpty(topic)) return new(404, "ERR_TOPIC_NAME_EMPTY", $"topic is empty in pubsub {pubsub}");
        return TopicScopes.MayPublish(broker.Component, options.AppId, topic)
            ? null
            : new(403, "ERR_PUBSUB_FORBIDDEN", $"topic {topic} is not allowed for app id {options.AppId}");
    }

    /// <summary>Publishes where <see cref="Refusal"/> has nothing against it; null when the broker has it.</summary>
    public async Task<ApiFailure?> PublishAsync(string pubsub, string topic, byte[] data, string contentType, Dictionary<string, string> metadata, string? traceParent)
    {
        byte[] message;
        try
        {
            if (!TryRaw(metadata, out bool raw)) return WrongRaw(metadata);
            message = raw ? data : Envelope(data, contentType, pubsub, topic, metadata, traceParent);
        }
        catch (FormatException error)
        {
            return new(500, "ERR_PUBSUB_CLOUD_EVENTS_SER", error.Message);
        }
        return await StoreAsync(pubsub, topic, message, metadata) is { } failure ? new(500, "ERR_PUBSUB_PUBLISH_MESSAGE", failure) : null;
    }

    private async Task<IResult> AnswerAsync(string pubsub, string topic, HttpRequest request)
    {
        if (Refusal(pubsub, topic) is { } refusal) return refusal.Answer;
        if (await ApiAnswer.BodyAsync(request, options.MaxBodySize) is not { } body) return ApiAnswer.TooLarge(options.MaxBodySize);
        ApiFailure? failure = await PublishAsync(pubsub, topic, body, request.ContentType ?? "text/plain", ApiAnswer.Metadata(request), request.Headers.TraceParent);
        return failure?.Answer ?? Results.NoContent();
    }

    private async Task<IResult> AnswerBulkAsync(string pubsub, string topic, HttpRequest request)
    {
        if (Refusal(pubsub, topic) is { } refusal) return refusal.Answer;
        if (await ApiAnswer.BodyAsync(request, options.MaxBodySize) is not { } body) return ApiAnswer.TooLarge(options.MaxBodySize);
        Dictionary<string, string> common = ApiAnswer.Metadata(request);
        if (!TryRaw(common, out bool raw)) return WrongRaw(common).Answer;
        List<(string Id, byte[] Message, Dictionary<string, string> Metadata)> entries = [];
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            foreach (JsonElement entry in document.RootElement.EnumerateArray())
            {
                // The request's metadata count for an entry only if it has some of its own.
                Dictionary<string, string> metadata = new(StringComparer.OrdinalIgnoreCase);
                if (entry.TryMember("metadata", out JsonElement own) && own.ValueKind == JsonValueKind.Object)
                    foreach ((string name, string value) in common.Concat(entry.Texts("metadata"))) metadata[name] = value;
                string id = entry.Text("entryId") ?? "";
                if (id.Length == 0 || entries.Any(e => e.Id == id))
                    throw new FormatException($"expected entry ids that are unique and not empty, found '{id}'");
                string contentType = entry.Text("contentType") ?? "";
                byte[] data = Event(entry.TryMember("event", out JsonElement theEvent) ? theEvent : default, contentType);
                entries.Add((id, raw ? data : Envelope(data, contentType, pubsub, topic, metadata, request.Headers.TraceParent), metadata));
            }
        }
        catch (Exception error) when (error is JsonException or FormatException or InvalidOperationException)
        {
            return ApiAnswer.Error(400, "ERR_PUBSUB_EVENTS_SER", error.Message);
        }
        // All at once: what arrives first is not said.
        string?[] failures = await Task.WhenAll(entries.Select(e => StoreAsync(pubsub, topic, e.Message, e.Metadata)));
        var failed = entries.Zip(failures).Where(e => e.Second is not null).Select(e => new { entryId = e.First.Id, error = e.Second }).ToArray();
        return failed.Length == 0
            ? Results.NoContent()
            : Results.Json(new { failedEntries = failed, errorCode = "ERR_PUBSUB_PUBLISH_MESSAGE" }, statusCode: 500);
    }

    private byte[] Envelope(byte[] data, string contentType, string pubsub, string topic, Dictionary<string, string> metadata, string? traceParent)
    {
        DateTimeOffset? expiration = brokers[pubsub].HandlesTtl ? null : DateTimeOffset.UtcNow + MessageTtl.Of(metadata);
        return CloudEvent.Envelope(data, contentType, options.AppId, pubsub, topic, traceParent, metadata, expiration);
    }

    /// <summary>Whether the metadata ask for a raw message; false where what they say of it cannot be read.</summary>
    public static bool TryRaw(Dictionary<string, string> metadata, out bool raw)
    {
        string text = metadata.GetValueOrDefault("rawPayload", "");
        raw = text is "1" or "t" or "T" or "true" or "TRUE" or "True";
        return raw || text is "" or "0" or "f" or "F" or "false" or "FALSE" or "False";
    }

    private static ApiFailure WrongRaw(Dictionary<string, string> metadata) =>
        new(400, "ERR_PUBSUB_REQUEST_METADATA", $"metadata.rawPayload: expected true or false, found {metadata["rawPayload"]}");

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

    /// <summary>The bytes of an entry: bytes come in base64, texts as JSON strings, anything else is JSON.</summary>
    private static byte[] Event(JsonElement value, string contentType)
    {
        string mediaType = CloudEvent.MediaType(contentType);
        if (mediaType == "application/octet-stream" && value.ValueKind == JsonValueKind.String) return value.GetBytesFromBase64();
        if ((mediaType.StartsWith("text/", StringComparison.Ordinal) || mediaType == "application/xml") && value.ValueKind == JsonValueKind.String)
            return Encoding.UTF8.GetBytes(value.GetString()!);
        return mediaType is "application/json" or CloudEvent.ContentType && value.ValueKind != JsonValueKind.Undefined
            ? Encoding.UTF8.GetBytes(value.GetRawText())
            : throw new FormatException($"error: mismatch between contentType and event: '{contentType}' and {value.ValueKind}");
    }
}
