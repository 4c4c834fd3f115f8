using System.Net;
using System.Text.Json;
using EcoLora.DaprTestKit;

namespace EcoLora.DaprSidecar.Tests;

/// <summary>From the broker to the app and, when the app will not have it, to the dead letter.</summary>
public sealed class DeliveryTests(RedisFixture fixture)
{
    private const int Mebi = 1 << 20;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_whole_answer_table_with_and_without_a_retry_policy(bool policy)
    {
        RedisServer redis = fixture.Require();
        string run = policy ? "table-retried" : "table-plain";
        using SidecarResources resources = new(redis);
        if (policy) resources.AddInboundRetry(maxRetries: 2);
        await using StubApp app = await StubApp.StartAsync(
            $"[{string.Join(',', AnswerTable.Rows.Select((_, i) => StubApp.Subscription($"{run}-{i}", $"/on/{i}", deadLetter: i % 2 == 0 ? $"{run}-{i}.dead" : null)))}]",
            request => Task.FromResult(new StubAnswer(AnswerTable.Rows[int.Parse(request.Path[4..])].Status, AnswerTable.Rows[int.Parse(request.Path[4..])].Body)));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync(run, app.Port, resources.Path);
        for (int i = 0; i < AnswerTable.Rows.Length; i++) await sidecar.PublishRawAsync($"{run}-{i}", Payload.AllBytes(256));
        for (int i = 0; i < AnswerTable.Rows.Length; i++)
        {
            string effect = AnswerTable.Rows[i].Effect;
            await app.WaitForAsync($"/on/{i}", effect == "retry" && policy ? 3 : 1);
            // Redis acknowledges in every case: without a policy and a dead letter, RETRY is loss (trap 4).
            await redis.WaitUntilSettledAsync($"{run}-{i}", run, 1);
            IReadOnlyList<byte[]> dead = await redis.StreamAsync($"{run}-{i}.dead");
            if (effect == "ack" || i % 2 == 1) Assert.Empty(dead);
            else Assert.Equal(Payload.AllBytes(256), Assert.Single(dead));
            Assert.Equal(effect == "retry" && policy ? 3 : 1, app.To($"/on/{i}").Count);
        }
    }

