namespace EcoLora.DaprSidecar;

/// <summary>A pubsub component: takes messages, and hands them to one handler a subscription.</summary>
internal interface IBroker : IAsyncDisposable
{
    Component Component { get; }

    /// <summary>Whether the broker itself drops messages that are too old; else their envelopes say when.</summary>
    bool HandlesTtl { get; }

    /// <summary>Puts exactly these bytes on the broker; <see cref="BrokerException"/> where it does not take them.</summary>
    Task PublishAsync(string topic, byte[] data, IReadOnlyDictionary<string, string> metadata);

    /// <summary>Starts to deliver a topic to this app; <see cref="BrokerException"/> where the broker does not allow it.</summary>
    Task SubscribeAsync(TopicSubscription subscription, BrokerHandler handler);

    /// <summary>Takes no more messages; those with the app may end within the grace time, the rest stays with the broker.</summary>
    Task DrainAsync(TimeSpan grace);
}

/// <summary>The broker refused, was away or broke off.</summary>
internal sealed class BrokerException(string message, Exception? inner = null) : IOException(message, inner);
