using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using EcoLora.DaprTestKit;

namespace EcoLora.DaprSidecar.Tests;

/// <summary>Starts, tokens, crashes and ends.</summary>
public sealed class LifecycleTests(RedisFixture fixture)
{
    /// <summary>
    /// Short, so that a dead sidecar's messages come soon; longer than the first delivery on a busy machine, because what takes longer than
    /// processingTimeout is given again while it is still being handled.
    /// </summary>
    private const string SafeTimeout = "3s";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_app_may_start_before_or_after_its_sidecar(bool sidecarFirst)
    {
        RedisServer redis = fixture.Require();
        string id = sidecarFirst ? "early-sidecar" : "late-sidecar";
        using SidecarResources resources = new(redis);
        string subscriptions = $"[{StubApp.Subscription(id, "/in")}]";
        int port = FreePort.Next();
        StubApp? app = sidecarFirst ? null : await StubApp.StartAsync(subscriptions, port: port);
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync(id, port, resources.Path);
        if (app is null)
        {
            // Outbound works without the app, health does not: an app that waited for it would wait for ever.
            using HttpResponseMessage health = await sidecar.Client.GetAsync("/v1.0/healthz", TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.InternalServerError, health.StatusCode);
            Assert.Equal(HttpStatusCode.NoContent, await sidecar.PublishRawAsync(id, [1]));
            app = await StubApp.StartAsync(subscriptions, port: port);
        }
        else
        {
            await sidecar.PublishRawAsync(id, [1]);
        }
        await sidecar.WaitUntilSubscribedAsync(id);
        await sidecar.WaitUntilHealthyAsync();
        Assert.Equal([1], Assert.Single(await app.WaitForAsync("/in", 1)).Data);
        Assert.Equal(["/dapr/config", "/dapr/subscribe"], app.Requests.Select(r => r.Path).Take(2));
        Assert.Single(app.To("/dapr/subscribe"));
        await app.DisposeAsync();
    }

