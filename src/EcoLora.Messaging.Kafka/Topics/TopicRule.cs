using System.Globalization;

namespace EcoLora.Messaging.Kafka;

/// <summary>What a topic must be so that no message of ours is refused, or forgotten too early.</summary>
/// <param name="Partitions">How many partitions at least; messages of one key stay in one of them, unless their number changes.</param>
/// <param name="Copies">On how many brokers each message is at least; one of them may be out of sync while it is accepted.</param>
/// <param name="Retention">How long messages are kept at least, whoever has read them.</param>
public sealed record TopicRule(int Partitions, int Copies, TimeSpan Retention)
{
    /// <summary>Largest message with its key that a topic must take.</summary>
    public const int LargestMessage = KafkaPublisher.MaximumSize;

    /// <summary>What is asked for when a topic is made.</summary>
    public IReadOnlyDictionary<string, string> Settings => new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["cleanup.policy"] = "delete",
        ["retention.ms"] = ((long)Retention.TotalMilliseconds).ToString(CultureInfo.InvariantCulture),
        ["retention.bytes"] = "-1",
        ["max.message.bytes"] = LargestMessage.ToString(CultureInfo.InvariantCulture),
        ["min.insync.replicas"] = InSync.ToString(CultureInfo.InvariantCulture),
    };

    private int InSync => Math.Max(1, Copies - 1);

    /// <summary>Where a topic falls short of this, in words: what was expected, and what was found. What the broker does not tell is not judged.</summary>
    public IEnumerable<string> Faults(TopicFacts topic)
    {
        ArgumentNullException.ThrowIfNull(topic);
        if (topic.Partitions < Partitions) yield return Short("partitions", Partitions, topic.Partitions);
        if (topic.Copies < Copies) yield return Short("copies", Copies, topic.Copies);
        if (topic.Settings is not { } settings) yield break;
        // A compacted topic forgets all messages of a key but the last.
        if (settings.TryGetValue("cleanup.policy", out string? policy) && policy != "delete") yield return $"cleanup.policy: expected delete, found {policy}";
        // -1 is for ever, without a limit.
        if (Number(settings, "retention.ms") is { } kept and not -1 && kept < Retention.TotalMilliseconds) yield return Short("retention.ms", (long)Retention.TotalMilliseconds, kept);
        if (Number(settings, "retention.bytes") is { } bytes and not -1) yield return $"retention.bytes: expected -1, so that only time ends a message, found {bytes}";
        if (Number(settings, "max.message.bytes") is { } largest && largest < LargestMessage) yield return Short("max.message.bytes", LargestMessage, largest);
        if (Number(settings, "min.insync.replicas") is not { } inSync) yield break;
        if (inSync < InSync) yield return Short("min.insync.replicas", InSync, inSync);
        else if (inSync > topic.Copies) yield return $"min.insync.replicas: expected at most the {topic.Copies} copies, found {inSync}: nothing can be published";
    }

    private static string Short(string what, long least, long found) => $"{what}: expected {least} or more, found {found}";

    private static long? Number(IReadOnlyDictionary<string, string> settings, string name) =>
        settings.TryGetValue(name, out string? text) && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? value : null;
}

/// <summary>A topic as the brokers have it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Partitions">Number of partitions.</param>
/// <param name="Copies">Number of brokers that each message is on.</param>
/// <param name="Settings">Its settings by their names; null where the brokers do not tell them.</param>
/// <param name="Messages">Offsets from the oldest kept to the newest: messages, where nothing but messages has an offset.</param>
/// <param name="Forgotten">Offsets before the oldest kept.</param>
public sealed record TopicFacts(string Name, int Partitions, int Copies, IReadOnlyDictionary<string, string>? Settings, long Messages, long Forgotten);

/// <summary>How far a consumer group is behind on a topic.</summary>
/// <param name="Group">The group: an app id.</param>
/// <param name="Topic">The topic.</param>
/// <param name="Behind">Messages that are kept and that the group has not committed.</param>
/// <param name="Lost">Messages that were forgotten before the group committed them.</param>
public sealed record GroupLag(string Group, string Topic, long Behind, long Lost);
