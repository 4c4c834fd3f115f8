using System.Runtime.InteropServices;
using Confluent.Kafka;
using EcoLora.Messaging.Kafka;

namespace EcoLora.DaprTestKit;

/// <summary>Requests of Kafka's protocol, by their numbers there.</summary>
public enum KafkaRequest
{
    /// <summary>Messages of a publisher.</summary>
    Produce = 0,

    /// <summary>A consumer asks for messages.</summary>
    Fetch = 1,

    /// <summary>A consumer says how far it is.</summary>
    OffsetCommit = 8,
}

/// <summary>
/// Brokers of the test's own: librdkafka's mock cluster, which speaks Kafka's protocol over sockets. Topics make themselves, with four partitions. It keeps the last 5 MB of
/// a partition in memory, and lets a group's first member wait for three seconds. Where librdkafka is not installed, the test is reported as skipped.
/// </summary>
public sealed class MockKafka : IDisposable
{
    /// <summary>Why a test that needs Kafka is skipped.</summary>
    public const string SkipReason = "needs librdkafka (Debian: apt-get install librdkafka1)";

    private const string Library = "librdkafka.so.1";
    private readonly nint _client;
    private readonly nint _cluster;

    private MockKafka(int brokers)
    {
        Librdkafka.Require();
        nint settings = rd_kafka_conf_new();
        byte[] error = new byte[512];
        if (rd_kafka_conf_set(settings, "log_level", "0", error, (nuint)error.Length) != 0) throw new InvalidOperationException(Text(error));
        // Nothing is published by it: it lends the cluster its thread.
        _client = rd_kafka_new(0, settings, error, (nuint)error.Length);
        if (_client == 0) throw new InvalidOperationException(Text(error));
        _cluster = rd_kafka_mock_cluster_new(_client, brokers);
        Brokers = brokers;
        Endpoint = Marshal.PtrToStringUTF8(rd_kafka_mock_cluster_bootstraps(_cluster))!;
    }

    /// <summary>Whether librdkafka is there.</summary>
    public static bool IsInstalled { get; } = NativeLibrary.TryLoad(Library, out _);

    /// <summary>How many brokers there are; their numbers begin with 1.</summary>
    public int Brokers { get; }

    /// <summary>Hosts and ports, as clients and component files want them.</summary>
    public string Endpoint { get; }

    /// <summary>Starts some.</summary>
    public static MockKafka Start(int brokers = 3)
    {
        Xunit.Assert.SkipUnless(IsInstalled, SkipReason);
        return new MockKafka(brokers);
    }

    /// <summary>Makes a topic with another number of partitions than four.</summary>
    public void CreateTopic(string topic, int partitions) => Check(rd_kafka_mock_topic_create(_cluster, topic, partitions, 1));

    /// <summary>A broker breaks its connections and takes no more; what it has stays.</summary>
    public void StopBroker(int number) => Check(rd_kafka_mock_broker_set_down(_cluster, number));

    /// <summary>A broker is back.</summary>
    public void StartBroker(int number) => Check(rd_kafka_mock_broker_set_up(_cluster, number));

    /// <summary>Every broker answers so much later.</summary>
    public void SetRoundTrip(TimeSpan time)
    {
        for (int broker = 1; broker <= Brokers; broker++) Check(rd_kafka_mock_broker_set_rtt(_cluster, broker, (int)time.TotalMilliseconds));
    }

    /// <summary>The next requests of a kind are answered with these errors, one each.</summary>
    public void Fail(KafkaRequest request, params ErrorCode[] errors)
    {
        ArgumentNullException.ThrowIfNull(errors);
        rd_kafka_mock_push_request_errors_array(_cluster, (short)request, (nuint)errors.Length, [.. errors.Select(error => (int)error)]);
    }

    /// <summary>Errors that are left are forgotten.</summary>
    public void StopFailing(KafkaRequest request) => rd_kafka_mock_clear_request_errors(_cluster, (short)request);

    /// <summary>Puts a message on a topic as anybody may.</summary>
    public async Task PublishAsync(string topic, byte[]? key, byte[]? value)
    {
        using IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = Endpoint, MessageMaxBytes = 8 << 20 }).Build();
        await producer.ProduceAsync(topic, new Message<byte[], byte[]> { Key = key!, Value = value! });
    }

    /// <summary>The first messages of a topic, as they lie there; of several partitions in no order.</summary>
    public async Task<IReadOnlyList<Message<byte[], byte[]>>> ReadAsync(string topic, int count, int partitions = 4)
    {
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig { BootstrapServers = Endpoint, GroupId = "reader", AllowAutoCreateTopics = true }).Build();
        consumer.Assign(Enumerable.Range(0, partitions).Select(partition => new TopicPartitionOffset(topic, partition, Offset.Beginning)));
        List<Message<byte[], byte[]>> messages = [];
        await Task.Run(() => Eventually.TrueAsync(
            () =>
            {
                while (messages.Count < count && consumer.Consume(TimeSpan.FromMilliseconds(100)) is { } result) messages.Add(result.Message);
                return messages.Count == count;
            },
            $"{count} messages on {topic}"));
        return messages;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        rd_kafka_mock_cluster_destroy(_cluster);
        rd_kafka_destroy(_client);
    }

    private static string Text(byte[] error) => System.Text.Encoding.UTF8.GetString(error).TrimEnd('\0');

    private static void Check(int error)
    {
        if (error != 0) throw new InvalidOperationException($"mock cluster: {(ErrorCode)error}");
    }

#pragma warning disable IDE1006, SYSLIB1054, CA5392 // librdkafka's own names, in a test tool.
    [DllImport(Library)]
    private static extern nint rd_kafka_conf_new();

    [DllImport(Library)]
    private static extern int rd_kafka_conf_set(nint conf, [MarshalAs(UnmanagedType.LPUTF8Str)] string name, [MarshalAs(UnmanagedType.LPUTF8Str)] string value, byte[] error, nuint size);

    [DllImport(Library)]
    private static extern nint rd_kafka_new(int type, nint conf, byte[] error, nuint size);

    [DllImport(Library)]
    private static extern void rd_kafka_destroy(nint client);

    [DllImport(Library)]
    private static extern nint rd_kafka_mock_cluster_new(nint client, int brokers);

    [DllImport(Library)]
    private static extern void rd_kafka_mock_cluster_destroy(nint cluster);

    [DllImport(Library)]
    private static extern nint rd_kafka_mock_cluster_bootstraps(nint cluster);

    [DllImport(Library)]
    private static extern int rd_kafka_mock_topic_create(nint cluster, [MarshalAs(UnmanagedType.LPUTF8Str)] string topic, int partitions, int replicas);

    [DllImport(Library)]
    private static extern int rd_kafka_mock_broker_set_down(nint cluster, int broker);

    [DllImport(Library)]
    private static extern int rd_kafka_mock_broker_set_up(nint cluster, int broker);

    [DllImport(Library)]
    private static extern int rd_kafka_mock_broker_set_rtt(nint cluster, int broker, int milliseconds);

    [DllImport(Library)]
    private static extern void rd_kafka_mock_push_request_errors_array(nint cluster, short request, nuint count, int[] errors);

    [DllImport(Library)]
    private static extern void rd_kafka_mock_clear_request_errors(nint cluster, short request);
#pragma warning restore IDE1006, SYSLIB1054, CA5392
}
