using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace EcoLora.Messaging.Dapr;

/// <summary>
/// The bus over Dapr's pub/sub, by the HTTP API of the app's sidecar: raw on both sides, so that a broker holds exactly the bytes that were published (larger
/// messages in parts). The app's consumer group is its app id, so a topic has one consumer here; whoever hosts the app hands deliveries over.
/// </summary>
/// <remarks>A raw message carries no key: a handler finds an empty one.</remarks>
public sealed class DaprBus : IMessageBus, IDisposable
{
    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(50), _longestPause = TimeSpan.FromSeconds(2);

    private readonly DaprOptions _options;
    private readonly PartStore _parts;
    private readonly HttpClient _http;
    private readonly Dictionary<string, Func<BusMessage, CancellationToken, Task<Verdict>>> _handlers = [];
    private readonly ConcurrentDictionary<string, long> _refused = new();
    private readonly SemaphoreSlim _partTurn = new(1, 1);

    /// <summary>Makes the bus; nothing is sent yet.</summary>
    /// <param name="options">The sidecar.</param>
    /// <param name="parts">Where parts of large messages wait for the others.</param>
    /// <param name="transport">What sends requests, or null for the usual; disposed with the bus.</param>
    public DaprBus(DaprOptions options, PartStore parts, HttpMessageHandler? transport = null)
    {
        (_options, _parts) = (options, parts);
        _http = new HttpClient(transport ?? new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) }) { BaseAddress = options.Endpoint };
        if (options.ApiToken is { } token) _http.DefaultRequestHeaders.Add("dapr-api-token", token);
    }

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
                json.WriteString("pubsubname", _options.PubSub);
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

    /// <summary>Whether a request that says to come from the sidecar shows the app's token.</summary>
    public bool IsFromSidecar(string? token) => _options.AppToken is not { } expected
        || CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(expected), Encoding.UTF8.GetBytes(token ?? ""));

    /// <summary>Hands a delivery to its handler.</summary>
    /// <param name="topic">The topic of the route.</param>
    /// <param name="envelope">The body: the envelope of a raw message.</param>
    /// <param name="cancellation">Ends waiting; the sidecar delivers again.</param>
    public async Task<Verdict> DeliverAsync(string topic, ReadOnlyMemory<byte> envelope, CancellationToken cancellation)
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
            return Verdict.Retry;
        }
    }

    /// <summary>Waits until the sidecar can publish, however late it comes. It is not asked for what needs this app, which would wait for each other.</summary>
    public async Task WaitForSidecarAsync(CancellationToken cancellation)
    {
        for (TimeSpan pause = _firstPause; !await IsSidecarReadyAsync(cancellation); pause = Longer(pause)) await Task.Delay(pause, cancellation);
    }

    /// <summary>Whether the sidecar can publish now.</summary>
    public async Task<bool> IsSidecarReadyAsync(CancellationToken cancellation)
    {
        try
        {
            using HttpResponseMessage response = await _http.GetAsync(new Uri("/v1.0/healthz/outbound", UriKind.Relative), cancellation);
            return response.IsSuccessStatusCode;
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException && !cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _http.Dispose();
        _partTurn.Dispose();
    }

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
        $"/v1.0/publish/{Uri.EscapeDataString(_options.PubSub)}/{Uri.EscapeDataString(topic)}?metadata.rawPayload=true";

    private static TimeSpan Longer(TimeSpan pause) => TimeSpan.FromTicks(Math.Min(2 * pause.Ticks, _longestPause.Ticks));

    private async Task PostAsync(string path, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        for (TimeSpan pause = _firstPause; ; pause = Longer(pause))
        {
            string failure;
            try
            {
                using var content = new ReadOnlyMemoryContent(bytes);
                content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
                using HttpResponseMessage response = await _http.PostAsync(new Uri(path, UriKind.Relative), content, cancellation);
                if (response.IsSuccessStatusCode) return;
                string text = await response.Content.ReadAsStringAsync(cancellation);
                failure = string.Create(CultureInfo.InvariantCulture, $"{(int)response.StatusCode} {text[..Math.Min(300, text.Length)]}");
                // What the sidecar says about the request itself does not get better.
                if (response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.NotFound)
                    throw new DaprException(path, failure);
            }
            catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException && !cancellation.IsCancellationRequested)
            {
                failure = exception.Message;
            }
            if (clock.Elapsed + pause > _options.Patience) throw new DaprException(path, failure);
            await Task.Delay(pause, cancellation);
        }
    }

    private Verdict Refuse(string reason)
    {
        _refused.AddOrUpdate(reason, 1, (_, count) => count + 1);
        return Verdict.Drop;
    }
}

/// <summary>A call that the sidecar refused, or did not take in time.</summary>
/// <param name="path">The call.</param>
/// <param name="found">Its answer.</param>
public sealed class DaprException(string path, string found) : IOException($"sidecar: expected {path} to be taken, found {found}");
