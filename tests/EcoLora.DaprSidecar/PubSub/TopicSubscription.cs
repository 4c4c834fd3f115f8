using System.Globalization;
using System.Text.Json;

namespace EcoLora.DaprSidecar;

/// <summary>A subscription, as the app answers it to <c>GET /dapr/subscribe</c> or as a Subscription file declares it.</summary>
/// <param name="PubSubName">The component.</param>
/// <param name="Topic">The topic.</param>
/// <param name="Rules">The routes in the order in which they are tried; at least one.</param>
/// <param name="DeadLetterTopic">Where what the app will not have goes, or null.</param>
/// <param name="Metadata">Asks the runtime and the component for more.</param>
/// <param name="Bulk">How many messages come at once, or null for one by one.</param>
/// <param name="Declarative">Whether a file declares it.</param>
internal sealed record TopicSubscription(
    string PubSubName, string Topic, IReadOnlyList<RoutingRule> Rules, string? DeadLetterTopic, IReadOnlyDictionary<string, string> Metadata,
    BulkLimits? Bulk, bool Declarative)
{
    /// <summary>Whether deliveries carry the broker's bytes, whatever they are.</summary>
    public bool RawPayload => Metadata.TryGetValue("rawPayload", out string? raw) && raw.ToUpperInvariant() is "TRUE" or "1" or "T";

    public static TopicSubscription Declared(YamlMap spec)
    {
        YamlMap routes = spec.Map("routes");
        List<RoutingRule> rules = [.. routes.Maps("rules").Select(rule => Rule(rule.Text("match"), rule.Text("path") ?? ""))];
        if ((routes.Text("default") ?? spec.Text("route")) is { Length: > 0 } rest) rules.Add(new(null, rest));
        if (rules.Count == 0) throw new FormatException($"{spec.File}: expected routes.default, routes.rules or route, found none");
        YamlMap bulk = spec.Map("bulkSubscribe");
        return new(
            spec.Text("pubsubname") ?? "", spec.Text("topic") ?? "", rules, spec.Text("deadLetterTopic"), spec.Map("metadata").AllTexts(),
            bulk.Text("enabled") == "true" ? new(Number(bulk.Text("maxMessagesCount")), Number(bulk.Text("maxAwaitDurationMs"))) : null, Declarative: true);

        RoutingRule Rule(string? match, string path)
        {
            try
            {
                return RoutingRule.Of(match, path);
            }
            catch (FormatException error)
            {
                throw new FormatException($"{spec.File}: {error.Message}", error);
            }
        }

        int Number(string? text) => text is null ? 0
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
            : throw new FormatException($"{spec.File}: bulkSubscribe: expected a whole number, found {text}");
    }

    /// <summary>
    /// The app's list; an answer that is no such list, or has a rule that cannot be read, is a <see cref="FormatException"/>. What has no route at all is
    /// left out.
    /// </summary>
    public static List<TopicSubscription> OfApp(byte[] json)
    {
        if (json.Length == 0) return [];
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Null
                ? []
                : [.. document.RootElement.EnumerateArray().Select(OfApp).Where(subscription => subscription.Rules.Count > 0)];
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            throw new FormatException($"/dapr/subscribe: {error.Message}", error);
        }
    }

    private static TopicSubscription OfApp(JsonElement item)
    {
        item.TryMember("routes", out JsonElement routes);
        List<RoutingRule> rules = [];
        if (routes.TryMember("rules", out JsonElement list) && list.ValueKind != JsonValueKind.Null)
            rules.AddRange(list.EnumerateArray().Select(rule => RoutingRule.Of(rule.Text("match"), rule.Text("path") ?? "")));
        string? rest = routes.Text("default") is { Length: > 0 } byDefault ? byDefault : item.Text("route");
        if (rest is { Length: > 0 }) rules.Add(new(null, rest));
        item.TryMember("bulkSubscribe", out JsonElement bulk);
        bool isBulk = bulk.TryMember("enabled", out JsonElement enabled) && enabled.GetBoolean();
        return new(
            item.Text("pubsubname") ?? "", item.Text("topic") ?? "", rules, item.Text("deadLetterTopic") is { Length: > 0 } dead ? dead : null,
            item.Texts("metadata"), isBulk ? new(Number(bulk, "maxMessagesCount"), Number(bulk, "maxAwaitDurationMs")) : null, Declarative: false);
    }

    private static int Number(JsonElement item, string name) => item.TryMember(name, out JsonElement value) ? value.GetInt32() : 0;

    /// <summary>The path for an event, or null where no rule takes it; <see cref="CelException"/> where a rule cannot be evaluated.</summary>
    public string? RouteOf(object? theEvent) => Rules.FirstOrDefault(rule => rule.Match?.Matches(theEvent) ?? true)?.Path;
}

/// <summary>How many messages come at once at most, and how long the first of them waits for the others. 0 asks for the defaults.</summary>
internal sealed record BulkLimits(int MaxMessagesCount, int MaxAwaitDurationMs)
{
    public int Messages => MaxMessagesCount > 0 ? MaxMessagesCount : 100;

    public TimeSpan Await => TimeSpan.FromMilliseconds(MaxAwaitDurationMs > 0 ? MaxAwaitDurationMs : 1000);
}
