using System.Text;
using Confluent.Kafka;
using EcoLora.Messaging.Kafka;

namespace EcoLora.DaprSidecar;

/// <summary>
/// pubsub.kafka: a consumer group an app id. Metadata of a publish are headers of the message, but for <c>partitionKey</c>. One message after the other of a partition is
/// with the app, so one that is tried again holds up those behind it.
/// </summary>
internal sealed class KafkaBroker : IBroker
{
    private const string KeyName = "partitionKey";
    private readonly KafkaSettings _settings;
    private readonly IProducer<byte[], byte[]> _producer;
    private readonly KafkaReader _reader;

    private KafkaBroker(Component component, KafkaSettings settings, Faults faults)
    {
        Component = component;
        _settings = settings;
        _producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig
        {
            BootstrapServers = settings.Brokers,
            Acks = settings.RequiredAcks,
            MessageMaxBytes = settings.MaxMessageBytes,
            CompressionType = settings.Compression,
            LingerMs = 0,
            MessageTimeoutMs = 30_000,
            ReconnectBackoffMaxMs = 1000,
        }).SetErrorHandler((_, error) => Console.Error.WriteLine($"kafka: {error.Reason}")).SetLogHandler((_, _) => { }).Build();
        _reader = new KafkaReader(settings, faults);
    }

    public Component Component { get; }

    public bool HandlesTtl => false;

    public static KafkaBroker Open(Component component, string appId, Faults faults)
    {
        Librdkafka.Require();
        return new KafkaBroker(component, KafkaSettings.Of(component, appId), faults);
    }

    /// <summary>Puts the message on its topic; it is there when this returns, unless the component asks for no acknowledgement.</summary>
    public async Task PublishAsync(string topic, byte[] data, IReadOnlyDictionary<string, string> metadata)
    {
        Message<byte[], byte[]> message = new() { Value = data, Headers = [] };
        foreach ((string name, string value) in metadata)
        {
            if (name.Equals(KeyName, StringComparison.OrdinalIgnoreCase)) message.Key = Encoding.UTF8.GetBytes(value);
            else message.Headers.Add(name, Encoding.UTF8.GetBytes(value));
        }
        try
        {
            await _producer.ProduceAsync(topic, message);
        }
        catch (KafkaException error)
        {
            throw new BrokerException($"kafka server: {error.Error.Reason}", error);
        }
    }

    /// <inheritdoc/>
    public Task SubscribeAsync(TopicSubscription subscription, BrokerHandler handler)
    {
        _reader.Add(subscription.Topic, handler);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task DrainAsync(TimeSpan grace) => _reader.DrainAsync(grace);

    public async ValueTask DisposeAsync()
    {
        await _reader.DisposeAsync();
        _producer.Dispose();
    }
}