    [Fact]
    public async Task Raw_deliveries_are_made_up_events_with_the_exact_bytes_and_a_new_id_each()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis);
        resources.AddInboundRetry(maxRetries: 0);
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("raw-in", "/in")}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("raw-app", app.Port, resources.Path, more: ["--fault-duplicate-rate", "1"]);
        int[] sizes = [0, 256, Mebi - 1, Mebi, Mebi + 1, 4 * Mebi];
        byte[][] payloads = [.. sizes.Select(Payload.AllBytes)];
        foreach (byte[] payload in payloads) await sidecar.PublishRawAsync("raw-in", payload, "&metadata.partitionKey=run/7");
        IReadOnlyList<StubRequest> requests = await app.WaitForAsync("/in", 2 * payloads.Length);
        Assert.Equal(payloads.SelectMany(p => new[] { p.Length, p.Length }).Order(), requests.Select(r => r.Data.Length).Order());
        foreach (StubRequest request in requests)
        {
            Assert.Equal(Payload.AllBytes(request.Data.Length), request.Data);
            Assert.Equal("application/cloudevents+json", request.Headers["Content-Type"]);
            Assert.Equal("application/octet-stream", request.Json.GetProperty("datacontenttype").GetString());
            Assert.Equal("raw-in", request.Json.GetProperty("topic").GetString());
            Assert.Equal("run/7", request.Headers["partitionKey"]);
            Assert.Equal("pubsub", request.Headers["pubsubName"]);
        }
        Assert.Equal(2 * payloads.Length, requests.Select(r => r.Json.GetProperty("id").GetString()).Distinct().Count());
    }

    [Fact]
    public async Task Enveloped_deliveries_are_the_events_from_the_broker()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis);
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("env-in", "/in", raw: false)}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("env-app", app.Port, resources.Path);
        foreach (int size in new[] { 0, 256, 4 * Mebi }) await sidecar.PublishAsync("env-in", Payload.AllBytes(size), "");
        IReadOnlyList<StubRequest> requests = await app.WaitForAsync("/in", 3);
        Assert.Equal([0, 256, 4 * Mebi], requests.Select(r => r.Data.Length).Order());
        Assert.All(requests, r => Assert.Equal(Payload.AllBytes(r.Data.Length), r.Data));
        Assert.Equal(
            (await redis.StreamAsync("env-in")).Select(m => JsonSerializer.Deserialize<JsonElement>(m).GetProperty("id").GetString()).Order(),
            requests.Select(r => r.Json.GetProperty("id").GetString()).Order());
    }

    [Fact]
    public async Task A_raw_publish_to_a_non_raw_subscription_never_reaches_the_app()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis);
        resources.AddInboundRetry(maxRetries: 3);
        await using StubApp app = await StubApp.StartAsync(
            $"[{StubApp.Subscription("mixed-dead", "/in", raw: false, deadLetter: "mixed-dead.dead")},"
            + $"{StubApp.Subscription("mixed-lost", "/in", raw: false)}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("mixed-app", app.Port, resources.Path);
        await sidecar.PublishRawAsync("mixed-dead", Payload.AllBytes(256));
        await sidecar.PublishRawAsync("mixed-lost", Payload.AllBytes(256));
        await redis.WaitUntilSettledAsync("mixed-dead", "mixed-app", 1);
        await redis.WaitUntilSettledAsync("mixed-lost", "mixed-app", 1);
        Assert.Equal(Payload.AllBytes(256), Assert.Single(await redis.StreamAsync("mixed-dead.dead")));
        Assert.Empty(app.To("/in"));
    }

    [Fact]
    public async Task A_policy_delivers_again_until_the_app_takes_it()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis);
        resources.AddInboundRetry(maxRetries: -1);
        int calls = 0;
        await using StubApp app = await StubApp.StartAsync(
            $"[{StubApp.Subscription("again", "/in", deadLetter: "again.dead")}]", _ =>
                Task.FromResult(new StubAnswer(Interlocked.Increment(ref calls) < 5 ? 503 : 200)));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("again-app", app.Port, resources.Path);
        await sidecar.PublishRawAsync("again", [1, 2, 3]);
        await app.WaitForAsync("/in", 5);
        await redis.WaitUntilSettledAsync("again", "again-app", 1);
        Assert.Equal(5, calls);
        Assert.Empty(await redis.StreamAsync("again.dead"));
    }

    [Fact]
    public async Task Every_app_id_gets_every_message_also_those_from_before_it_came()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis);
        await using StubApp first = await StubApp.StartAsync($"[{StubApp.Subscription("all", "/in")}]");
        await using StubApp second = await StubApp.StartAsync($"[{StubApp.Subscription("all", "/in")}]");
        await using SidecarProcess one = await SidecarProcess.StartAsync("all-1", first.Port, resources.Path);
        for (byte i = 0; i < 20; i++) await one.PublishRawAsync("all", [i]);
        await using SidecarProcess two = await SidecarProcess.StartAsync("all-2", second.Port, resources.Path);
        foreach (StubApp app in new[] { first, second })
            Assert.Equal(Enumerable.Range(0, 20), (await app.WaitForAsync("/in", 20)).Select(r => (int)r.Data[0]).Order());
    }

    [Fact]
    public async Task Transport_errors_are_retries()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis);
        resources.AddInboundRetry(maxRetries: 2);
        StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("timed", "/in", deadLetter: "timed.dead")}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("timed-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("timed");
        await app.DisposeAsync();
        Assert.Equal(HttpStatusCode.NoContent, await sidecar.PublishRawAsync("timed", [9]));
        await redis.WaitUntilSettledAsync("timed", "timed-app", 1);
        Assert.Equal([9], Assert.Single(await redis.StreamAsync("timed.dead")));
    }

    [Fact]
    public async Task The_processing_timeout_ends_no_handler_but_gives_its_message_again_and_keeps_what_fails_too_late()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis, ("processingTimeout", "300ms"), ("redeliverInterval", "100ms"));
        TaskCompletionSource again = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int calls = 0;
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("slow", "/in")}]", async _ =>
        {
            // The first is still at it when the second gets the same message; both fail too late, so there is a third.
            if (Interlocked.Increment(ref calls) == 3) again.SetResult();
            if (calls < 3) await again.Task;
            return new StubAnswer(calls < 4 ? 500 : 200);
        });
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("slow-app", app.Port, resources.Path);
        await sidecar.PublishRawAsync("slow", [1]);
        await app.WaitForAsync("/in", 3);
        await redis.WaitUntilSettledAsync("slow", "slow-app", 1);
        // The third may be answered before the sidecar has told of the others.
        await Eventually.TrueAsync(() => sidecar.Output.Contains("stays pending", StringComparison.Ordinal), "the sidecar tells of what failed too late");
    }

    [Fact]
    public async Task A_dead_letter_needs_the_right_to_publish_to_its_topic()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis, ("publishingScopes", "buried-app=other"));
        await using StubApp app = await StubApp.StartAsync(
            $"[{StubApp.Subscription("buried", "/in", deadLetter: "buried.dead")}]", _ => Task.FromResult(new StubAnswer(404)));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("buried-app", app.Port, resources.Path);
        await using SidecarProcess publisher = await SidecarProcess.StartAsync("buried-publisher", resourcesPath: resources.Path);
        await publisher.PublishRawAsync("buried", [1]);
        await redis.WaitUntilSettledAsync("buried", "buried-app", 1);
        Assert.Empty(await redis.StreamAsync("buried.dead"));
        Assert.Contains("topic buried.dead is not allowed", sidecar.Output);
    }

    [Fact]
    public async Task A_deleted_stream_begins_anew()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis);
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("anew", "/in")}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("anew-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("anew");
        await redis.CallAsync("DEL", "anew");
        await sidecar.PublishRawAsync("anew", [1]);
        Assert.Equal([1], Assert.Single(await app.WaitForAsync("/in", 1)).Data);
    }
}
