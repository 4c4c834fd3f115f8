using Confluent.Kafka;

namespace EcoLora.Messaging.Kafka;

/// <summary>Puts messages on topics: idempotent, so that the client's own tries make no duplicates, and accepted by all replicas in sync.</summary>
internal sealed class KafkaPublisher(KafkaOptions options, Action<string> troubled) : IDisposable
{
    /// <summary>Largest message with its key: the brokers' default limit. Messages of ours are smaller; what becomes a dead letter may come from anybody.</summary>
    public const int MaximumSize = 1 << 20;

    private readonly Lock _turn = new();
    private IProducer<byte[], byte[]>? _producer;
    private bool _disposed;

    /// <summary>Returns when the broker has accepted exactly these bytes.</summary>
    /// <exception cref="IOException">It did not within the patience of the options.</exception>
    public async Task PublishAsync(string topic, byte[]? key, byte[] payload, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        IProducer<byte[], byte[]> producer = Producer();
        try
        {
            await producer.ProduceAsync(topic, new Message<byte[], byte[]> { Key = key!, Value = payload }, cancellation);
        }
        catch (KafkaException exception)
        {
            // An idempotent producer that has lost its count never publishes again: the next message gets another.
            if (exception.Error.IsFatal || exception.Error.Code == ErrorCode.Local_Fatal) Replace(producer);
            throw new IOException($"topic {topic}: expected Kafka to accept a message of {payload.Length} bytes, found: {exception.Error.Reason}", exception);
        }
    }

    public void Dispose()
    {
        lock (_turn)
        {
            _disposed = true;
            _producer?.Dispose();
        }
    }

    private IProducer<byte[], byte[]> Producer()
    {
        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _producer ??= new ProducerBuilder<byte[], byte[]>(Settings())
                .SetErrorHandler((_, error) => troubled(error.Reason))
                .SetLogHandler((_, _) => { })
                .Build();
        }
    }

    private void Replace(IProducer<byte[], byte[]> broken)
    {
        lock (_turn)
        {
            if (_producer != broken) return;
            _producer = null;
            broken.Dispose();
        }
    }

    private ProducerConfig Settings() => new(new Dictionary<string, string>(options.Security))
    {
        BootstrapServers = options.Brokers,
        ClientId = options.Group,
        EnableIdempotence = true,
        Acks = Acks.All,
        // Whoever publishes waits for each message: there is nothing to linger for.
        LingerMs = 0,
        MessageMaxBytes = MaximumSize,
        MessageTimeoutMs = (int)options.Patience.TotalMilliseconds,
        ReconnectBackoffMaxMs = 1000,
        SocketKeepaliveEnable = true,
    };
}
