using System.Globalization;

namespace EcoLora.DaprSidecar;

/// <summary>
/// The metadata of a <c>pubsub.rabbitmq</c> component with its defaults, which lose messages: transient ones, queues that go with their last consumer,
/// no second try. TLS, priorities and the queue types of single subscriptions are not known to this tool.
/// </summary>
internal sealed record RabbitSettings
{
    private static readonly string[] _exchangeKinds = ["fanout", "topic", "direct", "headers"];

    public required Uri Address { get; init; }

    /// <summary>The first half of queue names: {consumerID}-{topic}. The app id unless told.</summary>
    public required string ConsumerId { get; init; }

    /// <summary>Whether queues and exchanges outlive the broker; their messages do only with delivery mode 2.</summary>
    public bool Durable { get; init; }

    public bool DeletedWhenUnused { get; init; }

    public bool AutoAck { get; init; }

    public bool RequeueInFailure { get; init; }

    /// <summary>2 is persistent, 0 and 1 are transient.</summary>
    public int DeliveryMode { get; init; }

    /// <summary>How many messages a subscription has in hand; 0 is no limit.</summary>
    public int PrefetchCount { get; init; }

    public TimeSpan ReconnectWait { get; init; }

    /// <summary>Whether a subscription hands on one message after the other.</summary>
    public bool Single { get; init; }

    public bool PublisherConfirm { get; init; }

    /// <summary>Whether what is refused without requeueing goes to a queue dlq-{queue}: RabbitMQ's own dead letters, not Dapr's.</summary>
    public bool EnableDeadLetter { get; init; }

    public long MaxLength { get; init; }

    public long MaxLengthBytes { get; init; }

    public required string ExchangeKind { get; init; }

    /// <summary>How long a message waits in a queue unless its publish says; null for as long as it takes.</summary>
    public TimeSpan? TimeToLive { get; init; }

    public static RabbitSettings Of(Component component, string appId)
    {
        return new()
        {
            Address = AddressOf(component),
            ConsumerId = component["consumerID"] ?? appId,
            Durable = Flag("durable", true),
            DeletedWhenUnused = Flag("deletedWhenUnused", true),
            AutoAck = Flag("autoAck", false),
            RequeueInFailure = Flag("requeueInFailure", false),
            DeliveryMode = (int)Number("deliveryMode", 0, 2),
            PrefetchCount = (int)Number("prefetchCount", 0, byte.MaxValue),
            ReconnectWait = component["reconnectWaitSeconds"] is { } wait ? Seconds(wait) : TimeSpan.FromSeconds(3),
            // "concurrency" exists in the component's source and is never read.
            Single = OneOf("concurrencyMode", "parallel", ["single", "parallel"]) == "single",
            PublisherConfirm = Flag("publisherConfirm", false),
            EnableDeadLetter = Flag("enableDeadLetter", false),
            MaxLength = Number("maxLen", 0, long.MaxValue),
            MaxLengthBytes = Number("maxLenBytes", 0, long.MaxValue),
            ExchangeKind = OneOf("exchangeKind", "fanout", _exchangeKinds),
            TimeToLive = Number("ttlInSeconds", 0, int.MaxValue) is > 0 and var seconds ? TimeSpan.FromSeconds(seconds) : null,
        };

        bool Flag(string key, bool otherwise) =>
            component[key] is { } text ? text.ToLowerInvariant() is "1" or "y" or "yes" or "t" or "true" or "on" : otherwise;

        long Number(string key, long otherwise, long most) => component[key] is not { } text ? otherwise
            : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number <= most ? number
            : throw new FormatException($"component {component.Name}: expected {key} from 0 to {most}, found {text}");

        string OneOf(string key, string otherwise, string[] known) => component[key] is not { } text ? otherwise
            : known.Contains(text) ? text
            : throw new FormatException($"component {component.Name}: expected {key} to be one of {string.Join(", ", known)}, found {text}");
    }

    /// <summary>connectionString, or what protocol, hostname, username and password say; without a password guest's is tried.</summary>
    private static Uri AddressOf(Component component)
    {
        string address = component["connectionString"] ?? component["host"] ?? "";
        if (address.Length == 0)
        {
            string user = component["username"] is not { } name ? ""
                : component["password"] is { } password ? $"{Uri.EscapeDataString(name)}:{Uri.EscapeDataString(password)}@"
                : $"{Uri.EscapeDataString(name)}@";
            address = $"{component["protocol"] ?? "amqp"}://{user}{component["hostname"] ?? "localhost"}";
        }
        return Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) && uri.Scheme == "amqp"
            ? uri
            : throw new FormatException($"component {component.Name}: expected an address amqp://…, found another");
    }

    /// <summary>A duration, or a whole number of seconds.</summary>
    private static TimeSpan Seconds(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) ? TimeSpan.FromSeconds(seconds) : GoDuration.Parse(text);
}
