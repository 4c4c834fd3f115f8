namespace EcoLora.Messaging;

/// <summary>
/// A bus that carries messages of any size over one that takes 900 KiB: larger ones go in parts, which are put together before a handler sees the message. Around a
/// <see cref="SignedBus"/> every part has its signature, so only who is known can have parts kept for others.
/// </summary>
/// <param name="inner">Carries messages and parts.</param>
/// <param name="parts">Where parts of large messages wait for the others.</param>
public sealed class PartedBus(IMessageBus inner, PartStore parts) : IMessageBus, IDisposable
{
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>Parts that no handler saw; reasons begin with <c>part: </c>.</summary>
    public Refusals Refused { get; init; } = new();

    /// <inheritdoc/>
    public int Overhead => inner.Overhead;

    /// <inheritdoc/>
    public async Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        foreach (ReadOnlyMemory<byte> bytes in MessagePart.Cut(payload)) await inner.PublishAsync(topic, key, bytes, cancellation);
    }

    /// <inheritdoc/>
    public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler) => inner.Subscribe(topic, consumer, async (message, cancellation) =>
    {
        if (!MessagePart.IsPart(message.Payload.Span)) return await handler(message, cancellation);
        try
        {
            return await TakeAsync(message, MessagePart.Read(message.Payload), handler, cancellation);
        }
        catch (PartException exception)
        {
            return Refused.Drop("part: " + exception.Field, message.From);
        }
    });

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    private async Task<Verdict> TakeAsync(BusMessage message, MessagePart part, Func<BusMessage, CancellationToken, Task<Verdict>> handler, CancellationToken cancellation)
    {
        // One part at a time, so that a message's handler does not run for two of them at once.
        await _turn.WaitAsync(cancellation);
        try
        {
            switch (parts.Add(part, message.Signer))
            {
                case PartFate.Stored or PartFate.Handled: return Verdict.Success;
                case PartFate.NoRoom:
                    Refused.Count("part: no room", message.From);
                    return Verdict.Retry;
            }
            byte[] whole = parts.Join(part, message.Signer);
            Verdict verdict = await handler(message with { Payload = whole }, cancellation);
            if (verdict == Verdict.Retry) return verdict;
            // The bus moves the part that it holds to the dead letters; the others were acknowledged.
            if (verdict == Verdict.Drop)
                foreach (ReadOnlyMemory<byte> bytes in MessagePart.Cut(whole))
                    if (MessagePart.Read(bytes).Offset != part.Offset) await inner.PublishAsync(message.Topic + IMessageBus.DeadLetterSuffix, message.Key, bytes, cancellation);
            parts.Settle(part, message.Signer);
            return verdict;
        }
        finally
        {
            _turn.Release();
        }
    }
}
