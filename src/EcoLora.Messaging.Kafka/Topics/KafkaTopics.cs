using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace EcoLora.Messaging.Kafka;

/// <summary>The topics of a cluster, for whoever operates it: makes them, and tells what they are and how far behind their readers are. Nothing that exists is changed.</summary>
public sealed class KafkaTopics : IDisposable
{
    private readonly KafkaOptions _options;
    private readonly IAdminClient _admin;

    /// <summary>Makes the client; the cluster is asked later, and each question waits for as long as the options' patience.</summary>
    /// <exception cref="FormatException">An option cannot be used.</exception>
    /// <exception cref="DllNotFoundException">librdkafka is not installed.</exception>
    public KafkaTopics(KafkaOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Librdkafka.Require();
        _options = options.Checked();
        _admin = new AdminClientBuilder(new AdminClientConfig(Settings())).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
    }

    /// <summary>How many brokers the cluster has.</summary>
    /// <exception cref="IOException">No broker answers.</exception>
    public int CountBrokers() => Metadata().Brokers.Count;

    /// <summary>Makes those topics that are not there.</summary>
    /// <returns>Their names.</returns>
    /// <exception cref="IOException">The cluster makes one of them not; the message says why. Others may be there.</exception>
    public async Task<IReadOnlyList<string>> CreateAsync(IEnumerable<string> topics, TopicRule rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        var known = Metadata().Topics.Select(topic => topic.Topic).ToHashSet(StringComparer.Ordinal);
        string[] missing = [.. topics.Where(topic => !known.Contains(topic))];
        if (missing.Length == 0) return [];
        try
        {
            await _admin.CreateTopicsAsync(missing.Select(topic => new TopicSpecification
            {
                Name = topic,
                NumPartitions = rule.Partitions,
                ReplicationFactor = (short)rule.Copies,
                Configs = new Dictionary<string, string>(rule.Settings),
            }), new CreateTopicsOptions { OperationTimeout = _options.Patience, RequestTimeout = _options.Patience });
            return missing;
        }
        catch (CreateTopicsException refused)
        {
            // Somebody else may have made it in between.
            CreateTopicReport[] refusals = [.. refused.Results.Where(result => result.Error.IsError && result.Error.Code != ErrorCode.TopicAlreadyExists)];
            if (refusals.Length > 0) throw new IOException($"Kafka at {_options.Brokers}: {string.Join("; ", refusals.Select(refusal => $"topic {refusal.Topic}: {refusal.Error.Reason}"))}", refused);
            return [.. missing.Except(refused.Results.Where(result => result.Error.IsError).Select(result => result.Topic))];
        }
        catch (KafkaException failure)
        {
            throw Failed(failure);
        }
    }

    /// <summary>What those of the topics are that are there.</summary>
    /// <exception cref="IOException">The cluster does not answer.</exception>
    public async Task<IReadOnlyList<TopicFacts>> DescribeAsync(IReadOnlyCollection<string> topics)
    {
        List<TopicMetadata> found = [.. Metadata().Topics.Where(topic => topics.Contains(topic.Topic) && !topic.Error.IsError)];
        Dictionary<string, IReadOnlyDictionary<string, string>>? settings = await SettingsOfAsync([.. found.Select(topic => topic.Topic)]);
        using IConsumer<byte[], byte[]> consumer = Consumer(_options.Group);
        return [.. found.OrderBy(topic => topic.Topic, StringComparer.Ordinal).Select(topic =>
        {
            WatermarkOffsets[] kept = [.. PartitionsOf(topic).Select(partition => KeptIn(consumer, partition))];
            return new TopicFacts(topic.Topic, topic.Partitions.Count, topic.Partitions.Min(partition => partition.Replicas.Length), settings?[topic.Topic],
                kept.Sum(offsets => offsets.High.Value - offsets.Low.Value), kept.Sum(offsets => offsets.Low.Value));
        })];
    }

    /// <summary>The cluster's consumer groups; null where it does not tell them.</summary>
    public IReadOnlyList<string>? Groups()
    {
        try
        {
            return [.. _admin.ListGroups(_options.Patience).Where(group => group.ProtocolType is "consumer" or "").Select(group => group.Group).Order(StringComparer.Ordinal)];
        }
        catch (KafkaException)
        {
            return null;
        }
    }

    /// <summary>How far a group is behind on those of the topics that it has read from.</summary>
    /// <exception cref="IOException">The cluster does not answer.</exception>
    public IReadOnlyList<GroupLag> LagOf(string group, IReadOnlyCollection<string> topics)
    {
        TopicPartition[] partitions = [.. Metadata().Topics.Where(topic => topics.Contains(topic.Topic)).SelectMany(PartitionsOf)];
        using IConsumer<byte[], byte[]> consumer = Consumer(group);
        try
        {
            return [.. consumer.Committed(partitions, _options.Patience)
                .GroupBy(each => each.Topic, StringComparer.Ordinal)
                .Where(topic => topic.Any(each => !each.Offset.IsSpecial))
                .OrderBy(each => each.Key, StringComparer.Ordinal)
                .Select(topic => topic.Aggregate(new GroupLag(group, topic.Key, 0, 0), (sum, each) =>
                {
                    WatermarkOffsets kept = KeptIn(consumer, each.TopicPartition);
                    // A partition that it has committed nothing of it reads from the oldest.
                    long committed = each.Offset.IsSpecial ? kept.Low.Value : each.Offset.Value, next = Math.Max(committed, kept.Low.Value);
                    return sum with { Behind = sum.Behind + Math.Max(0, kept.High.Value - next), Lost = sum.Lost + next - committed };
                }))];
        }
        catch (KafkaException failure)
        {
            throw Failed(failure);
        }
    }

