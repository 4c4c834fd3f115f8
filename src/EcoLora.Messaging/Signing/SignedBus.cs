namespace EcoLora.Messaging;

/// <summary>Whom a bus speaks for, and whom it believes.</summary>
/// <param name="Key">Signs what is published.</param>
/// <param name="Hub">The hub's key, whose name is part of every signature.</param>
/// <param name="FindAsync">
/// Looks a key up; null for one that nobody is known by. Asked of every message, before its signature is looked at, so it must cost no more than a look into
/// memory for names that somebody made up.
/// </param>
public sealed record BusTrust(SigningKey Key, PublicKey Hub, Func<KeyId, CancellationToken, ValueTask<KnownKey?>> FindAsync);

/// <summary>
/// A bus whose messages are signed: handlers see only what somebody has said whom this side knows, and who that was. Everything else is dropped and counted;
/// its dead letter has the signature, since that is what lay on the broker.
/// </summary>
/// <param name="inner">Carries the signed bytes.</param>
/// <param name="trust">Whom it speaks for and believes.</param>
public sealed class SignedBus(IMessageBus inner, BusTrust trust) : IMessageBus
{
    /// <summary>Messages that no handler saw; reasons begin with <c>signature: </c>.</summary>
    public Refusals Refused { get; init; } = new();

    /// <inheritdoc/>
    public int Overhead => inner.Overhead + SignedMessage.HeaderSize;

    /// <inheritdoc/>
    public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation) =>
        inner.PublishAsync(topic, key, SignedMessage.Write(SaidOn(topic), payload.Span, trust.Key, trust.Hub.Id), cancellation);

    /// <inheritdoc/>
    public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler) =>
        inner.Subscribe(topic, consumer, async (message, cancellation) =>
        {
            if (SignedMessage.KeyOf(message.Payload.Span) is not { } id) return Refuse(topic, "unsigned");
            if (await trust.FindAsync(id, cancellation) is not { } known) return Refuse(topic, "unknown key", $", key {id}");
            if (known.IsRevoked) return Refuse(topic, "revoked key", $", signed by {known.Signer}");
            if (!SignedMessage.IsGenuine(SaidOn(topic), message.Payload.Span, known.Key, trust.Hub.Id)) return Refuse(topic, "forged signature", $", said to be signed by {known.Signer}");
            return await handler(message with { Payload = message.Payload[SignedMessage.HeaderSize..], Signer = known.Signer }, cancellation);
        });

    private Verdict Refuse(string topic, string reason, string whose = "") => Refused.Drop("signature: " + reason, topic + whose);

    /// <summary>A dead letter is signed for the topic that it comes from.</summary>
    private static string SaidOn(string topic) => topic.EndsWith(IMessageBus.DeadLetterSuffix, StringComparison.Ordinal) ? topic[..^IMessageBus.DeadLetterSuffix.Length] : topic;
}
