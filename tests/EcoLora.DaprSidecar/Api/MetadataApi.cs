using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace EcoLora.DaprSidecar;

/// <summary>
/// /v1.0/metadata: what this sidecar has and knows. daprd lists a subscription as soon as the app has declared it; here it is listed when the broker delivers
/// it, so that tests can wait for that.
/// </summary>
internal sealed class MetadataApi(SidecarOptions options, IReadOnlyList<Component> components, Func<IReadOnlyList<TopicSubscription>> subscriptions)
{
    private const string Version = "0.0.0-ecolora-test-sidecar";

    // daprd leaves out what is empty: an app without subscriptions finds no such member.
    private static readonly JsonSerializerOptions _withoutNull = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };
    private readonly ConcurrentDictionary<string, string> _extended = new(StringComparer.Ordinal) { ["daprRuntimeVersion"] = Version };

    public void Map(WebApplication api)
    {
        api.MapGet("/v1.0/metadata", Get);
        api.MapPut("/v1.0/metadata/{key}", PutAsync);
    }

    private IResult Get() => Results.Json(new
    {
        id = options.AppId,
        runtimeVersion = Version,
        extended = _extended,
        components = OrNull(components.Select(c => new { name = c.Name, type = c.Type, version = c.Version, capabilities = Array.Empty<string>() })),
        subscriptions = OrNull(subscriptions().Select(s => new
        {
            pubsubname = s.PubSubName,
            topic = s.Topic,
            metadata = s.Metadata.Count > 0 ? s.Metadata : null,
            rules = OrNull(s.Rules.Select(r => new { match = r.Match?.Text, path = r.Path })),
            deadLetterTopic = s.DeadLetterTopic ?? "",
            type = s.Declarative ? "DECLARATIVE" : "PROGRAMMATIC",
        })),
        appConnectionProperties = new { port = options.AppPort, protocol = "http", channelAddress = "127.0.0.1" },
    }, _withoutNull);

    private async Task<IResult> PutAsync(string key, HttpRequest request)
    {
        using StreamReader reader = new(request.Body);
        _extended[key] = await reader.ReadToEndAsync();
        return Results.NoContent();
    }

    private static T[]? OrNull<T>(IEnumerable<T> items) => items.ToArray() is { Length: > 0 } some ? some : null;
}
