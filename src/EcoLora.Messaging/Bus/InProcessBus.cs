using System.Collections.Concurrent;
using System.Threading.Channels;

namespace EcoLora.Messaging;

/// <summary>
/// The bus of a run in one process. Each consumer has a queue of its own and handles one message at a time, in the order of publishing, except
/// that a message to be retried goes to the back. Nothing survives the process: the services' own durable state does.
/// </summary>
public sealed class InProcessBus : IMessageBus, IAsyncDisposable
{
    private const int MaximumAttempts = 60;
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(200);

    private readonly ConcurrentDictionary<string, List<Consumer>> _topics = new();
    private readonly ConcurrentDictionary<string, long> _deadLetters = new();
    private readonly TaskCompletionSource<Exception> _fault = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _pumps = [];
    private bool _started;

    /// <summary>
    /// Completes when a message has outlived every retry: with the handler's exception (a full disk, say), or a time-out. In one process that is the run's
    /// failure, and whoever hosts the run ends it with that exception.
    /// </summary>
    public Task<Exception> Fault => _fault.Task;

    /// <summary>Messages that were dropped, by topic.</summary>
    public IReadOnlyDictionary<string, long> DeadLetters => _deadLetters;

    /// <inheritdoc/>
    public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (!_topics.TryGetValue(topic, out List<Consumer>? consumers)) return Task.CompletedTask;
        byte[] copy = payload.ToArray();
        foreach (Consumer consumer in consumers) consumer.Queue.Writer.TryWrite((new BusMessage(topic, key, copy), 1));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler)
    {
        if (_started) throw new InvalidOperationException($"{consumer} subscribes to {topic} after the bus was started");
        _topics.GetOrAdd(topic, _ => []).Add(new Consumer(consumer, handler));
    }

    /// <summary>Begins delivery; what was published before waits in the queues.</summary>
    /// <exception cref="InvalidOperationException">It was started before.</exception>
    public void Start()
    {
        if (_started) throw new InvalidOperationException("the bus was started before");
        _started = true;
        foreach (Consumer consumer in _topics.Values.SelectMany(consumers => consumers)) _pumps.Add(Task.Run(() => PumpAsync(consumer)));
    }

    /// <summary>Stops delivery after the messages that are being handled.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_pumps);
        _stop.Dispose();
    }

    private async Task PumpAsync(Consumer consumer)
    {
        try
        {
            await foreach ((BusMessage message, int attempt) in consumer.Queue.Reader.ReadAllAsync(_stop.Token))
            {
                (Verdict verdict, Exception? exception) = await HandleAsync(consumer, message);
                if (verdict == Verdict.Success) continue;
                if (verdict == Verdict.Retry && attempt < MaximumAttempts)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(attempt * 5, LongestPause.TotalMilliseconds)), _stop.Token);
                    consumer.Queue.Writer.TryWrite((message, attempt + 1));
                    continue;
                }
                if (verdict == Verdict.Retry)
                {
                    string refusal = $"{consumer.Name} did not accept a message of topic {message.Topic} in {MaximumAttempts} attempts";
                    _fault.TrySetResult(exception ?? new TimeoutException(refusal));
                }
                _deadLetters.AddOrUpdate(message.Topic, 1, (_, count) => count + 1);
                await PublishAsync(message.Topic + IMessageBus.DeadLetterSuffix, message.Key, message.Payload, _stop.Token);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The bus is being disposed.
        }
    }

    private async Task<(Verdict Verdict, Exception? Exception)> HandleAsync(Consumer consumer, BusMessage message)
    {
        try
        {
            return (await consumer.Handler(message, _stop.Token), null);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !_stop.IsCancellationRequested)
        {
            return (Verdict.Retry, exception);
        }
    }

    private sealed record Consumer(string Name, Func<BusMessage, CancellationToken, Task<Verdict>> Handler)
    {
        public Channel<(BusMessage Message, int Attempt)> Queue { get; } =
            Channel.CreateUnbounded<(BusMessage, int)>(new UnboundedChannelOptions { SingleReader = true });
    }
}
