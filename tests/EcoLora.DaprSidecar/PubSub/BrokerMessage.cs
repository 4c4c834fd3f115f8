namespace EcoLora.DaprSidecar;

/// <summary>A message as the broker holds it.</summary>
internal sealed record BrokerMessage(string Topic, string Id, byte[] Data, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>The message with one more metadata value.</summary>
    public BrokerMessage With(string name, string value) =>
        this with { Metadata = new Dictionary<string, string>(Metadata, StringComparer.OrdinalIgnoreCase) { [name] = value } };
}

/// <summary>
/// Handles one message. True: handled, false: failed; what a failure means is the broker's affair. An exception leaves the message with the broker.
/// </summary>
/// <param name="message">The message.</param>
/// <param name="shutdown">Ends when the process ends.</param>
internal delegate Task<bool> BrokerHandler(BrokerMessage message, CancellationToken shutdown);
