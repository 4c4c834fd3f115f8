using System.Text.Json;

namespace EcoLora.Messaging.Dapr;

/// <summary>
/// The bus over Dapr's pub/sub: raw on both sides, so that a broker holds exactly the bytes that were
/// published; larger messages than 900 KiB need a <see cref="PartedBus"/> around it. The app's consumer group is its app id, so a topic has one consumer here; whoever hosts the app hands deliveries over.
/// </summary>
/// <remarks>A raw message carries no key: a handler finds an empty one.</remarks>
public sealed class DaprBus : IMessageBus
{
    /// <summary>Instead of a topic's name that comes from elsewhere.</summary>
    private const string ADelivery = "a delivery";

    private readonly ISidecar _sidecar;
    private readonly Dictionary<string, Func<BusMessage, CancellationToken, Task<Verdict>>> _handlers = [];
    private readonly DeadLetterQuota _deadLetters;

    /// <summary>Makes the bus; nothing is sent yet.</summary>
    /// <param name="sidecar">The app's sidecar.</param>
    /// <param name="clock">The time, for the quota of dead letters; null for the machine's.</param>
    public DaprBus(ISidecar sidecar, TimeProvider? clock = null) => (_sidecar, _deadLetters) = (sidecar, new DeadLetterQuota(clock ?? TimeProvider.System));

    /// <summary>Is told why a handler answered <see cref="Verdict.Retry"/> by an exception, or null.</summary>
    public Action<string, Exception>? HandlerFailed { get; init; }

    /// <summary>Deliveries that no handler saw; reasons begin with <c>bus: </c>.</summary>
    public Refusals Refused { get; init; } = new();

    /// <summary>Name of the component.</summary>
    public string PubSub => _sidecar.Options.PubSub;

    /// <summary>The subscribed topics.</summary>
    public IReadOnlyCollection<string> Topics => _handlers.Keys;

    /// <inheritdoc/>
    /// <exception cref="CallException">The sidecar refuses the message, or cannot take it within the patience of the options.</exception>
    public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation) => _sidecar.PublishAsync(topic, key, payload, cancellation);

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The topic has a consumer in this app.</exception>
    public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler)
    {
        if (!_handlers.TryAdd(topic, handler))
            throw new InvalidOperationException($"{consumer}: topic {topic} has a consumer in this app, which is one consumer group");
    }

    /// <summary>Where a topic's dropped messages go; null for a topic of such messages.</summary>
    public static string? DeadLetterTopicOf(string topic) => topic.EndsWith(IMessageBus.DeadLetterSuffix, StringComparison.Ordinal) ? null : topic + IMessageBus.DeadLetterSuffix;

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
                json.WriteString("pubsubname", PubSub);
                json.WriteString("topic", topic);
                json.WriteString("route", $"{route}/{topic}");
                if (DeadLetterTopicOf(topic) is { } dead) json.WriteString("deadLetterTopic", dead);
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
        byte[] payload;
        try
        {
            payload = CloudEvent.ReadData(envelope.Span);
        }
        catch (JsonException)
        {
            return Drop("bus: not a raw message", topic, envelope.Length);
        }
        return WithinQuota(await HandAsync(topic, payload, cancellation), topic, payload.Length);
    }

    /// <summary>The verdict on a delivery that is longer than any message in its envelope, which nobody has read.</summary>
    public Verdict DropUnread(string topic, int bytes) => Drop("bus: longer than any message", topic, bytes);

    private Verdict Drop(string reason, string topic, int bytes) => WithinQuota(Refused.Drop(reason, Known(topic)), topic, bytes);

    private async Task<Verdict> HandAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        if (!_handlers.TryGetValue(topic, out Func<BusMessage, CancellationToken, Task<Verdict>>? handler)) return Refused.Drop("bus: unknown topic", ADelivery);
        try
        {
            return await handler(new BusMessage(topic, "", payload), cancellation);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellation.IsCancellationRequested)
        {
            HandlerFailed?.Invoke(topic, exception);
            return Verdict.Retry;
        }
    }

    private Verdict WithinQuota(Verdict verdict, string topic, int bytes)
    {
        if (verdict != Verdict.Drop || _deadLetters.TryTake(bytes)) return verdict;
        Refused.Count("bus: dead letters over the quota", Known(topic));
        return Verdict.Success;
    }

    private string Known(string topic) => _handlers.ContainsKey(topic) ? topic : ADelivery;
}
