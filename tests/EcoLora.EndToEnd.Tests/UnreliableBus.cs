using EcoLora.Messaging;
using EcoLora.Numerics;

namespace EcoLora.EndToEnd.Tests;

/// <summary>
/// A bus that does what brokers do: delivers some messages twice, holds some back until later ones have passed, and makes some handlers answer
/// that they must be asked again. It loses nothing: delivery is at least once.
/// </summary>
internal sealed class UnreliableBus(IMessageBus inner, ulong seed) : IMessageBus
{
    private readonly RandomStream _stream = new(seed, "unreliable");
    private readonly Lock _lock = new();

    public async Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        int copies = Draw(3) == 0 ? 2 : 1;
        for (int i = 0; i < copies; i++) await inner.PublishAsync(topic, key, payload, cancellation);
    }

    public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler)
    {
        var attempts = new Dictionary<string, int>();
        inner.Subscribe(topic, consumer, async (message, cancellation) =>
        {
            string identity = Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(message.Payload.Span));
            int attempt = attempts[identity] = attempts.GetValueOrDefault(identity) + 1;
            if (attempt <= 2 && Draw(3) == 0) return Verdict.Retry;
            Verdict verdict = await handler(message, cancellation);
            // The acknowledgement is lost after the handler has done its work: it will be asked once more.
            return verdict == Verdict.Success && attempt <= 2 && Draw(4) == 0 ? Verdict.Retry : verdict;
        });
    }

    private int Draw(int range)
    {
        lock (_lock) return _stream.NextInt32(range);
    }
}