    [Fact]
    public async Task An_app_that_is_gone_when_it_is_asked_is_asked_again()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis);
        int port = FreePort.Next();
        using TcpListener former = new(IPAddress.Loopback, port);
        former.Start();
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("fallen", port, resources.Path);
        // Its port was open, and now nobody is there.
        (await former.AcceptTcpClientAsync(TestContext.Current.CancellationToken)).Dispose();
        former.Stop();
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("fallen", "/in")}]", port: port);
        await sidecar.WaitUntilSubscribedAsync("fallen");
        Assert.Single(app.To("/dapr/subscribe"));
    }

    [Fact]
    public async Task A_404_to_discovery_means_no_subscriptions_but_declared_ones()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis);
        const string Declared = """
            apiVersion: dapr.io/v2alpha1
            kind: Subscription
            metadata:
              name: {0}
            spec:
              pubsubname: pubsub
              topic: {0}
              routes:
                default: /declared
              deadLetterTopic: {0}.dead
              metadata:
                rawPayload: "true"
            scopes:
            - {1}
            """;
        resources.Add("declared.yaml", Declared.Replace("{0}", "declared", StringComparison.Ordinal).Replace("{1}", "declared-app", StringComparison.Ordinal));
        resources.Add("foreign.yaml", Declared.Replace("{0}", "foreign", StringComparison.Ordinal).Replace("{1}", "another-app", StringComparison.Ordinal));
        await using StubApp app = await StubApp.StartAsync("");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("declared-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("declared");
        await sidecar.PublishRawAsync("declared", [5]);
        Assert.Equal([5], Assert.Single(await app.WaitForAsync("/declared", 1)).Data);
        JsonElement metadata = JsonSerializer.Deserialize<JsonElement>(await sidecar.Client.GetStringAsync("/v1.0/metadata",
            TestContext.Current.CancellationToken));
        Assert.Equal("declared-app", metadata.GetProperty("id").GetString());
        Assert.Equal("DECLARATIVE", Assert.Single(metadata.GetProperty("subscriptions").EnumerateArray()).GetProperty("type").GetString());
        Assert.Equal(["pubsub", "statestore"], metadata.GetProperty("components").EnumerateArray().Select(c => c.GetProperty("name").GetString()).Order());
        Assert.Single(app.To("/dapr/subscribe"));
    }

    [Fact]
    public async Task Tokens_go_both_ways()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis);
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("token", "/in")}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("token-app", app.Port, resources.Path, apiToken: "to-sidecar",
            appApiToken: "to-app");
        using HttpClient stranger = new() { BaseAddress = sidecar.Client.BaseAddress };
        foreach (string? token in new[] { null, "wrong" })
        {
            using HttpRequestMessage request = new(HttpMethod.Post, "/v1.0/publish/pubsub/token");
            if (token is not null) request.Headers.Add("dapr-api-token", token);
            using HttpResponseMessage response = await stranger.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        }
        Assert.Equal(HttpStatusCode.NoContent, await sidecar.PublishRawAsync("token", [1]));
        await app.WaitForAsync("/in", 1);
        Assert.All(app.Requests, r => Assert.Equal("to-app", r.Headers["dapr-api-token"]));
    }

    [Fact]
    public async Task What_a_killed_sidecar_had_not_acknowledged_comes_again_from_its_successor()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis, ("processingTimeout", SafeTimeout), ("redeliverInterval", "100ms"), ("concurrency", "1"));
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("crash", "/in")}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("crash-app", app.Port, resources.Path, more: ["--fault-die-after", "3"]);
        await sidecar.WaitUntilSubscribedAsync("crash");
        try
        {
            for (byte i = 0; i < 5; i++) await sidecar.PublishRawAsync("crash", [i]);
        }
        catch (HttpRequestException)
        {
            // It died while it was asked.
        }
        Assert.Equal(137, await sidecar.WaitForExitAsync());
        long stored = (long)await redis.CallAsync("XLEN", "crash");
        await sidecar.StartAgainAsync("--fault-die-after");
        IReadOnlyList<StubRequest> requests = await app.WaitForAsync("/in", (int)stored + 1);
        await redis.WaitUntilSettledAsync("crash", "crash-app", (int)stored);
        // The third was answered, not acknowledged: it comes twice, with another id.
        Assert.Equal(2, requests.Count(r => r.Data[0] == 2));
        Assert.Equal(stored, requests.Select(r => r.Data[0]).Distinct().Count());
        Assert.Equal(2, requests.Where(r => r.Data[0] == 2).Select(r => r.Json.GetProperty("id").GetString()).Distinct().Count());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_shutdown_lets_what_is_with_the_app_end(bool throughApi)
    {
        RedisServer redis = fixture.Require();
        string id = throughApi ? "drain-api" : "drain-term";
        using SidecarResources resources = new(redis);
        TaskCompletionSource answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription(id, "/in")}]", async _ =>
        {
            await answer.Task;
            return new();
        });
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync(id, app.Port, resources.Path);
        await sidecar.PublishRawAsync(id, [1]);
        await app.WaitForAsync("/in", 1);
        Task<int> exit;
        if (throughApi)
        {
            using HttpResponseMessage response = await sidecar.Client.PostAsync("/v1.0/shutdown", null, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
            exit = sidecar.WaitForExitAsync();
        }
        else
        {
            exit = sidecar.StopAsync();
        }
        Assert.False(sidecar.HasExited);
        answer.SetResult();
        Assert.Equal(0, await exit);
        Assert.Equal(0, await redis.PendingAsync(id, id));
    }

    [Fact]
    public async Task A_restarted_redis_has_kept_every_message_and_deliveries_go_on()
    {
        fixture.Require();
        await using RedisServer redis = await RedisServer.StartAsync();
        using SidecarResources resources = new(redis, ("processingTimeout", SafeTimeout), ("redeliverInterval", "100ms"));
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("kept", "/in")}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("kept-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("kept");
        for (byte i = 0; i < 10; i++) Assert.Equal(HttpStatusCode.NoContent, await sidecar.PublishRawAsync("kept", [i]));
        await redis.KillAsync();
        Assert.Equal(HttpStatusCode.InternalServerError, await sidecar.PublishRawAsync("kept", [10]));
        await redis.StartAgainAsync();
        await Eventually.TrueAsync(async () => await sidecar.PublishRawAsync("kept", [11]) == HttpStatusCode.NoContent, "the sidecar has its Redis again");
        await Eventually.TrueAsync(() => app.To("/in").Select(r => r.Data[0]).Distinct().Count() >= 11, "all that was stored is delivered");
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11], app.To("/in").Select(r => (int)r.Data[0]).Distinct().Order());
    }

    [Fact]
    public async Task Without_its_redis_a_sidecar_does_not_start()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis);
        resources.Add("pubsub.yaml", SidecarResources.Component("pubsub", "pubsub.redis", ("redisHost", $"127.0.0.1:{FreePort.Next()}")));
        InvalidOperationException error = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            SidecarProcess.StartAsync("no-redis", resourcesPath: resources.Path));
        Assert.Contains("ended with 1", error.Message);
    }

    [Fact]
    public async Task The_password_comes_from_the_secret_store()
    {
        fixture.Require();
        await using RedisServer redis = await RedisServer.StartAsync();
        using SidecarResources resources = SidecarResources.OfProduct("redis", redis);
        // A variable of this test's own: sidecars inherit it.
        string variable = $"ECOLORA_TEST_{Guid.NewGuid():N}";
        foreach (string name in new[] { "pubsub.yaml", "statestore.yaml" })
        {
            string yaml = await File.ReadAllTextAsync(Path.Combine(resources.Path, name), TestContext.Current.CancellationToken);
            resources.Add(name, yaml.Replace("ECOLORA_REDIS_PASSWORD", variable, StringComparison.Ordinal));
        }
        await redis.CallAsync("CONFIG", "SET", "requirepass", "a secret");
        await Assert.ThrowsAsync<InvalidOperationException>(() => SidecarProcess.StartAsync("secret-redis", resourcesPath: resources.Path));
        Environment.SetEnvironmentVariable(variable, "a secret");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("secret-redis", resourcesPath: resources.Path);
        Environment.SetEnvironmentVariable(variable, null);
        Assert.Equal(HttpStatusCode.NoContent, await sidecar.PublishRawAsync("secret-redis", [1]));
    }

    [Fact]
    public async Task The_products_component_files_are_read()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = SidecarResources.OfProduct("redis", redis);
        int calls = 0;
        await using StubApp app = await StubApp.StartAsync(
            $"[{StubApp.Subscription("product", "/in", deadLetter: "product.dead")}]", _ =>
                Task.FromResult(new StubAnswer(Interlocked.Increment(ref calls) == 1 ? 500 : 200)));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("product-app", app.Port, resources.Path);
        JsonElement metadata = JsonSerializer.Deserialize<JsonElement>(await sidecar.Client.GetStringAsync("/v1.0/metadata",
            TestContext.Current.CancellationToken));
        Assert.Equal(["pubsub", "secretstore", "statestore"],
            metadata.GetProperty("components").EnumerateArray().Select(c => c.GetProperty("name").GetString()).Order());
        await sidecar.PublishRawAsync("product", [1]);
        await app.WaitForAsync("/in", 2);
        await redis.WaitUntilSettledAsync("product", "product-app", 1);
    }
}
