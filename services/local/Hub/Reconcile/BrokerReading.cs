using EcoLora.Messaging;

namespace EcoLora.Local.Hub;

/// <summary>A broker's own count of a topic's messages, beside ours.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Counter">What the broker calls it.</param>
/// <param name="Broker">What it says.</param>
/// <param name="Here">What was read, or what it must be at least.</param>
/// <param name="Agrees">Whether the two agree within the tolerance.</param>
internal sealed record BrokerCount(string Topic, string Counter, long Broker, long Here, bool Agrees);

/// <summary>Reads a topic of a broker again.</summary>
/// <param name="topic">The topic.</param>
/// <param name="take">Is given each message.</param>
/// <returns>The broker's own count.</returns>
internal delegate BrokerCount ReadTopic(string topic, Action<StoredMessage> take);
