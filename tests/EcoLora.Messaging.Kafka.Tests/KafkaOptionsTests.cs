namespace EcoLora.Messaging.Kafka.Tests;

public sealed class KafkaOptionsTests
{
    private static readonly KafkaOptions _usable = new("localhost:9092", "codec-north");

    public static TheoryData<KafkaOptions, string> Unusable => new()
    {
        { _usable with { Brokers = " " }, "Kafka, Brokers: expected host:port, several with commas between, found ' '" },
        { _usable with { Group = "" }, "Kafka, Group: expected the app id, found ''" },
        { _usable with { Tries = 0 }, "Kafka, Tries: expected 1 to 10000, found 0" },
        { _usable with { Parallelism = 257 }, "Kafka, Parallelism: expected 1 to 256, found 257" },
        { _usable with { FirstPause = TimeSpan.Zero }, "Kafka, FirstPause: expected 00:00:00.0010000 to 01:00:00, found 00:00:00" },
        { _usable with { LongestPause = TimeSpan.FromMilliseconds(99) }, "Kafka, LongestPause: expected 00:00:00.1000000 to 01:00:00, found 00:00:00.0990000" },
        { _usable with { Patience = TimeSpan.FromDays(1) }, "Kafka, Patience: expected 00:00:01 to 01:00:00, found 1.00:00:00" },
        { With("plugin.library.paths", "x"), "Kafka, Security: expected security.protocol, sasl.* and ssl.*, found 'plugin.library.paths'" },
    };

    [Theory]
    [MemberData(nameof(Unusable))]
    public void What_cannot_be_used_is_named_with_its_value_and_the_limit(KafkaOptions options, string message)
    {
        ArgumentNullException.ThrowIfNull(options);
        Assert.Equal(message, Assert.Throws<FormatException>(options.Checked).Message);
    }

    [Fact]
    public void Secrets_are_in_no_text()
    {
        string text = With("sasl.password", "hunter2").Checked().ToString();
        Assert.DoesNotContain("hunter2", text, StringComparison.Ordinal);
        Assert.EndsWith("security settings: sasl.password", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Pauses_double_up_to_the_longest() =>
        Assert.Equal([100, 200, 400, 800, 1600, 2000, 2000], new[] { 1, 2, 3, 4, 5, 6, 10_000 }.Select(attempt => _usable.PauseAfter(attempt).TotalMilliseconds));

    private static KafkaOptions With(string setting, string value) => _usable with { Security = new Dictionary<string, string> { [setting] = value } };
}
