using EcoLora.DaprTestKit;

namespace EcoLora.Messaging.Kafka.Tests;

/// <summary>A consumer of a topic, as the tests of faults have them.</summary>
internal static class Listener
{
    /// <summary>Longer than a group's first member waits, else the mock cluster takes it for dead.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(6);

    /// <summary>Starts a member of the group <c>consumer</c> that accepts everything.</summary>
    public static KafkaBus Listen(this MockKafka kafka, string topic, Inbox inbox, Action<string>? troubled = null)
    {
        var bus = new KafkaBus(new KafkaOptions(kafka.Endpoint, "consumer") { Silence = Silence }) { Troubled = troubled };
        bus.Subscribe(topic, "consumer", (message, _) => inbox.AnswerAsync(message));
        bus.Start();
        return bus;
    }
}
