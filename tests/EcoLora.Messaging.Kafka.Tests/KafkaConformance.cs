using EcoLora.DaprTestKit;
using EcoLora.Messaging.Tests;

namespace EcoLora.Messaging.Kafka.Tests;

/// <summary>The bus over brokers of the test's own: an app for each consumer, since an app is one consumer group, and one that publishes.</summary>
internal abstract class KafkaConformance : MessageBusConformance
{
    private readonly MockKafka _kafka = MockKafka.Start();
    private Apps? _apps;

    protected override IMessageBus MakeBus() => _apps = new Apps(group => Around(new KafkaBus(new KafkaOptions(_kafka.Endpoint, group)
    {
        FirstPause = TimeSpan.FromMilliseconds(10),
        LongestPause = TimeSpan.FromMilliseconds(50),
    }), group));

    /// <summary>The buses around that of Kafka.</summary>
    protected abstract (KafkaBus Kafka, IMessageBus Bus) Around(KafkaBus kafka, string group);

    protected override Task StartAsync()
    {
        ((Apps)Bus).Start();
        return Task.CompletedTask;
    }

    protected override async Task StopAsync()
    {
        if (_apps is { } apps) await apps.StopAsync();
    }

    protected override async Task EndAsync()
    {
        if (_apps is { } apps) await apps.DisposeAsync();
        _kafka.Dispose();
    }

    private sealed class Apps(Func<string, (KafkaBus Kafka, IMessageBus Bus)> make) : IMessageBus, IAsyncDisposable
    {
        private readonly (KafkaBus Kafka, IMessageBus Bus) _publisher = make("publisher");
        private readonly Dictionary<string, (KafkaBus Kafka, IMessageBus Bus)> _consumers = [];

        public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler)
        {
            if (!_consumers.TryGetValue(consumer, out (KafkaBus Kafka, IMessageBus Bus) app)) _consumers.Add(consumer, app = make(consumer));
            app.Bus.Subscribe(topic, consumer, handler);
        }

        public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation) =>
            _publisher.Bus.PublishAsync(topic, key, payload, cancellation);

        public void Start()
        {
            foreach ((KafkaBus kafka, _) in _consumers.Values) kafka.Start();
        }

        /// <summary>Stops the consumers; publishing goes on.</summary>
        public async Task StopAsync()
        {
            await Task.WhenAll(_consumers.Values.Select(app => app.Kafka.DisposeAsync().AsTask()));
            _consumers.Clear();
        }

        public ValueTask DisposeAsync() => _publisher.Kafka.DisposeAsync();
    }
}
