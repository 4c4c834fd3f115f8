using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Threading.Channels;
using StackExchange.Redis;

namespace EcoLora.DaprSidecar;

/// <summary>
/// pubsub.redis: a stream a topic, a consumer group an app. A message whose handler has failed is acknowledged all the same (trap 4 of the contract), unless it
/// took longer than <c>processingTimeout</c>; that does not end the handler. What is not acknowledged stays pending, and whoever asks after
/// <c>processingTimeout</c> gets it again: also what a slow handler is still at.
/// </summary>
internal sealed class RedisStreamBroker : IBroker
{
    private readonly RedisConnection connection;
    private readonly Faults faults;
    private readonly string group;
    private readonly TimeSpan processingTimeout;
    private readonly TimeSpan redeliverInterval;
    private readonly int queueDepth;
    private readonly long maxLength;
    private readonly Channel<(BrokerMessage Message, BrokerHandler Handler, TimeSpan Delay)> queue;
    private readonly CancellationTokenSource reading = new();
    private readonly CancellationTokenSource working = new();
    private readonly ConcurrentBag<Task> readers = [];
    private readonly ConcurrentBag<RedisConnection> readerConnections = [];
    private readonly Task[] workers;

    private RedisStreamBroker(Component component, RedisConnection connection, string appId, Faults faults)
    {
        Component = component;
        this.connection = connection;
        this.faults = faults;
        group = component["consumerID"] ?? appId;
        processingTimeout = component["processingTimeout"] is { } timeout ? GoDuration.Parse(timeout) : TimeSpan.FromSeconds(15);
        redeliverInterval = component["redeliverInterval"] is { } interval ? GoDuration.Parse(interval) : TimeSpan.FromSeconds(60);
        queueDepth = Number("queueDepth", 100);
        maxLength = Number("maxLenApprox", 0);
        queue = Channel.CreateBounded<(BrokerMessage, BrokerHandler, TimeSpan)>(queueDepth);
        workers = [.. Enumerable.Range(0, Number("concurrency", 10)).Select(_ => Task.Run(WorkAsync))];

        int Number(string key, int otherwise) => component[key] is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
    }

    public Component Component { get; }

    public bool HandlesTtl => false;

    private bool Redelivers => processingTimeout > TimeSpan.Zero && redeliverInterval > TimeSpan.Zero;

    public static async Task<RedisStreamBroker> OpenAsync(Component component, string appId, Faults faults) =>
        new(component, await RedisConnection.OpenAsync(component), appId, faults);

    /// <summary>Stores the bytes as they are in the member <c>data</c> of a stream entry.</summary>
    public async Task PublishAsync(string topic, byte[] data, IReadOnlyDictionary<string, string> metadata)
    {
        List<object> arguments = [topic];
        if (maxLength > 0) arguments.AddRange(["MAXLEN", "~", maxLength]);
        arguments.AddRange(["*", "data", data]);
        if (metadata.Count > 0) arguments.AddRange(["metadata", JsonSerializer.Serialize(metadata)]);
        try
        {
            await connection.CallAsync("XADD", [.. arguments]);
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            throw new BrokerException(error.Message, error);
        }
    }

    /// <summary>Makes the group, from the stream's beginning, and starts to read.</summary>
    public async Task SubscribeAsync(TopicSubscription subscription, BrokerHandler handler)
    {
        try
        {
            await MakeGroupAsync(subscription.Topic);
            RedisConnection own = await connection.OpenAnotherAsync();
            readerConnections.Add(own);
            readers.Add(Task.Run(() => ReadAsync(own, subscription.Topic, handler)));
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            throw new BrokerException(error.Message, error);
        }
        if (Redelivers) readers.Add(Task.Run(() => ReclaimAsync(subscription.Topic, handler)));
    }

    /// <inheritdoc/>
    public async Task DrainAsync(TimeSpan grace)
    {
        await reading.CancelAsync();
        queue.Writer.TryComplete();
        await Task.WhenAny(Task.WhenAll(workers), Task.Delay(grace));
        await working.CancelAsync();
        await Task.WhenAny(Task.WhenAll(workers), Task.Delay(TimeSpan.FromMilliseconds(500)));
    }

