using System.Text.Json;
using EcoLora.DaprTestKit;

[assembly: AssemblyFixture(typeof(RabbitFixture))]

namespace EcoLora.DaprSidecar.Tests;

/// <summary>From RabbitMQ to the app, and to the dead letter when the app will not have it.</summary>
public sealed class RabbitDeliveryTests(RedisFixture redis, RabbitFixture rabbit)
{
    private const int Mebi = 1 << 20;

    /// <summary>Nothing is lost but what a handler fails on.</summary>
    private static readonly (string, string)[] _withoutRequeue = [("deletedWhenUnused", "false"), ("deliveryMode", "2"), ("publisherConfirm", "true")];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_whole_answer_table_with_and_without_a_retry_policy(bool policy)
    {
        RabbitServer server = await rabbit.RequireAsync();
        string run = policy ? "rabbit-table-retried" : "rabbit-table-plain";
        using SidecarResources resources = new(redis.Require(), server, _withoutRequeue);
        if (policy) resources.AddInboundRetry(maxRetries: 2);
        int rows = AnswerTable.Rows.Length;
        await using StubApp app = await StubApp.StartAsync(
            $"[{string.Join(',', Enumerable.Range(0, rows).Select(i => StubApp.Subscription($"{run}-{i}", $"/on/{i}", deadLetter: i % 2 == 0 ? $"{run}-{i}.dead" : null)))}]",
            request => Task.FromResult(new StubAnswer(AnswerTable.Rows[int.Parse(request.Path[4..])].Status, AnswerTable.Rows[int.Parse(request.Path[4..])].Body)));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync(run, app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync([.. Enumerable.Range(0, rows).Select(i => $"{run}-{i}")]);
        for (int i = 0; i < rows; i += 2) await server.BindAsync($"{run}-{i}.dead", $"{run}-{i}.dead");
        for (int i = 0; i < rows; i++) await sidecar.PublishRawAsync($"{run}-{i}", Payload.AllBytes(256));
        for (int i = 0; i < rows; i++) await app.WaitForAsync($"/on/{i}", AnswerTable.Rows[i].Effect == "retry" && policy ? 3 : 1);
        Assert.Equal(0, await sidecar.StopAsync());
        for (int i = 0; i < rows; i++)
        {
            string effect = AnswerTable.Rows[i].Effect;
            // Nothing went back to the queue: without a dead letter and without requeueInFailure what failed is lost.
            Assert.Equal(0u, await server.WaitingAsync($"{run}-{run}-{i}"));
            if (i % 2 == 0)
            {
                List<byte[]> dead = await server.TakeAsync($"{run}-{i}.dead");
                if (effect == "ack") Assert.Empty(dead);
                else Assert.Equal(Payload.AllBytes(256), Assert.Single(dead));
            }
            Assert.Equal(effect == "retry" && policy ? 3 : 1, app.To($"/on/{i}").Count);
        }
    }

    [Fact]
    public async Task With_requeue_in_failure_and_no_dead_letter_the_broker_gives_it_again()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = new(redis.Require(), server, [.. _withoutRequeue, ("requeueInFailure", "true")]);
        int calls = 0;
        await using StubApp app = await StubApp.StartAsync(
            $"[{StubApp.Subscription("requeued", "/in")}]", _ => Task.FromResult(new StubAnswer(Interlocked.Increment(ref calls) < 5 ? 503 : 200)));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("requeued-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("requeued");
        await sidecar.PublishRawAsync("requeued", [1, 2, 3]);
        Assert.All(await app.WaitForAsync("/in", 5), r => Assert.Equal([1, 2, 3], r.Data));
        Assert.Equal(0, await sidecar.StopAsync());
        Assert.Equal((5, 0u), (calls, await server.WaitingAsync("requeued-app-requeued")));
    }

    [Fact]
    public async Task A_policy_delivers_again_until_the_app_takes_it()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = new SidecarResources(redis.Require(), server, _withoutRequeue).AddInboundRetry(maxRetries: -1);
        await server.BindAsync("rabbit-again.dead", "rabbit-again.dead");
        int calls = 0;
        await using StubApp app = await StubApp.StartAsync(
            $"[{StubApp.Subscription("rabbit-again", "/in", deadLetter: "rabbit-again.dead")}]", _ =>
                Task.FromResult(new StubAnswer(Interlocked.Increment(ref calls) < 5 ? 503 : 200)));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("rabbit-again-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("rabbit-again");
        await sidecar.PublishRawAsync("rabbit-again", [1, 2, 3]);
        await app.WaitForAsync("/in", 5);
        Assert.Equal(0, await sidecar.StopAsync());
        Assert.Equal((5, 0u, 0u), (calls, await server.WaitingAsync("rabbit-again-app-rabbit-again"), await server.WaitingAsync("rabbit-again.dead")));
    }

    [Fact]
    public async Task Raw_deliveries_are_made_up_events_with_the_exact_bytes_and_a_new_id_each()
    {
        using SidecarResources resources = new(redis.Require(), await rabbit.RequireAsync());
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("rabbit-raw", "/in")}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("rabbit-raw-app", app.Port, resources.Path,
            more: ["--fault-duplicate-rate", "1"]);
        await sidecar.WaitUntilSubscribedAsync("rabbit-raw");
        byte[][] payloads = [.. new[] { 0, 256, Mebi - 1, Mebi, Mebi + 1, 4 * Mebi }.Select(Payload.AllBytes)];
        foreach (byte[] payload in payloads) await sidecar.PublishRawAsync("rabbit-raw", payload, "&metadata.partitionKey=run/7");
        IReadOnlyList<StubRequest> requests = await app.WaitForAsync("/in", 2 * payloads.Length);
        Assert.Equal(payloads.SelectMany(p => new[] { p.Length, p.Length }).Order(), requests.Select(r => r.Data.Length).Order());
        foreach (StubRequest request in requests)
        {
            Assert.Equal(Payload.AllBytes(request.Data.Length), request.Data);
            Assert.Equal("application/octet-stream", request.Json.GetProperty("datacontenttype").GetString());
            Assert.Equal("pubsub", request.Headers["pubsubName"]);
            // RabbitMQ carries no metadata of a publish to its deliveries.
            Assert.False(request.Headers.ContainsKey("partitionKey"));
        }
        Assert.Equal(2 * payloads.Length, requests.Select(r => r.Json.GetProperty("id").GetString()).Distinct().Count());
    }

