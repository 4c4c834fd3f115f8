using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text.Json;

namespace EcoLora.Messaging.Dapr;

/// <summary>
/// The bus over Dapr's pub/sub, by the HTTP API of the app's sidecar: raw on both sides, so that a broker holds exactly the bytes that were published (larger
/// messages in parts). The app's consumer group is its app id, so a topic has one consumer here; whoever hosts the app hands deliveries over.
/// </summary>
/// <remarks>A raw message carries no key: a handler finds an empty one.</remarks>
public sealed class DaprBus : IMessageBus, IDisposable
{
    private readonly SidecarClient _sidecar;
    private readonly PartStore _parts;
    private readonly Dictionary<string, Func<BusMessage, CancellationToken, Task<Verdict>>> _handlers = [];
    private readonly ConcurrentDictionary<string, long> _refused = new();
    private readonly SemaphoreSlim _partTurn = new(1, 1);
    private readonly DeadLetterQuota _deadLetters;

    /// <summary>Makes the bus; nothing is sent yet.</summary>
    /// <param name="sidecar">The app's sidecar.</param>
    /// <param name="parts">Where parts of large messages wait for the others.</param>
    /// <param name="clock">The time, for the quota of dead letters; null for the machine's.</param>
    public DaprBus(SidecarClient sidecar, PartStore parts, TimeProvider? clock = null) => (_sidecar, _parts, _deadLetters) = (sidecar, parts, new DeadLetterQuota(clock ?? TimeProvider.System));

    /// <summary>Is told why a handler answered <see cref="Verdict.Retry"/> by an exception, or null.</summary>
    public Action<string, Exception>? HandlerFailed { get; init; }

    /// <summary>Deliveries that no handler saw, by reason.</summary>
    public IReadOnlyDictionary<string, long> Refused => _refused;

    /// <summary>The subscribed topics.</summary>
    public IReadOnlyCollection<string> Topics => _handlers.Keys;

    /// <inheritdoc/>
    /// <exception cref="DaprException">The sidecar refuses the message, or cannot take it within the patience of the options.</exception>
    public async Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        string path = PathOf(topic) + "&metadata.partitionKey=" + Uri.EscapeDataString(key);
        foreach (ReadOnlyMemory<byte> bytes in MessagePart.Cut(payload)) await PostAsync(path, bytes, cancellation);
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
        Refuse("dead letters over the quota");
        return Verdict.Success;
    }

    private async Task<Verdict> HandAsync(string topic, ReadOnlyMemory<byte> envelope, CancellationToken cancellation)
    {
        if (!_handlers.TryGetValue(topic, out Func<BusMessage, CancellationToken, Task<Verdict>>? handler)) return Refuse("unknown topic");
        byte[] bytes;
        try
        {
            bytes = CloudEvent.ReadData(envelope.Span);
        }
        catch (JsonException)
        {
            return Refuse("not a raw message");
        }
        try
        {
            return MessagePart.IsPart(bytes)
                ? await TakePartAsync(topic, MessagePart.Read(bytes), handler, cancellation)
                : await handler(new BusMessage(topic, "", bytes), cancellation);
        }
        catch (PartException exception)
        {
            return Refuse("part: " + exception.Field);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellation.IsCancellationRequested)
        {
            HandlerFailed?.Invoke(topic, exception);
            return Verdict.Retry;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _partTurn.Dispose();

    private async Task<Verdict> TakePartAsync(string topic, MessagePart part, Func<BusMessage, CancellationToken, Task<Verdict>> handler,
        CancellationToken cancellation)
    {
        // One part at a time, so that a message's handler does not run for two of them at once.
        await _partTurn.WaitAsync(cancellation);
        try
        {
            switch (_parts.Add(part))
            {
                case PartFate.Stored or PartFate.Handled: return Verdict.Success;
                case PartFate.NoRoom: return Verdict.Retry;
            }
            byte[] message = _parts.Join(part);
            Verdict verdict = await handler(new BusMessage(topic, "", message), cancellation);
            if (verdict == Verdict.Retry) return verdict;
            // The sidecar moves the part that it holds to the dead letters; the others were acknowledged.
            if (verdict == Verdict.Drop)
                foreach (ReadOnlyMemory<byte> bytes in MessagePart.Cut(message))
                    if (MessagePart.Read(bytes).Offset != part.Offset) await PostAsync(PathOf(topic + IMessageBus.DeadLetterSuffix), bytes, cancellation);
            _parts.Settle(part);
            return verdict;
        }
        finally
        {
            _partTurn.Release();
        }
    }

    private string PathOf(string topic) =>
        $"/v1.0/publish/{Uri.EscapeDataString(_sidecar.Options.PubSub)}/{Uri.EscapeDataString(topic)}?metadata.rawPayload=true";

    private async Task PostAsync(string path, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await _sidecar.SendAsync(
            () =>
            {
                var content = new ReadOnlyMemoryContent(bytes);
                content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
                return new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
            },
            cancellation);
    }

    private Verdict Refuse(string reason)
    {
        _refused.AddOrUpdate(reason, 1, (_, count) => count + 1);
        return Verdict.Drop;
    }
}
