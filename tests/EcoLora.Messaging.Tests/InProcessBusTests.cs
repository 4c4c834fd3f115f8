namespace EcoLora.Messaging.Tests;

public class InProcessBusTests : InProcessConformance
{
    [Fact]
    public async Task Dropped_messages_are_counted_by_topic()
    {
        Subscribe("a", "dropping", _ => Verdict.Drop);
        Inbox dead = Subscribe("a.dead", "undertaker");
        await StartAsync();
        await Publish("a", "k", [1]);
        await Publish("a", "k", [2]);
        await dead.NextAsync();
        await dead.NextAsync();
        Assert.Equal([new("a", 2)], InProcess.DeadLetters);
        Assert.False(InProcess.Fault.IsCompleted);
    }

    [Fact]
    public async Task A_subscriber_after_the_start_is_refused_even_when_it_is_the_first()
    {
        await StartAsync();
        var exception = Assert.Throws<InvalidOperationException>(() => Subscribe("a", "late"));
        Assert.Equal("late subscribes to a after the bus was started", exception.Message);
    }

    [Fact]
    public async Task A_second_start_is_refused()
    {
        await StartAsync();
        Assert.Throws<InvalidOperationException>(InProcess.Start);
    }

    [Fact]
    public async Task Publishing_with_a_cancelled_token_publishes_nothing()
    {
        Inbox inbox = Subscribe("a", "consumer");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => InProcess.PublishAsync("a", "k", new byte[] { 1 }, new CancellationToken(true)));
        await StartAsync();
        await Publish("a", "k", [2]);
        Assert.Equal([2], await inbox.NextAsync());
    }

    /// <summary>Takes the whole patience of the bus, about 8 seconds.</summary>
    [Fact]
    public async Task An_exception_that_outlives_every_retry_is_the_fault_and_the_message_is_dead()
    {
        Inbox failing = Subscribe("a", "failing", _ => throw new IOException("disk full")), dead = Subscribe("a.dead", "undertaker");
        await StartAsync();
        await Publish("a", "k", [1]);
        Assert.Equal("disk full", (await InProcess.Fault.WaitAsync(TimeSpan.FromMinutes(1), Cancellation)).Message);
        Assert.Equal([1], await dead.NextAsync());
        Assert.Equal(60, failing.Count);
    }

    protected override IMessageBus MakeBus() => InProcess;
}
