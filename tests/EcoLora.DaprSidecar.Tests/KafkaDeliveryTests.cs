using System.Net;
using System.Text;
using Confluent.Kafka;
using EcoLora.DaprTestKit;

namespace EcoLora.DaprSidecar.Tests;

/// <summary>pubsub.kafka between app and brokers, on the mock cluster.</summary>
public sealed class KafkaDeliveryTests(RedisFixture redis)
{
    [Fact]
    public async Task By_default_an_app_that_is_new_misses_what_was_published_before()
    {
        using MockKafka kafka = MockKafka.Start();
        using SidecarResources resources = new(redis.Require(), kafka);
        await kafka.PublishAsync("news", "k"u8.ToArray(), [1]);
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("news", "/in")}]");
        await using SidecarInProcess sidecar = await SidecarInProcess.StartAsync("late", app.Port, resources.Path);
        await Eventually.TrueAsync(async () =>
        {
            await kafka.PublishAsync("news", "k"u8.ToArray(), [2]);
            return app.To("/in").Count > 0;
        }, "the app hears what is published now");
        Assert.All(app.To("/in"), request => Assert.Equal([2], request.Data));
    }

    [Fact]
    public async Task A_message_that_fails_holds_up_its_partition_and_no_other()
    {
        using MockKafka kafka = MockKafka.Start();
        using SidecarResources resources = new(redis.Require(), kafka, ("initialOffset", "oldest"));
        kafka.CreateTopic("held", 2);
        bool released = false;
        await using StubApp app = await StubApp.StartAsync(
            $"[{StubApp.Subscription("held", "/in")}]", request => Task.FromResult(new StubAnswer(request.Data[0] == 1 && !Volatile.Read(ref released) ? 503 : 200)));
        // By their CRC-32 the keys are in different partitions.
        foreach ((string key, byte value) in new (string, byte)[] { ("k", 1), ("k", 2), ("run/7", 3) }) await kafka.PublishAsync("held", Encoding.UTF8.GetBytes(key), [value]);
        await using SidecarInProcess sidecar = await SidecarInProcess.StartAsync("held-up", app.Port, resources.Path);
        await Eventually.TrueAsync(() => Count(1) >= 3 && Count(3) == 1, "the first one is tried again and the other partition goes on");
        Assert.Equal(0, Count(2));
        Volatile.Write(ref released, true);
        await Eventually.TrueAsync(() => Count(2) == 1, "the one behind it is delivered");

        int Count(byte value) => app.To("/in").Count(request => request.Data[0] == value);
    }

    [Fact]
    public async Task The_partition_key_is_the_messages_key_other_metadata_are_headers_and_the_app_hears_where_it_lay()
    {
        using MockKafka kafka = MockKafka.Start();
        using SidecarResources resources = new(redis.Require(), kafka, ("initialOffset", "oldest"));
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("keyed", "/in")}]");
        await using SidecarInProcess sidecar = await SidecarInProcess.StartAsync("keyed", app.Port, resources.Path);
        Assert.Equal(HttpStatusCode.NoContent, await PublishAsync(sidecar, "keyed", Payload.AllBytes(256)));
        Message<byte[], byte[]> message = Assert.Single(await kafka.ReadAsync("keyed", 1));
        Assert.Equal("run/1"u8, message.Key);
        Assert.Equal(Payload.AllBytes(256), message.Value);
        Assert.Equal(["rawPayload"], message.Headers.Select(header => header.Key));
        StubRequest request = (await app.WaitForAsync("/in", 1))[0];
        Assert.Equal(Payload.AllBytes(256), request.Data);
        Assert.Equal(("run/1", "keyed", "0"), (request.Headers["__key"], request.Headers["__topic"], request.Headers["__offset"]));
    }

    [Fact]
    public async Task A_message_over_the_limit_is_refused()
    {
        using MockKafka kafka = MockKafka.Start();
        using SidecarResources resources = new(redis.Require(), kafka);
        await using SidecarInProcess sidecar = await SidecarInProcess.StartAsync("large", null, resources.Path);
        Assert.Equal(HttpStatusCode.NoContent, await PublishAsync(sidecar, "large", new byte[900 * 1024]));
        Assert.Equal(HttpStatusCode.InternalServerError, await PublishAsync(sidecar, "large", new byte[(1 << 20) + 1]));
    }

    [Theory]
    [InlineData("initialOffset", "latest", "component pubsub: expected initialOffset to be one of newest, oldest, found latest")]
    [InlineData("authType", "password", "component pubsub: expected authType to be one of none, found password")]
    [InlineData("maxMessageBytes", "1MB", "component pubsub: expected maxMessageBytes from 1000 to 2147483647, found 1MB")]
    public async Task Metadata_that_this_tool_does_not_know_end_the_start(string name, string value, string message)
    {
        using MockKafka kafka = MockKafka.Start();
        using SidecarResources resources = new(redis.Require(), kafka);
        resources.Add("pubsub.yaml", SidecarResources.Component("pubsub", "pubsub.kafka", [("brokers", kafka.Endpoint), .. name == "authType" ? [] : new[] { ("authType", "none") }, (name, value)]));
        Assert.Equal(message, (await Assert.ThrowsAsync<FormatException>(() => SidecarInProcess.StartAsync("wrong", null, resources.Path))).Message);
    }

    private static async Task<HttpStatusCode> PublishAsync(SidecarInProcess sidecar, string topic, byte[] payload)
    {
        using ByteArrayContent content = new(payload);
        content.Headers.ContentType = new("application/octet-stream");
        using HttpResponseMessage response = await sidecar.Client.PostAsync(
            $"/v1.0/publish/pubsub/{topic}?metadata.rawPayload=true&metadata.partitionKey=run%2F1", content, TestContext.Current.CancellationToken);
        return response.StatusCode;
    }
}
