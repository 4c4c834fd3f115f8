using System.Collections.Concurrent;
using System.Globalization;
using RabbitMQ.Client;

namespace EcoLora.DaprSidecar;

/// <summary>
/// pubsub.rabbitmq: an exchange a topic, a queue an app id and topic, which the app's first subscription makes: what was published before is lost. A
/// message whose handler has failed is refused, and queued again only with <c>requeueInFailure</c>.
/// </summary>
internal sealed class RabbitBroker : IBroker
{
    private const int PublishTries = 3;
    private readonly RabbitSettings _settings;
    private readonly RabbitLink _link;
    private readonly Faults _faults;
    private readonly CancellationTokenSource _reading = new();
    private readonly CancellationTokenSource _working = new();
    private readonly ConcurrentBag<Task> _consumers = [];

    private RabbitBroker(Component component, RabbitSettings settings, Faults faults)
    {
        Component = component;
        _settings = settings;
        _faults = faults;
        _link = new(settings);
    }

    public Component Component { get; }

    public bool HandlesTtl => true;

    public static async Task<RabbitBroker> OpenAsync(Component component, string appId, Faults faults)
    {
        RabbitBroker broker = new(component, RabbitSettings.Of(component, appId), faults);
        await broker._link.OpenAsync();
        return broker;
    }

    /// <summary>
    /// Publishes to the topic's exchange, three tries in all. Success does not mean that a queue has the message: it may have no queue, and without
    /// publisherConfirm it may not have left this machine.
    /// </summary>
    public async Task PublishAsync(string topic, byte[] data, IReadOnlyDictionary<string, string> metadata)
    {
        BasicProperties properties = new()
        {
            ContentType = "text/plain", // Of every message, whatever it is.
            DeliveryMode = _settings.DeliveryMode == 2 ? DeliveryModes.Persistent : DeliveryModes.Transient,
        };
        if ((MessageTtl.Of(metadata) ?? _settings.TimeToLive) is { } time) properties.Expiration = ((long)time.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        for (int attempt = 1; ; attempt++)
        {
            int generation = _link.Generation;
            try
            {
                await _link.UseAsync(async channel =>
                {
                    await _link.DeclareExchangeAsync(channel, topic, _settings.ExchangeKind, _settings.Durable);
                    await _link.PublishAsync(channel, topic, metadata.GetValueOrDefault("routingKey", ""), properties, data);
                    return true;
                });
                return;
            }
            catch (BrokerException error) when (attempt < PublishTries)
            {
                await Console.Error.WriteLineAsync($"rabbitmq: publish to {topic}: {error.Message}");
                await Task.Delay(_settings.ReconnectWait);
                await _link.ReconnectAsync(generation);
            }
        }
    }

    /// <inheritdoc/>
    public async Task SubscribeAsync(TopicSubscription subscription, BrokerHandler handler)
    {
        RabbitConsumer consumer = new(subscription, _settings, _link, handler, _faults, _reading.Token, _working.Token);
        _consumers.Add(Task.Run(consumer.RunAsync));
        try
        {
            await consumer.Subscribed.WaitAsync(TimeSpan.FromMinutes(1), _reading.Token);
        }
        catch (TimeoutException error)
        {
            throw new BrokerException($"failed to subscribe to {subscription.Topic}", error);
        }
    }

    /// <inheritdoc/>
    public async Task DrainAsync(TimeSpan grace)
    {
        Task all = Task.WhenAll(_consumers);
        await _reading.CancelAsync();
        await Console.Out.WriteLineAsync("rabbitmq: draining");
        await Task.WhenAny(all, Task.Delay(grace));
        await _working.CancelAsync();
        await Task.WhenAny(all, Task.Delay(TimeSpan.FromMilliseconds(500)));
    }

    public async ValueTask DisposeAsync()
    {
        await _link.DisposeAsync();
        _reading.Dispose();
        _working.Dispose();
    }
}
