using System.Net;
using EcoLora.DaprTestKit;

namespace EcoLora.DaprSidecar.Tests;

/// <summary>What RabbitMQ through Dapr does not promise, and which settings help.</summary>
public sealed class RabbitLossTests(RedisFixture redis, RabbitFixture rabbit)
{
    [Fact]
    public async Task What_was_published_before_there_is_a_queue_is_lost_although_it_was_accepted()
    {
        using SidecarResources resources = SidecarResources.OfProduct("rabbitmq", redis.Require(), await rabbit.RequireAsync());
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("before", "/in")}]");
        await using SidecarProcess publisher = await SidecarProcess.StartAsync("before-publisher", resourcesPath: resources.Path);
        Assert.Equal(HttpStatusCode.NoContent, await publisher.PublishRawAsync("before", [1]));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("before-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("before");
        Assert.Equal(HttpStatusCode.NoContent, await publisher.PublishRawAsync("before", [2]));
        await app.WaitForAsync("/in", 1);
        // From now on the queue is there, whether the app is or not.
        Assert.Equal(0, await sidecar.StopAsync());
        Assert.Equal(HttpStatusCode.NoContent, await publisher.PublishRawAsync("before", [3]));
        await sidecar.StartAgainAsync();
        Assert.Equal([2, 3], (await app.WaitForAsync("/in", 2)).Select(r => r.Data[0]));
    }

    [Fact]
    public async Task A_dead_letter_without_a_queue_is_lost()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = SidecarResources.OfProduct("rabbitmq", redis.Require(), server);
        await using StubApp app = await StubApp.StartAsync(
            $"[{StubApp.Subscription("dropped", "/in", deadLetter: "dropped.dead")}]", _ => Task.FromResult(new StubAnswer(200, "{\"status\":\"DROP\"}")));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("dropping", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("dropped");
        await sidecar.PublishRawAsync("dropped", [1]);
        await app.WaitForAsync("/in", 1);
        Assert.Equal(0, await sidecar.StopAsync());
        await server.BindAsync("dropped.dead", "dropped.dead");
        Assert.Equal((0u, 0u), (await server.WaitingAsync("dropping-dropped"), await server.WaitingAsync("dropped.dead")));
        // With a queue it is kept.
        await sidecar.StartAgainAsync();
        await sidecar.WaitUntilSubscribedAsync("dropped");
        await sidecar.PublishRawAsync("dropped", [2]);
        await Eventually.TrueAsync(async () => await server.WaitingAsync("dropped.dead") == 1, "the dead letter is there");
        Assert.Equal([2], Assert.Single(await server.TakeAsync("dropped.dead")));
    }

    [Fact]
    public async Task By_default_a_queue_goes_with_its_last_consumer()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = new(redis.Require(), server);
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("passing", "/in")}]");
        await using SidecarProcess publisher = await SidecarProcess.StartAsync("passing-publisher", resourcesPath: resources.Path);
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("passing-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("passing");
        Assert.Equal(0u, await server.WaitingAsync("passing-app-passing"));
        Assert.Equal(0, await sidecar.StopAsync());
        await Eventually.TrueAsync(async () => await server.WaitingAsync("passing-app-passing") is null, "the queue is gone");
        Assert.Equal(HttpStatusCode.NoContent, await publisher.PublishRawAsync("passing", [1]));
        await sidecar.StartAgainAsync();
        await sidecar.WaitUntilSubscribedAsync("passing");
        Assert.Equal(HttpStatusCode.NoContent, await publisher.PublishRawAsync("passing", [2]));
        Assert.Equal([2], Assert.Single(await app.WaitForAsync("/in", 1)).Data);
    }

    [Fact]
    public async Task A_confirmed_publish_is_in_the_queue_when_it_is_answered()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = SidecarResources.OfProduct("rabbitmq", redis.Require(), server);
        await server.BindAsync("confirmed", "confirmed-copy");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("confirmed-publisher", resourcesPath: resources.Path);
        for (uint i = 1; i <= 20; i++)
        {
            Assert.Equal(HttpStatusCode.NoContent, await sidecar.PublishRawAsync("confirmed", Payload.AllBytes(256)));
            Assert.Equal(i, await server.WaitingAsync("confirmed-copy"));
        }
        Assert.All(await server.TakeAsync("confirmed-copy"), payload => Assert.Equal(Payload.AllBytes(256), payload));
    }

    [Theory]
    [InlineData("false")]
    [InlineData("true")]
    public async Task A_publish_that_breaks_the_channel_is_accepted_and_lost_even_with_confirmations(string confirm)
    {
        RabbitServer server = await rabbit.RequireAsync();
        string topic = $"broken-{confirm}";
        using SidecarResources resources = new(redis.Require(), server, ("publisherConfirm", confirm), ("reconnectWaitSeconds", "50ms"));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync($"{topic}-publisher", resourcesPath: resources.Path);
        Assert.Equal(HttpStatusCode.NoContent, await sidecar.PublishRawAsync(topic, [1]));
        // The exchange goes with its last queue, and the sidecar remembers that it has declared it.
        await server.UseAsync(async channel =>
        {
            await channel.QueueDeclareAsync(topic, durable: true, exclusive: false, autoDelete: false);
            await channel.QueueBindAsync(topic, topic, "");
            await channel.QueueDeleteAsync(topic, ifUnused: false, ifEmpty: false);
            return true;
        });
        Assert.Equal(HttpStatusCode.NoContent, await sidecar.PublishRawAsync(topic, [2]));
        // The next one finds the channel closed, connects again and declares the exchange again.
        await Eventually.TrueAsync(async () =>
        {
            await sidecar.PublishRawAsync(topic, [3]);
            return await server.UseAsync(async channel =>
            {
                try
                {
                    await channel.ExchangeDeclarePassiveAsync(topic);
                    return true;
                }
                catch (RabbitMQ.Client.Exceptions.OperationInterruptedException)
                {
                    return false;
                }
            });
        }, "the exchange is there again");
        Assert.Equal(confirm == "true", sidecar.Output.Contains($"no confirmation for a message to {topic}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_exchange_of_another_making_is_500()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = new(redis.Require(), server, ("reconnectWaitSeconds", "50ms"));
        await server.BindAsync("another-making", "another-making-copy");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("another-publisher", resourcesPath: resources.Path);
        Assert.Equal(HttpStatusCode.InternalServerError, await sidecar.PublishRawAsync("another-making", [1]));
        Assert.Equal(HttpStatusCode.NoContent, await sidecar.PublishRawAsync("of-its-own-making", [1]));
    }

    [Fact]
    public async Task What_is_refused_goes_to_rabbitmqs_own_dead_letters_where_they_are_enabled()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = new(redis.Require(), server, ("enableDeadLetter", "true"), ("deletedWhenUnused", "false"));
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("refused", "/in")}]", _ => Task.FromResult(new StubAnswer(500)));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("refusing", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("refused");
        await sidecar.PublishRawAsync("refused", Payload.AllBytes(256));
        await Eventually.TrueAsync(async () => await server.WaitingAsync("dlq-refusing-refused") == 1, "it is in the queue of dead letters");
        Assert.Equal(Payload.AllBytes(256), Assert.Single(await server.TakeAsync("dlq-refusing-refused")));
    }

    [Fact]
    public async Task A_queue_with_a_limit_forgets_the_oldest_and_a_time_to_live_ends()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = new(redis.Require(), server, ("maxLen", "2"), ("deletedWhenUnused", "false"), ("publisherConfirm", "true"));
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("limited", "/in")}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("limited-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("limited");
        Assert.Equal(0, await sidecar.StopAsync());
        await using SidecarProcess publisher = await SidecarProcess.StartAsync("limited-publisher", resourcesPath: resources.Path);
        for (byte i = 0; i < 5; i++) await publisher.PublishRawAsync("limited", [i]);
        Assert.Equal([[3], [4]], await server.TakeAsync("limited-app-limited"));
        await publisher.PublishRawAsync("limited", [5], "&metadata.ttlInSeconds=1");
        await Eventually.TrueAsync(async () => await server.WaitingAsync("limited-app-limited") == 0, "its time is over");
    }
}
