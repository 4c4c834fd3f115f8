using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Tests;

/// <summary>A bus that delivers when it is told, and shows the verdict.</summary>
internal sealed class HandBus : IMessageBus
{
    private readonly Dictionary<string, Func<BusMessage, CancellationToken, Task<Verdict>>> _handlers = [];

    public List<BusMessage> Published { get; } = [];

    public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        Published.Add(new BusMessage(topic, key, payload));
        return Task.CompletedTask;
    }

    public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler) => _handlers.Add(topic, handler);

    public async Task DecideAsync(RoundMessage message, Signer? signer = null) => Assert.Equal(Verdict.Success, await DeliverAsync(Topics.Rounds, ProtocolJson.Write(message), signer));

    public Task<Verdict> DeliverAsync(string topic, byte[] payload, Signer? signer = null) =>
        _handlers[topic](new BusMessage(topic, "key", payload) { Signer = signer }, TestContext.Current.CancellationToken);
}
