namespace EcoLora.Messaging;

/// <summary>A message as a subscriber gets it: the bytes that were published, nothing around them.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Key">The partition key: messages of one key may keep their order, others need not.</param>
/// <param name="Payload">The bytes.</param>
public sealed record BusMessage(string Topic, string Key, ReadOnlyMemory<byte> Payload)
{
    /// <summary>Who has said it; null on a bus without signatures, where everybody may say everything.</summary>
    public Signer? Signer { get; init; }

    /// <summary>Topic and signer, for people.</summary>
    public string From => Signer is null ? Topic : $"{Topic}, signed by {Signer}";
}

/// <summary>A handler's answer, with the meaning that Dapr's pub/sub gives it.</summary>
public enum Verdict
{
    /// <summary>Handled, and what must survive is durable.</summary>
    Success,

    /// <summary>Not now: deliver again later, because it can get better.</summary>
    Retry,

    /// <summary>Never: a copy goes to the dead-letter topic <c>{topic}.dead</c>.</summary>
    Drop,
}

/// <summary>
/// Publish and subscribe with delivery at least once and no order across keys. Every consumer name gets every message of its topic. The
/// conformance suite in tests/EcoLora.Messaging.Tests says what an implementation must do.
/// </summary>
public interface IMessageBus
{
    /// <summary>What a topic's name ends with that takes the messages another one dropped.</summary>
    const string DeadLetterSuffix = ".dead";

    /// <summary>Bytes that every message has on the broker besides its payload, such as a signature: they count in the ledger.</summary>
    int Overhead => 0;

    /// <summary>Publishes; returns when the message is accepted for delivery.</summary>
    Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation);

    /// <summary>
    /// Subscribes before the bus starts to deliver. The handler stores durably, then answers; it must not do long work. An exception counts as
    /// <see cref="Verdict.Retry"/>.
    /// </summary>
    void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler);
}
