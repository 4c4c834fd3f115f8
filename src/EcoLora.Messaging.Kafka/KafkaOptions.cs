namespace EcoLora.Messaging.Kafka;

/// <summary>How an app reaches Kafka, and how patient it is. Its text names no setting's value, since some are secrets.</summary>
/// <param name="Brokers">Where the cluster is found: <c>host:port</c>, several with commas between.</param>
/// <param name="Group">The app's consumer group: its app id.</param>
public sealed record KafkaOptions(string Brokers, string Group)
{
    private static readonly TimeSpan _longestWait = TimeSpan.FromHours(1);

    /// <summary>How the cluster is spoken to safely: librdkafka's settings <c>security.protocol</c>, <c>sasl.*</c> and <c>ssl.*</c>. None for a cluster that trusts everybody.</summary>
    public IReadOnlyDictionary<string, string> Security { get; init; } = new Dictionary<string, string>();

    /// <summary>How often a message is handed over before it becomes a dead letter; 1 to 10,000. By default it takes about two minutes.</summary>
    public int Tries { get; init; } = 60;

    /// <summary>The pause before the second try; it doubles from try to try. 1 ms to 1 h.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest pause between tries; <see cref="FirstPause"/> to 1 h.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How many partitions' messages are handled at once; 1 to 256.</summary>
    public int Parallelism { get; init; } = 4;

    /// <summary>How long a message that the brokers do not accept is tried again before its publisher is told; 1 s to 1 h.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a member of the group that fell silent keeps its partitions. Tests do not wait as long.</summary>
    internal TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>These options, if each can be used.</summary>
    /// <exception cref="FormatException">One cannot; the message names it, its value and the limit.</exception>
    public KafkaOptions Checked()
    {
        if (string.IsNullOrWhiteSpace(Brokers)) throw new FormatException($"Kafka, {nameof(Brokers)}: expected host:port, several with commas between, found '{Brokers}'");
        if (string.IsNullOrWhiteSpace(Group)) throw new FormatException($"Kafka, {nameof(Group)}: expected the app id, found '{Group}'");
        foreach (string name in Security.Keys)
            if (name != "security.protocol" && !name.StartsWith("sasl.", StringComparison.Ordinal) && !name.StartsWith("ssl.", StringComparison.Ordinal))
                throw new FormatException($"Kafka, {nameof(Security)}: expected security.protocol, sasl.* and ssl.*, found '{name}'");
        CheckNumber(nameof(Tries), Tries, 1, 10_000);
        CheckNumber(nameof(Parallelism), Parallelism, 1, 256);
        CheckTime(nameof(FirstPause), FirstPause, TimeSpan.FromMilliseconds(1));
        CheckTime(nameof(LongestPause), LongestPause, FirstPause);
        CheckTime(nameof(Patience), Patience, TimeSpan.FromSeconds(1));
        return this;
    }

    /// <summary>How long to wait after a try.</summary>
    /// <param name="attempt">Its number, from 1.</param>
    public TimeSpan PauseAfter(int attempt) => TimeSpan.FromTicks((long)Math.Min(LongestPause.Ticks, FirstPause.Ticks * Math.Pow(2, attempt - 1)));

    /// <summary>Brokers, group and limits; of the security settings only their names.</summary>
    public override string ToString() =>
        $"Kafka at {Brokers}, group {Group}, {Tries} tries with pauses from {FirstPause} to {LongestPause}, {Parallelism} partitions at once, patience {Patience}, "
        + $"security settings: {(Security.Count == 0 ? "none" : string.Join(", ", Security.Keys.Order(StringComparer.Ordinal)))}";

    private static void CheckNumber(string name, int value, int least, int most)
    {
        if (value < least || value > most) throw new FormatException($"Kafka, {name}: expected {least} to {most}, found {value}");
    }

    private static void CheckTime(string name, TimeSpan value, TimeSpan least)
    {
        if (value < least || value > _longestWait) throw new FormatException($"Kafka, {name}: expected {least} to {_longestWait}, found {value}");
    }
}
