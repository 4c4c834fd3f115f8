using System.Threading.Channels;
using Confluent.Kafka;

namespace EcoLora.Messaging.Kafka;

/// <summary>A partition's messages while it is this consumer's: one after the other is settled, in their order.</summary>
internal sealed class PartitionQueue : IAsyncDisposable
{
    /// <summary>What waits at most before the partition pauses; messages that librdkafka has fetched by then it fetches again, so a pause must be worth it.</summary>
    private const int MaximumMessages = 4096;
    private const long MaximumBytes = 4 << 20;

    private readonly Channel<ConsumeResult<byte[], byte[]>> _waiting = Channel.CreateUnbounded<ConsumeResult<byte[], byte[]>>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _end = new();
    private readonly Task _run;
    private int _messages;
    private long _bytes;
    private long _next = -1;

    /// <summary>Starts with nothing.</summary>
    /// <param name="partition">The partition.</param>
    /// <param name="settleAsync">Settles one message: handled, or among the dead letters. Throws when the token ends it.</param>
    public PartitionQueue(TopicPartition partition, Func<ConsumeResult<byte[], byte[]>, CancellationToken, Task> settleAsync)
    {
        Partition = partition;
        _run = Task.Run(() => RunAsync(settleAsync));
    }

    public TopicPartition Partition { get; }

    public bool IsPaused { get; set; }

    /// <summary>The offset that was committed last; whoever commits sets it.</summary>
    public long Committed { get; set; } = -1;

    /// <summary>The offset to commit: that after the last settled message; -1 before there is one.</summary>
    public long Next => Volatile.Read(ref _next);

    public bool IsFull => Volatile.Read(ref _messages) >= MaximumMessages || Volatile.Read(ref _bytes) >= MaximumBytes;

    public bool IsEmpty => Volatile.Read(ref _messages) == 0;

    public void Add(ConsumeResult<byte[], byte[]> message)
    {
        Interlocked.Increment(ref _messages);
        Interlocked.Add(ref _bytes, SizeOf(message));
        _waiting.Writer.TryWrite(message);
    }

    /// <summary>Ends the message in hand and leaves the others; completes when the handler has returned.</summary>
    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _end.CancelAsync();
        await _run;
        _end.Dispose();
    }

    private async Task RunAsync(Func<ConsumeResult<byte[], byte[]>, CancellationToken, Task> settleAsync)
    {
        try
        {
            await foreach (ConsumeResult<byte[], byte[]> message in _waiting.Reader.ReadAllAsync(_end.Token))
            {
                await settleAsync(message, _end.Token);
                Volatile.Write(ref _next, message.Offset.Value + 1);
                Interlocked.Add(ref _bytes, -SizeOf(message));
                Interlocked.Decrement(ref _messages);
            }
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            // The partition goes to another consumer, or the bus ends: what is not committed is delivered again.
        }
    }

    private static long SizeOf(ConsumeResult<byte[], byte[]> message) => (message.Message.Key?.Length ?? 0) + (message.Message.Value?.Length ?? 0);
}
