using System.Collections.Concurrent;
using System.Threading.Channels;

namespace EcoLora.Messaging.Tests;

/// <summary>
/// What every bus must do (see <see cref="IMessageBus"/>). An implementation's tests derive from this class and say how to make, start and end it.
/// Waiting ends with the message that is waited for, or after half a minute.
/// </summary>
public abstract class MessageBusConformance : IAsyncDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);
    private readonly Lazy<IMessageBus> _bus;

    protected MessageBusConformance() => _bus = new Lazy<IMessageBus>(MakeBus);

    public static TheoryData<int> Sizes => [0, 1, 255, 900 * 1024, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1];

    protected IMessageBus Bus => _bus.Value;

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Whether a message's key reaches its consumer; where it does not, an empty one does.</summary>
    protected virtual bool CarriesKeys => true;

    /// <summary>Whether one consumer sees a key's messages in the order in which they were published.</summary>
    protected virtual bool KeepsOrder => true;

    /// <summary>Whether messages wait for a consumer that has never been started; else only for those that were started before.</summary>
    protected virtual bool KeepsForNewConsumers => true;

    /// <summary>The largest message that the bus takes; it refuses a larger one by an <see cref="IOException"/>.</summary>
    protected virtual int LargestMessage => int.MaxValue;

    /// <summary>Makes a bus that does not deliver yet.</summary>
    protected abstract IMessageBus MakeBus();

    /// <summary>Starts to deliver.</summary>
    protected abstract Task StartAsync();

    /// <summary>Stops to deliver; may be called twice.</summary>
    protected abstract Task StopAsync();

    /// <summary>Ends what outlives the stop.</summary>
    protected virtual Task EndAsync() => Task.CompletedTask;

    [Fact]
    public async Task Every_consumer_gets_every_message_of_its_topic_and_no_other()
    {
        Inbox first = Subscribe("a", "first"), second = Subscribe("a", "second"), other = Subscribe("b", "first");
        await StartAsync();
        for (byte i = 0; i < 5; i++) await Publish("a", "k", [i]);
        await Publish("b", "k", [99]);
        Assert.Equal([0, 1, 2, 3, 4], await NextBytesAsync(first, 5));
        Assert.Equal([0, 1, 2, 3, 4], await NextBytesAsync(second, 5));
        Assert.Equal([99], await other.NextAsync());
        await StopAsync();
        Assert.Equal((5, 5, 1), (first.Count, second.Count, other.Count));
    }

    [Fact]
    public async Task A_message_carries_its_topic_its_key_and_its_bytes_and_nothing_else()
    {
        Inbox inbox = Subscribe("a", "consumer");
        await StartAsync();
        byte[] payload = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        await Publish("a", "run/7", payload);
        Assert.Equal(payload, await inbox.NextAsync());
        Assert.Equal(("a", Arriving("run/7")), (inbox.Last!.Topic, inbox.Last.Key));
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task Bytes_of_every_size_arrive_as_they_were(int size)
    {
        Inbox inbox = Subscribe("a", "consumer");
        await StartAsync();
        byte[] payload = new byte[size];
        for (int i = 0; i < size; i++) payload[i] = (byte)(i * 31 + i / 256);
        if (size > LargestMessage)
        {
            await Assert.ThrowsAsync<IOException>(() => Publish("a", "k", payload));
            return;
        }
        await Publish("a", "k", payload);
        Assert.Equal(payload, await inbox.NextAsync());
    }

    [Fact]
    public async Task The_publisher_may_use_its_buffer_again_at_once()
    {
        Inbox inbox = Subscribe("a", "consumer");
        await IntroduceConsumersAsync();
        byte[] buffer = [1, 2, 3];
        await Publish("a", "k", buffer);
        buffer.AsSpan().Fill(9);
        await StartAsync();
        Assert.Equal([1, 2, 3], await inbox.NextAsync());
    }

    [Fact]
    public async Task What_was_published_before_the_start_is_delivered()
    {
        Inbox inbox = Subscribe("a", "consumer");
        await IntroduceConsumersAsync();
        for (byte i = 0; i < 3; i++) await Publish("a", "k", [i]);
        Assert.Equal(0, inbox.Count);
        await StartAsync();
        Assert.Equal([0, 1, 2], await NextBytesAsync(inbox, 3));
    }

    [Fact]
    public async Task One_consumer_without_retries_sees_a_keys_messages_in_order()
    {
        Inbox inbox = Subscribe("a", "consumer");
        await StartAsync();
        for (int i = 0; i < 200; i++) await Publish("a", "k", BitConverter.GetBytes(i));
        int[] found = new int[200];
        for (int i = 0; i < 200; i++) found[i] = BitConverter.ToInt32(await inbox.NextAsync());
        Assert.Equal(Enumerable.Range(0, 200), KeepsOrder ? found : found.Order());
    }

    [Fact]
    public async Task A_retried_message_is_delivered_again_only_to_the_one_who_asked()
    {
        int attempts = 0;
        Inbox retrying = Subscribe("a", "retrying", _ => Interlocked.Increment(ref attempts) < 4 ? Verdict.Retry : Verdict.Success);
        Inbox other = Subscribe("a", "other");
        await StartAsync();
        await Publish("a", "k", [7]);
        for (int i = 0; i < 4; i++) Assert.Equal([7], await retrying.NextAsync());
        Assert.Equal([7], await other.NextAsync());
        await StopAsync();
        Assert.Equal((4, 1), (retrying.Count, other.Count));
    }

    [Fact]
    public async Task An_exception_is_a_retry()
    {
        int attempts = 0;
        Inbox inbox = Subscribe("a", "consumer", _ =>
            Interlocked.Increment(ref attempts) < 3 ? throw new InvalidOperationException("not yet") : Verdict.Success);
        await StartAsync();
        await Publish("a", "k", [7]);
        for (int i = 0; i < 3; i++) Assert.Equal([7], await inbox.NextAsync());
        await Publish("a", "k", [8]);
        Assert.Equal([8], await inbox.NextAsync());
    }

    [Fact]
    public async Task A_cancelled_operation_inside_a_handler_is_a_retry_too()
    {
        int attempts = 0;
        Inbox inbox = Subscribe("a", "consumer", _ => Interlocked.Increment(ref attempts) < 2 ? throw new OperationCanceledException() : Verdict.Success);
        await StartAsync();
        await Publish("a", "k", [7]);
        for (int i = 0; i < 2; i++) Assert.Equal([7], await inbox.NextAsync());
    }

    [Fact]
    public async Task A_retried_message_does_not_keep_others_from_coming()
    {
        var released = new ConcurrentDictionary<int, bool>();
        Inbox inbox = Subscribe("a", "consumer", message => message.Payload.Span[0] == 1 && !released.ContainsKey(2) ? Verdict.Retry : Verdict.Success);
        await StartAsync();
        await Publish("a", "k1", [1]);
        await Publish("a", "k2", [2]);
        while ((await inbox.NextAsync())[0] != 2)
        {
            // The first one comes again and again.
        }
        released[2] = true;
        Assert.Equal([1], await inbox.NextAsync());
    }

    [Fact]
    public async Task A_dropped_message_goes_to_the_dead_letters_byte_for_byte()
    {
        byte[] payload = [.. Enumerable.Range(0, 256).Select(i => (byte)(255 - i))];
        Inbox dropping = Subscribe("a", "dropping", _ => Verdict.Drop), dead = Subscribe("a.dead", "undertaker");
        await StartAsync();
        await Publish("a", "run/7", payload);
        Assert.Equal(payload, await dead.NextAsync());
        Assert.Equal(("a.dead", Arriving("run/7")), (dead.Last!.Topic, dead.Last.Key));
        await StopAsync();
        Assert.Equal(1, dropping.Count);
    }

    [Fact]
    public async Task One_consumer_that_is_busy_does_not_hold_another_up()
    {
        var release = new TaskCompletionSource();
        Bus.Subscribe("a", "busy", async (_, _) =>
        {
            await release.Task;
            return Verdict.Success;
        });
        Inbox other = Subscribe("a", "other");
        await StartAsync();
        for (byte i = 0; i < 3; i++) await Publish("a", "k", [i]);
        Assert.Equal([0, 1, 2], await NextBytesAsync(other, 3));
        release.SetResult();
    }

    [Fact]
    public async Task A_handler_may_publish()
    {
        Inbox answers = Subscribe("b", "consumer");
        Bus.Subscribe("a", "consumer", async (message, cancellation) =>
        {
            await Bus.PublishAsync("b", message.Key, message.Payload, cancellation);
            return Verdict.Success;
        });
        await StartAsync();
        await Publish("a", "k", [5]);
        Assert.Equal([5], await answers.NextAsync());
    }

    [Fact]
    public async Task A_topic_without_consumers_takes_messages()
    {
        await StartAsync();
        await Publish("nobody", "k", [1]);
    }

    [Fact]
    public async Task After_the_stop_nothing_is_delivered()
    {
        Inbox inbox = Subscribe("a", "consumer");
        await StartAsync();
        await Publish("a", "k", [1]);
        Assert.Equal([1], await inbox.NextAsync());
        await StopAsync();
        int count = inbox.Count;
        await Publish("a", "k", [2]);
        Assert.Equal(count, inbox.Count);
    }

    [Fact]
    public async Task Stopping_ends_a_handler_that_waits_for_its_cancellation()
    {
        var entered = new TaskCompletionSource();
        Bus.Subscribe("a", "waiting", async (_, cancellation) =>
        {
            entered.SetResult();
            await Task.Delay(Timeout.Infinite, cancellation);
            return Verdict.Success;
        });
        await StartAsync();
        await Publish("a", "k", [1]);
        await entered.Task.WaitAsync(_patience, Cancellation);
        await StopAsync().WaitAsync(_patience, Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await EndAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>The only byte of each of the next messages; in ascending order where order is not kept.</summary>
    private async Task<byte[]> NextBytesAsync(Inbox inbox, int count)
    {
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++) bytes[i] = Assert.Single(await inbox.NextAsync());
        return KeepsOrder ? bytes : [.. bytes.Order()];
    }

    /// <summary>Starts and stops the consumers once where the broker knows them only from then on.</summary>
    private async Task IntroduceConsumersAsync()
    {
        if (KeepsForNewConsumers) return;
        await StartAsync();
        await StopAsync();
    }

    private string Arriving(string key) => CarriesKeys ? key : "";

    protected Task Publish(string topic, string key, byte[] payload) => Bus.PublishAsync(topic, key, payload, Cancellation);

    protected Inbox Subscribe(string topic, string consumer, Func<BusMessage, Verdict>? answer = null)
    {
        var inbox = new Inbox();
        Bus.Subscribe(topic, consumer, (message, _) =>
        {
            inbox.Add(message);
            return Task.FromResult(answer?.Invoke(message) ?? Verdict.Success);
        });
        return inbox;
    }

    /// <summary>What a consumer was handed, each delivery counted.</summary>
    protected sealed class Inbox
    {
        private readonly Channel<BusMessage> _messages = Channel.CreateUnbounded<BusMessage>();
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public BusMessage? Last { get; private set; }

        public void Add(BusMessage message)
        {
            Interlocked.Increment(ref _count);
            _messages.Writer.TryWrite(message);
        }

        public async Task<byte[]> NextAsync()
        {
            Last = await _messages.Reader.ReadAsync(Cancellation).AsTask().WaitAsync(_patience, Cancellation);
            return Last.Payload.ToArray();
        }
    }
}
