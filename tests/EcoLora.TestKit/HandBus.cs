using EcoLora.Messaging;

namespace EcoLora.TestKit;

/// <summary>A bus that delivers when it is told, and shows the verdict.</summary>
public sealed class HandBus : IMessageBus
{
    private readonly Dictionary<string, Func<BusMessage, CancellationToken, Task<Verdict>>> _handlers = [];

    /// <summary>What was published.</summary>
    public List<BusMessage> Published { get; } = [];

    /// <inheritdoc/>
    public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        Published.Add(new BusMessage(topic, key, payload));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler) => _handlers.Add(topic, handler);

    /// <summary>Hands a message to the topic's handler.</summary>
    public Task<Verdict> DeliverAsync(string topic, byte[] payload, Signer? signer = null) =>
        _handlers[topic](new BusMessage(topic, "key", payload) { Signer = signer }, Xunit.TestContext.Current.CancellationToken);
}