    public ValueTask DisposeAsync()
    {
        foreach (RedisConnection own in readerConnections) own.Dispose();
        connection.Dispose();
        reading.Dispose();
        working.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task MakeGroupAsync(string topic)
    {
        try
        {
            await connection.CallAsync("XGROUP", "CREATE", topic, group, "0", "MKSTREAM");
        }
        catch (RedisServerException error) when (error.Message.StartsWith("BUSYGROUP", StringComparison.Ordinal))
        {
            // Made by an earlier process: it goes on where that one was.
        }
    }

    private async Task ReadAsync(RedisConnection own, string topic, BrokerHandler handler)
    {
        DisorderedTopic<BrokerMessage> disordered = new(faults, topic, (message, fate) => EnqueueAsync(message, handler, fate));
        while (!reading.IsCancellationRequested)
        {
            try
            {
                RedisResult answer = await own.CallAsync(
                    "XREADGROUP", "GROUP", group, group, "COUNT", queueDepth, "BLOCK", disordered.Holds ? 100 : 1000, "STREAMS", topic, ">");
                List<BrokerMessage> messages = answer.IsNull ? [] : StreamReply.Messages(topic, StreamReply.OfFirstStream(answer));
                foreach (BrokerMessage message in messages) await disordered.PassAsync(message);
                if (messages.Count == 0) await disordered.ReleaseAsync();
            }
            catch (RedisServerException error) when (error.Message.StartsWith("NOGROUP", StringComparison.Ordinal))
            {
                // The stream was deleted, or Redis came back without it: the group begins anew.
                await RemakeGroupAsync(topic);
            }
            catch (Exception error) when (error is RedisException or TimeoutException)
            {
                await PauseAsync(error);
            }
            catch (Exception error) when (error is OperationCanceledException or ChannelClosedException)
            {
                return;
            }
        }
    }

    private async Task RemakeGroupAsync(string topic)
    {
        try
        {
            await MakeGroupAsync(topic);
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            await PauseAsync(error);
        }
    }

    private async Task EnqueueAsync(BrokerMessage message, BrokerHandler handler, Fate fate)
    {
        await queue.Writer.WriteAsync((message, handler, fate.Delay), reading.Token);
        if (fate.Duplicate) await queue.Writer.WriteAsync((message, handler, TimeSpan.Zero), reading.Token);
    }

    private async Task ReclaimAsync(string topic, BrokerHandler handler)
    {
        while (!reading.IsCancellationRequested)
        {
            try
            {
                string next = "0-0";
                do
                {
                    RedisResult[] answer = (RedisResult[])await connection.CallAsync(
                        "XAUTOCLAIM", topic, group, group, (long)processingTimeout.TotalMilliseconds, next, "COUNT", queueDepth);
                    next = (string)answer[0];
                    foreach (BrokerMessage message in StreamReply.Messages(topic, answer[1])) await EnqueueAsync(message, handler, default);
                }
                while (next != "0-0");
                await Task.Delay(redeliverInterval, reading.Token);
            }
            catch (Exception error) when (error is RedisException or TimeoutException)
            {
                await PauseAsync(error);
            }
            catch (Exception error) when (error is OperationCanceledException or ChannelClosedException)
            {
                return;
            }
        }
    }

    private static async Task PauseAsync(Exception error)
    {
        await Console.Error.WriteLineAsync($"redis streams: {error.Message}");
        await Task.Delay(100); // Redis is away: nothing tells when it is back but asking again
    }

    private async Task WorkAsync()
    {
        await foreach ((BrokerMessage message, BrokerHandler handler, TimeSpan delay) in queue.Reader.ReadAllAsync())
        {
            if (reading.IsCancellationRequested) continue;
            long begin = Environment.TickCount64;
            try
            {
                if (delay > TimeSpan.Zero) await Task.Delay(delay, working.Token);
                if (!await handler(message, working.Token))
                {
                    bool tooLate = Redelivers && Environment.TickCount64 - begin >= processingTimeout.TotalMilliseconds;
                    await Console.Error.WriteLineAsync(
                        $"redis streams: message {message.Id} of {message.Topic} failed; it {(tooLate ? "stays pending" : "is acknowledged all the same")}");
                    if (tooLate) continue;
                }
                await connection.CallAsync("XACK", message.Topic, group, message.Id);
            }
            catch (OperationCanceledException)
            {
                // Shutting down: the message stays pending and is claimed by whoever comes next.
            }
            catch (Exception error)
            {
                await Console.Error.WriteLineAsync($"redis streams: message {message.Id} of {message.Topic} stays pending: {error.Message}");
            }
        }
    }
}
