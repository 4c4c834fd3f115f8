using System.Text.Json;

namespace EcoLora.DaprSidecar;

/// <summary>A subscription, as the app answers it to <c>GET /dapr/subscribe</c> or as a Subscription file declares it. Only default routes are known.</summary>
internal sealed record TopicSubscription(
    string PubSubName, string Topic, string Route, string? DeadLetterTopic, IReadOnlyDictionary<string, string> Metadata, bool Declarative)
{
    /// <summary>Whether deliveries carry the broker's bytes, whatever they are.</summary>
    public bool RawPayload => Metadata.TryGetValue("rawPayload", out string? raw) && string.Equals(raw, "true", StringComparison.OrdinalIgnoreCase);

    public static TopicSubscription Declared(YamlMap spec)
    {
        YamlMap routes = spec.Map("routes");
        if (routes.Maps("rules").Any()) throw new FormatException($"{spec.File}: expected routes.default only, found routes.rules (not known to this tool)");
        return new(
            spec.Text("pubsubname") ?? "", spec.Text("topic") ?? "",
            routes.Text("default") ?? spec.Text("route") ?? throw new FormatException($"{spec.File}: expected routes.default"),
            spec.Text("deadLetterTopic"), spec.Map("metadata").AllTexts(), Declarative: true);
    }

    /// <summary>The app's list; an answer that is no such list is a <see cref="FormatException"/>.</summary>
    public static List<TopicSubscription> OfApp(byte[] json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Null ? [] : [.. document.RootElement.EnumerateArray().Select(OfApp)];
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new FormatException($"/dapr/subscribe: {error.Message}", error);
        }
    }

    private static TopicSubscription OfApp(JsonElement item)
    {
        string? route = Text(item, "route");
        if (item.TryGetProperty("routes", out JsonElement routes) && routes.ValueKind == JsonValueKind.Object)
        {
            if (routes.TryGetProperty("rules", out JsonElement rules) && rules.ValueKind == JsonValueKind.Array && rules.GetArrayLength() > 0)
                throw new FormatException("/dapr/subscribe: expected default routes only, found routes.rules (not known to this tool)");
            route ??= Text(routes, "default");
        }
        Dictionary<string, string> metadata = new(StringComparer.Ordinal);
        if (item.TryGetProperty("metadata", out JsonElement pairs) && pairs.ValueKind == JsonValueKind.Object)
            foreach (JsonProperty pair in pairs.EnumerateObject())
                metadata[pair.Name] = pair.Value.GetString() ?? "";
        return new(
            Text(item, "pubsubname") ?? "", Text(item, "topic") ?? "", route ?? throw new FormatException("/dapr/subscribe: expected a route, found none"),
            Text(item, "deadLetterTopic"), metadata, Declarative: false);
    }

    private static string? Text(JsonElement item, string name) =>
        item.TryGetProperty(name, out JsonElement value) && value.GetString() is { Length: > 0 } text ? text : null;
}
