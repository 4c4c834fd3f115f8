namespace EcoLora.DaprSidecar;

/// <summary>A message as the broker holds it.</summary>
internal sealed record BrokerMessage(string Topic, string Id, byte[] Data, IReadOnlyDictionary<string, string> Metadata);

/// <summary>
/// Handles one message. True: handled, false: failed; Redis acknowledges both. An exception leaves the message pending.
/// </summary>
/// <param name="message">The message.</param>
/// <param name="limit">Ends with the component's processingTimeout or the shutdown.</param>
/// <param name="shutdown">Ends when the process ends.</param>
internal delegate Task<bool> BrokerHandler(BrokerMessage message, CancellationToken limit, CancellationToken shutdown);
