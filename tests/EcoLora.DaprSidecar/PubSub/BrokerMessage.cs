namespace EcoLora.DaprSidecar;

/// <summary>A message as the broker holds it.</summary>
internal sealed record BrokerMessage(string Topic, string Id, byte[] Data, IReadOnlyDictionary<string, string> Metadata);

/// <summary>
/// Handles one message. True: handled, false: failed; what a failure means is the broker's affair. An exception leaves the message with the broker.
/// </summary>
/// <param name="message">The message.</param>
/// <param name="limit">Ends with the shutdown, or before where a broker limits the time for a message.</param>
/// <param name="shutdown">Ends when the process ends.</param>
internal delegate Task<bool> BrokerHandler(BrokerMessage message, CancellationToken limit, CancellationToken shutdown);