    [Fact]
    public async Task Enveloped_deliveries_are_the_events_from_the_broker()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = new(redis.Require(), server, _withoutRequeue);
        await server.BindAsync("rabbit-env", "rabbit-env-copy");
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("rabbit-env", "/in", raw: false)}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("rabbit-env-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("rabbit-env");
        foreach (int size in new[] { 0, 256, 4 * Mebi }) await sidecar.PublishAsync("rabbit-env", Payload.AllBytes(size), "");
        IReadOnlyList<StubRequest> requests = await app.WaitForAsync("/in", 3);
        Assert.Equal([0, 256, 4 * Mebi], requests.Select(r => r.Data.Length).Order());
        Assert.All(requests, r => Assert.Equal(Payload.AllBytes(r.Data.Length), r.Data));
        Assert.Equal(
            (await server.TakeAsync("rabbit-env-copy")).Select(m => JsonSerializer.Deserialize<JsonElement>(m).GetProperty("id").GetString()).Order(),
            requests.Select(r => r.Json.GetProperty("id").GetString()).Order());
    }

    [Fact]
    public async Task A_raw_publish_to_a_non_raw_subscription_becomes_a_dead_letter()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = new SidecarResources(redis.Require(), server, _withoutRequeue).AddInboundRetry(maxRetries: 3);
        await server.BindAsync("rabbit-mixed.dead", "rabbit-mixed.dead");
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("rabbit-mixed", "/in", raw: false, deadLetter: "rabbit-mixed.dead")}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("rabbit-mixed-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("rabbit-mixed");
        await sidecar.PublishRawAsync("rabbit-mixed", Payload.AllBytes(256));
        await Eventually.TrueAsync(async () => await server.WaitingAsync("rabbit-mixed.dead") == 1, "the dead letter is there");
        Assert.Equal(Payload.AllBytes(256), Assert.Single(await server.TakeAsync("rabbit-mixed.dead")));
        Assert.Empty(app.To("/in"));
    }

    [Fact]
    public async Task Every_app_id_gets_every_message_and_sidecars_of_one_app_id_share_them()
    {
        using SidecarResources resources = new(redis.Require(), await rabbit.RequireAsync(), ("prefetchCount", "1"));
        StubApp[] apps = new StubApp[3];
        TaskCompletionSource bothShare = new(TaskCreationOptions.RunContinuationsAsynchronously);
        for (int i = 0; i < 3; i++)
        {
            apps[i] = await StubApp.StartAsync($"[{StubApp.Subscription("shared", "/in")}]", async _ =>
            {
                // Whoever has a message keeps it until the other one that shares its queue has one too.
                if (apps[0].To("/in").Count > 0 && apps[1].To("/in").Count > 0) bothShare.TrySetResult();
                await bothShare.Task;
                return new();
            });
        }
        await using StubApp first = apps[0], second = apps[1], other = apps[2];
        await using SidecarProcess one = await SidecarProcess.StartAsync("sharing", first.Port, resources.Path);
        await using SidecarProcess two = await SidecarProcess.StartAsync("sharing", second.Port, resources.Path);
        await using SidecarProcess three = await SidecarProcess.StartAsync("alone", other.Port, resources.Path);
        foreach (SidecarProcess sidecar in new[] { one, two, three }) await sidecar.WaitUntilSubscribedAsync("shared");
        for (byte i = 0; i < 20; i++) await one.PublishRawAsync("shared", [i]);
        Assert.Equal(Enumerable.Range(0, 20), (await other.WaitForAsync("/in", 20)).Select(r => (int)r.Data[0]).Order());
        await Eventually.TrueAsync(() => first.To("/in").Count + second.To("/in").Count >= 20, "the two have all");
        Assert.Equal(Enumerable.Range(0, 20), first.To("/in").Concat(second.To("/in")).Select(r => (int)r.Data[0]).Order());
    }

    [Fact]
    public async Task Prefetch_count_limits_what_the_app_has_in_hand()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = new(redis.Require(), server, ("prefetchCount", "2"));
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("prefetched", "/in")}]", async _ =>
        {
            await release.Task;
            return new();
        });
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("prefetching", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("prefetched");
        for (byte i = 0; i < 6; i++) await sidecar.PublishRawAsync("prefetched", [i]);
        await app.WaitForAsync("/in", 2);
        await Eventually.TrueAsync(async () => await server.WaitingAsync("prefetching-prefetched") == 4, "four wait at the broker");
        Assert.Equal(2, app.To("/in").Count);
        release.SetResult();
        await app.WaitForAsync("/in", 6);
    }

    [Fact]
    public async Task Concurrency_mode_single_is_one_after_the_other_in_order()
    {
        using SidecarResources resources = new SidecarResources(redis.Require(), await rabbit.RequireAsync(), ("concurrencyMode", "single"))
            .AddInboundRetry(maxRetries: -1);
        int calls = 0, inside = 0;
        bool overlapped = false;
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("single", "/in")}]", async _ =>
        {
            if (Interlocked.Increment(ref inside) > 1) overlapped = true;
            await Task.Yield();
            Interlocked.Decrement(ref inside);
            return new(Interlocked.Increment(ref calls) % 3 == 1 ? 503 : 200);
        });
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("single-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("single");
        for (byte i = 0; i < 20; i++) await sidecar.PublishRawAsync("single", [i]);
        await Eventually.TrueAsync(() => app.To("/in").Any(r => r.Data[0] == 19), "the last one has come");
        Assert.Equal(Enumerable.Range(0, 20), app.To("/in").Select(r => (int)r.Data[0]).Distinct());
        Assert.False(overlapped);
    }
}
