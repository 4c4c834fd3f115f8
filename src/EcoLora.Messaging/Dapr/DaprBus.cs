using System.Net.Http.Headers;
using System.Text.Json;

namespace EcoLora.Messaging.Dapr;

/// <summary>
/// The bus over Dapr's pub/sub, by the HTTP API of the app's sidecar: raw on both sides, so that a broker holds exactly the bytes that were
/// published; larger messages than 900 KiB need a <see cref="PartedBus"/> around it. The app's consumer group is its app id, so a topic has one consumer here; whoever hosts the app hands deliveries over.
/// </summary>
/// <remarks>A raw message carries no key: a handler finds an empty one.</remarks>
public sealed class DaprBus : IMessageBus
{
    private readonly SidecarClient _sidecar;
    private readonly Dictionary<string, Func<BusMessage, CancellationToken, Task<Verdict>>> _handlers = [];
    private readonly DeadLetterQuota _deadLetters;

    /// <summary>Makes the bus; nothing is sent yet.</summary>
    /// <param name="sidecar">The app's sidecar.</param>
    /// <param name="clock">The time, for the quota of dead letters; null for the machine's.</param>
    public DaprBus(SidecarClient sidecar, TimeProvider? clock = null) => (_sidecar, _deadLetters) = (sidecar, new DeadLetterQuota(clock ?? TimeProvider.System));

    /// <summary>Is told why a handler answered <see cref="Verdict.Retry"/> by an exception, or null.</summary>
    public Action<string, Exception>? HandlerFailed { get; init; }

    /// <summary>Deliveries that no handler saw; reasons begin with <c>bus: </c>.</summary>
    public Refusals Refused { get; init; } = new();

    /// <summary>The subscribed topics.</summary>
    public IReadOnlyCollection<string> Topics => _handlers.Keys;

    /// <inheritdoc/>
    /// <exception cref="CallException">The sidecar refuses the message, or cannot take it within the patience of the options.</exception>
    public async Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        string path = $"/v1.0/publish/{Uri.EscapeDataString(_sidecar.Options.PubSub)}/{Uri.EscapeDataString(topic)}?metadata.rawPayload=true&metadata.partitionKey={Uri.EscapeDataString(key)}";
        using HttpResponseMessage response = await _sidecar.SendAsync(
            () =>
            {
                var content = new ReadOnlyMemoryContent(payload);
                content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
                return new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
            },
            cancellation);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The topic has a consumer in this app.</exception>
    public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler)
    {
        if (!_handlers.TryAdd(topic, handler))
            throw new InvalidOperationException($"{consumer}: topic {topic} has a consumer in this app, which is one consumer group");
    }

    /// <summary>The answer to <c>GET /dapr/subscribe</c>: raw subscriptions with dead letters, each delivered to <c>{route}/{topic}</c>.</summary>
    public byte[] DescribeSubscriptions(string route)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartArray();
            foreach (string topic in _handlers.Keys.Order(StringComparer.Ordinal))
            {
                json.WriteStartObject();
                json.WriteString("pubsubname", _sidecar.Options.PubSub);
                json.WriteString("topic", topic);
                json.WriteString("route", $"{route}/{topic}");
                if (!topic.EndsWith(IMessageBus.DeadLetterSuffix, StringComparison.Ordinal))
                    json.WriteString("deadLetterTopic", topic + IMessageBus.DeadLetterSuffix);
                json.WriteStartObject("metadata");
                json.WriteString("rawPayload", "true");
                json.WriteEndObject();
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        return stream.ToArray();
    }

    /// <summary>Hands a delivery to its handler.</summary>
    /// <param name="topic">The topic of the route.</param>
    /// <param name="envelope">The body: the envelope of a raw message.</param>
    /// <param name="cancellation">Ends waiting; the sidecar delivers again.</param>
    public async Task<Verdict> DeliverAsync(string topic, ReadOnlyMemory<byte> envelope, CancellationToken cancellation)
    {
        Verdict verdict = await HandAsync(topic, envelope, cancellation);
        if (verdict != Verdict.Drop || _deadLetters.TryTake(envelope.Length)) return verdict;
        Refused.Count("bus: dead letters over the quota", topic);
        return Verdict.Success;
    }

    private async Task<Verdict> HandAsync(string topic, ReadOnlyMemory<byte> envelope, CancellationToken cancellation)
    {
        if (!_handlers.TryGetValue(topic, out Func<BusMessage, CancellationToken, Task<Verdict>>? handler)) return Refused.Drop("bus: unknown topic", "a delivery");
        byte[] bytes;
        try
        {
            bytes = CloudEvent.ReadData(envelope.Span);
        }
        catch (JsonException)
        {
            return Refused.Drop("bus: not a raw message", topic);
        }
        try
        {
            return await handler(new BusMessage(topic, "", bytes), cancellation);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellation.IsCancellationRequested)
        {
            HandlerFailed?.Invoke(topic, exception);
            return Verdict.Retry;
        }
    }
}
