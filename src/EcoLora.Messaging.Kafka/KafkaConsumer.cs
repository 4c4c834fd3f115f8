using Confluent.Kafka;

namespace EcoLora.Messaging.Kafka;

/// <summary>
/// Reads the topics of one consumer group, partitions beside each other, and commits an offset only when all before it is settled. One thread speaks to librdkafka and
/// never waits for a handler, so that the group keeps its member however long handlers take.
/// </summary>
internal sealed class KafkaConsumer : IAsyncDisposable
{
    private static readonly TimeSpan _poll = TimeSpan.FromMilliseconds(50), _handOver = TimeSpan.FromSeconds(2);

    private readonly Func<ConsumeResult<byte[], byte[]>, CancellationToken, Task> _settleAsync;
    private readonly Action<string> _troubled;
    private readonly Dictionary<TopicPartition, PartitionQueue> _queues = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly IConsumer<byte[], byte[]> _consumer;
    private readonly Task _reading;
    private Task _committing = Task.CompletedTask;

    /// <summary>Joins the group and begins to read.</summary>
    public KafkaConsumer(KafkaOptions options, IEnumerable<string> topics, Func<ConsumeResult<byte[], byte[]>, CancellationToken, Task> settleAsync, Action<string> troubled)
    {
        _settleAsync = settleAsync;
        _troubled = troubled;
        _consumer = new ConsumerBuilder<byte[], byte[]>(Settings(options))
            .SetErrorHandler((_, error) => troubled(error.Reason))
            .SetLogHandler((_, _) => { })
            .SetPartitionsRevokedHandler((_, revoked) => HandOver(revoked.Select(each => each.TopicPartition), mayCommit: true))
            .SetPartitionsLostHandler((_, lost) => HandOver(lost.Select(each => each.TopicPartition), mayCommit: false))
            .Build();
        _consumer.Subscribe(topics);
        _reading = Task.Factory.StartNew(Read, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Ends the messages in hand, commits what is settled and leaves the group.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _reading;
        await Task.WhenAll(_queues.Values.Select(queue => queue.DisposeAsync().AsTask()));
        await _committing;
        await Task.Run(() =>
        {
            Commit(Settled(_queues.Values));
            _queues.Clear();
            _consumer.Close();
            _consumer.Dispose();
        });
        _stop.Dispose();
    }

    private void Read()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (_consumer.Consume(_poll) is { } message) Take(message);
                Resume();
                if (_committing.IsCompleted && Settled(_queues.Values) is { Count: > 0 } settled) _committing = Task.Run(() => Commit(settled));
            }
            catch (KafkaException exception)
            {
                _troubled(exception.Error.Reason);
                _stop.Token.WaitHandle.WaitOne(_poll);
            }
        }
    }

    private void Take(ConsumeResult<byte[], byte[]> message)
    {
        if (!_queues.TryGetValue(message.TopicPartition, out PartitionQueue? queue))
            _queues.Add(message.TopicPartition, queue = new PartitionQueue(message.TopicPartition, _settleAsync));
        queue.Add(message);
        if (!queue.IsFull || queue.IsPaused) return;
        // Only this partition waits: the others' messages come through the same call.
        queue.IsPaused = true;
        _consumer.Pause([message.TopicPartition]);
    }

    private void Resume()
    {
        foreach (PartitionQueue queue in _queues.Values)
        {
            if (!queue.IsPaused || !queue.IsEmpty) continue;
            queue.IsPaused = false;
            _consumer.Resume([queue.Partition]);
        }
    }

    /// <summary>The partitions are no longer this consumer's. Handlers are told to end, and waited for a little: whoever is next begins at what is committed.</summary>
    private void HandOver(IEnumerable<TopicPartition> partitions, bool mayCommit)
    {
        List<PartitionQueue> ended = [];
        foreach (TopicPartition partition in partitions)
            if (_queues.Remove(partition, out PartitionQueue? queue))
                ended.Add(queue);
        if (ended.Count == 0) return;
        Task.WhenAny(Task.WhenAll(ended.Select(queue => queue.DisposeAsync().AsTask())), Task.Delay(_handOver)).Wait();
        if (mayCommit) Commit(Settled(ended));
        // A pause would outlive the assignment.
        _consumer.Resume(ended.Where(queue => queue.IsPaused).Select(queue => queue.Partition));
    }

    private static List<(PartitionQueue Queue, TopicPartitionOffset Next)> Settled(IEnumerable<PartitionQueue> queues) =>
        [.. queues.Where(queue => queue.Next > queue.Committed).Select(queue => (queue, new TopicPartitionOffset(queue.Partition, queue.Next)))];

    /// <summary>A commit that fails, as during a rebalance, is no loss: it is tried again, or the messages are delivered again.</summary>
    private void Commit(List<(PartitionQueue Queue, TopicPartitionOffset Next)> settled)
    {
        if (settled.Count == 0) return;
        try
        {
            _consumer.Commit(settled.Select(each => each.Next));
            foreach ((PartitionQueue queue, TopicPartitionOffset next) in settled) queue.Committed = next.Offset.Value;
        }
        catch (KafkaException exception)
        {
            _troubled($"commit: {exception.Error.Reason}");
            // Not at once again; nobody but the next commit waits for this.
            _stop.Token.WaitHandle.WaitOne(_poll);
        }
    }

    private static ConsumerConfig Settings(KafkaOptions options) => new(new Dictionary<string, string>(options.Security))
    {
        BootstrapServers = options.Brokers,
        ClientId = options.Group,
        GroupId = options.Group,
        SessionTimeoutMs = (int)options.Silence.TotalMilliseconds,
        HeartbeatIntervalMs = (int)options.Silence.TotalMilliseconds / 15,
        EnableAutoCommit = false,
        EnableAutoOffsetStore = false,
        // A group that is new to a topic reads it from the start: it would miss what was published before it came.
        AutoOffsetReset = AutoOffsetReset.Earliest,
        // As for publishers, the broker's auto.create.topics.enable decides; where it is off, a topic that is made later is found within this time.
        AllowAutoCreateTopics = true,
        TopicMetadataRefreshIntervalMs = 30_000,
        // What is fetched ahead, and the longest answer (which also bounds what a compressed one may become).
        QueuedMaxMessagesKbytes = 1024,
        MaxPartitionFetchBytes = KafkaPublisher.MaximumSize,
        FetchMaxBytes = 16 << 20,
        ReceiveMessageMaxBytes = 32 << 20,
        ReconnectBackoffMaxMs = 1000,
        SocketKeepaliveEnable = true,
    };
}