    /// <summary>Reads a topic again, from the oldest message that is kept to the newest that there is now; no group's place changes.</summary>
    /// <param name="topic">The topic; one that is not there has no messages.</param>
    /// <param name="take">Is given each message.</param>
    /// <returns>Messages by the brokers' offsets, and those that were read.</returns>
    /// <exception cref="IOException">The cluster does not answer, or stops before the end.</exception>
    public (long Offsets, long Read) Read(string topic, Action<StoredMessage> take)
    {
        ArgumentNullException.ThrowIfNull(take);
        using IConsumer<byte[], byte[]> consumer = Consumer(_options.Group);
        var kept = Metadata().Topics.Where(known => known.Topic == topic).SelectMany(PartitionsOf).ToDictionary(partition => partition, partition => KeptIn(consumer, partition));
        var open = kept.Where(each => each.Value.High > each.Value.Low).Select(each => each.Key).ToHashSet();
        consumer.Assign(open.Select(partition => new TopicPartitionOffset(partition, kept[partition].Low)));
        long read = 0;
        while (open.Count > 0)
        {
            if (Next(consumer) is not { } result) throw new IOException($"Kafka at {_options.Brokers}: topic {topic}: expected messages up to its end, found none within {_options.Patience}");
            long end = kept[result.TopicPartition].High.Value;
            if (result.IsPartitionEOF || result.Offset.Value + 1 >= end) open.Remove(result.TopicPartition);
            if (result.IsPartitionEOF || result.Offset.Value >= end) continue;
            read++;
            int headers = result.Message.Headers?.Sum(header => header.Key.Length + (header.GetValueBytes()?.Length ?? 0)) ?? 0;
            take(new StoredMessage(topic, result.Message.Key?.Length ?? 0, headers, result.Message.Value ?? []));
        }
        return (kept.Values.Sum(offsets => offsets.High.Value - offsets.Low.Value), read);
    }

    /// <inheritdoc/>
    public void Dispose() => _admin.Dispose();

    private ConsumeResult<byte[], byte[]>? Next(IConsumer<byte[], byte[]> consumer)
    {
        try
        {
            return consumer.Consume(_options.Patience);
        }
        catch (ConsumeException failure)
        {
            throw Failed(failure);
        }
    }

    private Metadata Metadata()
    {
        try
        {
            return _admin.GetMetadata(_options.Patience);
        }
        catch (KafkaException failure)
        {
            throw Failed(failure);
        }
    }

    private async Task<Dictionary<string, IReadOnlyDictionary<string, string>>?> SettingsOfAsync(IReadOnlyList<string> topics)
    {
        if (topics.Count == 0) return [];
        try
        {
            List<DescribeConfigsResult> all = await _admin.DescribeConfigsAsync(
                topics.Select(topic => new ConfigResource { Type = ResourceType.Topic, Name = topic }), new DescribeConfigsOptions { RequestTimeout = _options.Patience });
            return all.ToDictionary(
                result => result.ConfigResource.Name,
                result => (IReadOnlyDictionary<string, string>)result.Entries.Where(entry => entry.Value.Value is not null).ToDictionary(entry => entry.Key, entry => entry.Value.Value, StringComparer.Ordinal),
                StringComparer.Ordinal);
        }
        catch (KafkaException)
        {
            // Not allowed, or a cluster that cannot tell.
            return null;
        }
    }

    private WatermarkOffsets KeptIn(IConsumer<byte[], byte[]> consumer, TopicPartition partition)
    {
        try
        {
            return consumer.QueryWatermarkOffsets(partition, _options.Patience);
        }
        catch (KafkaException failure)
        {
            throw Failed(failure);
        }
    }

    private IConsumer<byte[], byte[]> Consumer(string group) =>
        new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig(Settings()) { GroupId = group, EnableAutoCommit = false, EnablePartitionEof = true, FetchMaxBytes = 16 << 20 }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();

    private Dictionary<string, string> Settings() => new(_options.Security) { ["bootstrap.servers"] = _options.Brokers, ["client.id"] = string.Create(CultureInfo.InvariantCulture, $"{_options.Group}-topics") };

    private static IEnumerable<TopicPartition> PartitionsOf(TopicMetadata topic) => topic.Partitions.Select(partition => new TopicPartition(topic.Topic, partition.PartitionId));

    private IOException Failed(KafkaException failure) => new($"Kafka at {_options.Brokers}: {failure.Error.Reason}", failure);
}
