using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Threading.Channels;
using Confluent.Kafka;

namespace EcoLora.DaprSidecar;

/// <summary>
/// The component's member of the consumer group, with all of its topics: each subscription makes it join again. Offsets of handled messages are committed once a second
/// and at the end, so some come again after a kill.
/// </summary>
internal sealed class KafkaReader(KafkaSettings settings, Faults faults) : IAsyncDisposable
{
    /// <summary>Subscriptions that come closer together make the group join once.</summary>
    private static readonly TimeSpan _together = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<string, BrokerHandler> _handlers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<TopicPartition, Channel<ConsumeResult<byte[], byte[]>>> _partitions = [];
    private readonly ConcurrentBag<Task> _handling = [];
    private readonly CancellationTokenSource _readingEnds = new();
    private readonly CancellationTokenSource _workingEnds = new();
    private IConsumer<byte[], byte[]>? _consumer;
    private Task _reading = Task.CompletedTask;

    public void Add(string topic, BrokerHandler handler)
    {
        _handlers[topic] = handler;
        bool isFirst = _consumer is null;
        _consumer ??= new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
        {
            BootstrapServers = settings.Brokers,
            GroupId = settings.Group,
            AutoOffsetReset = settings.InitialOffset,
            EnableAutoOffsetStore = false,
            AutoCommitIntervalMs = 1000,
            AllowAutoCreateTopics = true,
            SessionTimeoutMs = 6000,
            ReconnectBackoffMaxMs = 1000,
        })
            .SetErrorHandler((_, error) => Console.Error.WriteLine($"kafka: {error.Reason}"))
            .SetLogHandler((_, _) => { })
            .SetPartitionsRevokedHandler((_, revoked) =>
            {
                foreach (TopicPartitionOffset each in revoked)
                    if (_partitions.TryRemove(each.TopicPartition, out Channel<ConsumeResult<byte[], byte[]>>? queue))
                        queue.Writer.TryComplete();
            })
            .Build();
        if (isFirst) _reading = Task.Factory.StartNew(() => Read(_consumer), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Takes no more messages; those with the app may end within the grace time.</summary>
    public async Task DrainAsync(TimeSpan grace)
    {
        await _readingEnds.CancelAsync();
        await _reading;
        foreach (Channel<ConsumeResult<byte[], byte[]>> queue in _partitions.Values) queue.Writer.TryComplete();
        Task all = Task.WhenAll(_handling);
        await Task.WhenAny(all, Task.Delay(grace));
        await _workingEnds.CancelAsync();
        await Task.WhenAny(all, Task.Delay(TimeSpan.FromMilliseconds(500)));
    }

    public async ValueTask DisposeAsync()
    {
        await DrainAsync(TimeSpan.Zero);
        if (_consumer is { } consumer)
        {
            await Task.Run(consumer.Close);
            consumer.Dispose();
        }
        _readingEnds.Dispose();
        _workingEnds.Dispose();
    }

    private void Read(IConsumer<byte[], byte[]> consumer)
    {
        int subscribed = 0;
        while (!_readingEnds.IsCancellationRequested)
        {
            try
            {
                // Joining twice at once would leave a member behind that the group waits for.
                int topics = _handlers.Count;
                if (topics != subscribed && !_readingEnds.Token.WaitHandle.WaitOne(_together) && topics == _handlers.Count)
                {
                    consumer.Subscribe(_handlers.Keys);
                    subscribed = topics;
                }
                if (consumer.Consume(TimeSpan.FromMilliseconds(50)) is not { } message) continue;
                _partitions.GetOrAdd(message.TopicPartition, _ => Begin(consumer)).Writer.TryWrite(message);
            }
            catch (KafkaException error)
            {
                Console.Error.WriteLine($"kafka: {error.Error.Reason}");
            }
        }
    }

    private Channel<ConsumeResult<byte[], byte[]>> Begin(IConsumer<byte[], byte[]> consumer)
    {
        var queue = Channel.CreateUnbounded<ConsumeResult<byte[], byte[]>>();
        _handling.Add(Task.Run(async () =>
        {
            await foreach (ConsumeResult<byte[], byte[]> message in queue.Reader.ReadAllAsync())
                if (!_readingEnds.IsCancellationRequested && !await HandleAsync(consumer, message))
                    return;
        }));
        return queue;
    }

    /// <summary>False where the process goes down, or the partition went to another member: the message stays with the broker, as do those behind it.</summary>
    private async Task<bool> HandleAsync(IConsumer<byte[], byte[]> consumer, ConsumeResult<byte[], byte[]> arrived)
    {
        BrokerMessage message = new(arrived.Topic, $"{arrived.Partition.Value}/{arrived.Offset.Value}", arrived.Message.Value ?? [], MetadataOf(arrived));
        BrokerHandler handler = _handlers[arrived.Topic];
        // A partition keeps its order: of the faults it knows delays and duplicates.
        Fate fate = faults.Read(arrived.Topic);
        try
        {
            if (fate.Delay > TimeSpan.Zero) await Task.Delay(fate.Delay, _workingEnds.Token);
            bool handled = await handler(message, _workingEnds.Token);
            while (!handled && settings.ConsumeRetryEnabled)
            {
                await Console.Error.WriteLineAsync($"kafka: message {message.Id} of {message.Topic} failed; it is tried again");
                await Task.Delay(settings.ConsumeRetryInterval, _workingEnds.Token);
                handled = await handler(message, _workingEnds.Token);
            }
            if (fate.Duplicate) await handler(message, _workingEnds.Token);
            // A message that is passed over is not marked; the next one that is handled takes it along.
            if (handled) consumer.StoreOffset(arrived);
            return true;
        }
        catch (OperationCanceledException) when (_workingEnds.IsCancellationRequested)
        {
            return false;
        }
        catch (KafkaException error)
        {
            await Console.Error.WriteLineAsync($"kafka: message {message.Id} of {message.Topic} is not marked: {error.Error.Reason}");
            return false;
        }
    }

    private static Dictionary<string, string> MetadataOf(ConsumeResult<byte[], byte[]> arrived)
    {
        Dictionary<string, string> metadata = new(StringComparer.OrdinalIgnoreCase);
        foreach (IHeader header in arrived.Message.Headers ?? []) metadata[header.Key] = Encoding.UTF8.GetString(header.GetValueBytes() ?? []);
        if (arrived.Message.Key is { } key) metadata["__key"] = Encoding.UTF8.GetString(key);
        metadata["__topic"] = arrived.Topic;
        metadata["__partition"] = arrived.Partition.Value.ToString(CultureInfo.InvariantCulture);
        metadata["__offset"] = arrived.Offset.Value.ToString(CultureInfo.InvariantCulture);
        metadata["__timestamp"] = arrived.Message.Timestamp.UnixTimestampMs.ToString(CultureInfo.InvariantCulture);
        return metadata;
    }
}
