using System.Text;
using Confluent.Kafka;

namespace EcoLora.Messaging.Kafka;

/// <summary>
/// The bus over Kafka itself, past the sidecar. A message is exactly its payload, its key the partition key in UTF-8, and there are no headers: what Dapr's
/// <c>pubsub.kafka</c> publishes raw is read here, and the other way round. Larger messages than 900 KiB need a <see cref="PartedBus"/> around it. The app is one consumer
/// group, so a topic has one consumer here.
/// </summary>
/// <remarks>
/// A partition's messages are handled one after the other; one that is to be tried again holds up those behind it, and no other partition. An offset is committed when the
/// handler has answered, so a message comes again after a crash, and may come twice when the group's members change.
/// </remarks>
public sealed class KafkaBus : IMessageBus, IAsyncDisposable
{
    private readonly KafkaOptions _options;
    private readonly KafkaPublisher _publisher;
    private readonly DeadLetterQuota _deadLetters;
    private readonly SemaphoreSlim _places;
    private readonly Dictionary<string, Func<BusMessage, CancellationToken, Task<Verdict>>> _handlers = new(StringComparer.Ordinal);
    private KafkaConsumer? _consumer;
    private bool _started;

    /// <summary>Makes the bus; nothing is sent yet.</summary>
    /// <param name="options">Where Kafka is, and who this is.</param>
    /// <param name="clock">The time, for the quota of dead letters; null for the machine's.</param>
    /// <exception cref="FormatException">An option cannot be used.</exception>
    /// <exception cref="DllNotFoundException">librdkafka is not installed.</exception>
    public KafkaBus(KafkaOptions options, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        Librdkafka.Require();
        _options = options.Checked();
        _publisher = new KafkaPublisher(_options, what => Troubled?.Invoke(what));
        _deadLetters = new DeadLetterQuota(clock ?? TimeProvider.System);
        _places = new SemaphoreSlim(_options.Parallelism);
    }

    /// <summary>Is told why a handler answered <see cref="Verdict.Retry"/> by an exception, or null.</summary>
    public Action<string, Exception>? HandlerFailed { get; init; }

    /// <summary>Is told what goes wrong between here and the brokers, or null. The bus goes on by itself.</summary>
    public Action<string>? Troubled { get; init; }

    /// <summary>Messages that the bus itself gave up; reasons begin with <c>bus: </c>.</summary>
    public Refusals Refused { get; init; } = new();

    /// <inheritdoc/>
    /// <exception cref="IOException">The message is larger than 900 KiB, or Kafka did not accept it within the patience of the options.</exception>
    public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        if (payload.Length > MessagePart.MaximumSize)
            throw new IOException($"topic {topic}: expected a message of at most {MessagePart.MaximumSize} bytes, found {payload.Length}");
        return _publisher.PublishAsync(topic, Encoding.UTF8.GetBytes(key), payload.ToArray(), cancellation);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The topic has a consumer in this app, or the bus was started.</exception>
    public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler)
    {
        if (_started) throw new InvalidOperationException($"{consumer} subscribes to {topic} after the bus was started");
        if (!_handlers.TryAdd(topic, handler)) throw new InvalidOperationException($"{consumer}: topic {topic} has a consumer in this app, which is one consumer group");
    }

    /// <summary>Begins delivery, with what the group has not committed.</summary>
    /// <exception cref="InvalidOperationException">It was started before.</exception>
    public void Start()
    {
        if (_started) throw new InvalidOperationException("the bus was started before");
        _started = true;
        if (_handlers.Count > 0) _consumer = new KafkaConsumer(_options, _handlers.Keys, SettleAsync, what => Troubled?.Invoke(what));
    }

    /// <summary>Ends the messages that are being handled, and leaves the group.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _consumer, null) is { } consumer) await consumer.DisposeAsync();
        _publisher.Dispose();
        _places.Dispose();
    }

    /// <summary>Hands a message over until it is handled, or is a dead letter.</summary>
    private async Task SettleAsync(ConsumeResult<byte[], byte[]> arrived, CancellationToken cancellation)
    {
        // Kafka knows messages without a key, and without a value.
        var message = new BusMessage(arrived.Topic, Encoding.UTF8.GetString(arrived.Message.Key ?? []), arrived.Message.Value ?? []);
        for (int attempt = 1; ; attempt++)
        {
            Verdict verdict = await HandAsync(message, cancellation);
            if (verdict == Verdict.Success) return;
            if (verdict == Verdict.Drop) break;
            if (attempt == _options.Tries)
            {
                Refused.Drop("bus: tries are over", arrived.Topic);
                break;
            }
            await Task.Delay(_options.PauseAfter(attempt), cancellation);
        }
        await BuryAsync(arrived.Topic, arrived.Message.Key, arrived.Message.Value ?? [], cancellation);
    }

    private async Task<Verdict> HandAsync(BusMessage message, CancellationToken cancellation)
    {
        await _places.WaitAsync(cancellation);
        try
        {
            return await _handlers[message.Topic](message, cancellation);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellation.IsCancellationRequested)
        {
            HandlerFailed?.Invoke(message.Topic, exception);
            return Verdict.Retry;
        }
        finally
        {
            _places.Release();
        }
    }

    /// <summary>Copies a message to the dead letters, byte for byte. While they cannot take it, it is not passed over.</summary>
    private async Task BuryAsync(string topic, byte[]? key, byte[] payload, CancellationToken cancellation)
    {
        if (topic.EndsWith(IMessageBus.DeadLetterSuffix, StringComparison.Ordinal)) return;
        int size = (key?.Length ?? 0) + payload.Length;
        if (size > KafkaPublisher.MaximumSize)
        {
            Refused.Count("bus: too large for the dead letters", topic);
            return;
        }
        if (!_deadLetters.TryTake(size))
        {
            Refused.Count("bus: dead letters over the quota", topic);
            return;
        }
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await _publisher.PublishAsync(topic + IMessageBus.DeadLetterSuffix, key, payload, cancellation);
                return;
            }
            catch (IOException exception)
            {
                Troubled?.Invoke(exception.Message);
            }
            await Task.Delay(_options.PauseAfter(attempt), cancellation);
        }
    }
}
