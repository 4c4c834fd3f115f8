using System.Globalization;
using Confluent.Kafka;

namespace EcoLora.DaprSidecar;

/// <summary>The metadata of a <c>pubsub.kafka</c> component with its defaults. Only clusters that trust everybody are known to this tool, and no schema registries.</summary>
internal sealed record KafkaSettings
{
    private static readonly string[] _known =
    [
        "brokers", "authType", "consumerGroup", "consumerID", "initialOffset", "maxMessageBytes", "producerRequiredAcks", "compression", "consumeRetryEnabled",
        "consumeRetryInterval", "allowedTopics", "publishingScopes", "subscriptionScopes", "protectedTopics",
    ];

    public required string Brokers { get; init; }

    /// <summary>consumerGroup, else consumerID, else the app id.</summary>
    public required string Group { get; init; }

    /// <summary>Where a group begins that is new to a partition. By default it misses what was published before.</summary>
    public AutoOffsetReset InitialOffset { get; init; }

    /// <summary>Largest message, before compression.</summary>
    public int MaxMessageBytes { get; init; }

    public Acks RequiredAcks { get; init; }

    public CompressionType Compression { get; init; }

    /// <summary>Whether a message whose handler has failed is handed over again, for ever; else it is passed over.</summary>
    public bool ConsumeRetryEnabled { get; init; }

    public TimeSpan ConsumeRetryInterval { get; init; }

    public static KafkaSettings Of(Component component, string appId)
    {
        if (component.Metadata.Keys.FirstOrDefault(key => !_known.Contains(key, StringComparer.OrdinalIgnoreCase)) is { } unknown)
            throw new FormatException($"component {component.Name}: expected one of {string.Join(", ", _known)}, found {unknown}");
        OneOf("authType", "", ["none"]);
        return new()
        {
            Brokers = component["brokers"] ?? throw new FormatException($"component {component.Name}: expected brokers, found none"),
            Group = component["consumerGroup"] ?? component["consumerID"] ?? appId,
            InitialOffset = OneOf("initialOffset", "newest", ["newest", "oldest"]) == "oldest" ? AutoOffsetReset.Earliest : AutoOffsetReset.Latest,
            MaxMessageBytes = Number("maxMessageBytes", 1 << 20),
            RequiredAcks = OneOf("producerRequiredAcks", "all", ["none", "leader", "all"]) switch { "none" => Acks.None, "leader" => Acks.Leader, _ => Acks.All },
            Compression = Enum.Parse<CompressionType>(OneOf("compression", "none", ["none", "gzip", "snappy", "lz4", "zstd"]), ignoreCase: true),
            ConsumeRetryEnabled = (component["consumeRetryEnabled"] ?? "true").ToLowerInvariant() is "1" or "y" or "yes" or "t" or "true" or "on",
            ConsumeRetryInterval = GoDuration.Parse(component["consumeRetryInterval"] ?? "100ms"),
        };

        int Number(string key, int otherwise) => component[key] is not { } text ? otherwise
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= 1000 ? number
            : throw new FormatException($"component {component.Name}: expected {key} from 1000 to {int.MaxValue}, found {text}");

        string OneOf(string key, string otherwise, string[] known) => (component[key] ?? otherwise) is var text && known.Contains(text) ? text
            : throw new FormatException($"component {component.Name}: expected {key} to be one of {string.Join(", ", known)}, found {text}");
    }
}
