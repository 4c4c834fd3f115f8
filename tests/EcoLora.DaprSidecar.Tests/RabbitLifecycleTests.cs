using System.Net;
using System.Text.Json;
using EcoLora.DaprTestKit;

namespace EcoLora.DaprSidecar.Tests;

/// <summary>Starts, crashes and ends with RabbitMQ; its component files; secrets.</summary>
public sealed class RabbitLifecycleTests(RedisFixture redis, RabbitFixture rabbit)
{
    [Fact]
    public async Task A_killed_rabbitmq_has_kept_what_is_persistent_and_deliveries_go_on()
    {
        await using RabbitServer server = await RabbitServer.StartAsync();
        using SidecarResources resources = SidecarResources.OfProduct("rabbitmq", redis.Require(), server);
        using SidecarResources transient = new(redis.Require(), server, ("deletedWhenUnused", "false"), ("publisherConfirm", "true"));
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("kept", "/in")}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("kept-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("kept");
        // Queues of consumers that are away: one is sent persistent messages, one transient ones.
        await server.BindAsync("kept", "kept-copy");
        await server.BindAsync("forgotten", "forgotten-copy");
        await using SidecarProcess forgetting = await SidecarProcess.StartAsync("forgetting", resourcesPath: transient.Path);
        for (byte i = 0; i < 10; i++)
        {
            Assert.Equal(HttpStatusCode.NoContent, await sidecar.PublishRawAsync("kept", [i]));
            Assert.Equal(HttpStatusCode.NoContent, await forgetting.PublishRawAsync("forgotten", [i]));
        }
        Assert.Equal((10u, 10u), (await server.WaitingAsync("kept-copy"), await server.WaitingAsync("forgotten-copy")));
        await server.KillAsync();
        // Until the sidecar notices, a publish may be accepted all the same, and is lost: 204 is no proof, even with confirmations.
        await Eventually.TrueAsync(async () => await sidecar.PublishRawAsync("kept", [10]) == HttpStatusCode.InternalServerError, "publishing fails");
        await server.StartAgainAsync();
        Assert.Equal((10u, 0u), (await server.WaitingAsync("kept-copy"), await server.WaitingAsync("forgotten-copy")));
        await Eventually.TrueAsync(async () => await sidecar.PublishRawAsync("kept", [11]) == HttpStatusCode.NoContent, "the sidecar has its RabbitMQ again");
        await Eventually.TrueAsync(() => app.To("/in").Select(r => r.Data[0]).Distinct().Count() >= 11, "all that was stored is delivered");
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11], app.To("/in").Select(r => (int)r.Data[0]).Distinct().Order());
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11], (await server.TakeAsync("kept-copy")).Select(m => (int)m[0]));
    }

    [Fact]
    public async Task What_a_killed_sidecar_had_not_acknowledged_comes_again_from_its_successor()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = SidecarResources.OfProduct("rabbitmq", redis.Require(), server);
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("rabbit-crash", "/in")}]");
        await using SidecarProcess publisher = await SidecarProcess.StartAsync("rabbit-crash-publisher", resourcesPath: resources.Path);
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("rabbit-crash-app", app.Port, resources.Path, more: ["--fault-die-after", "3"]);
        await sidecar.WaitUntilSubscribedAsync("rabbit-crash");
        for (byte i = 0; i < 5; i++) await publisher.PublishRawAsync("rabbit-crash", [i]);
        Assert.Equal(137, await sidecar.WaitForExitAsync());
        await sidecar.StartAgainAsync("--fault-die-after");
        await Eventually.TrueAsync(() => app.To("/in").Select(r => r.Data[0]).Distinct().Count() == 5 && app.To("/in").Count > 5,
            "all have come, and those that were answered but not acknowledged again");
        Assert.Equal(0, await sidecar.StopAsync());
        Assert.Equal(0u, await server.WaitingAsync("rabbit-crash-app-rabbit-crash"));
    }

    [Fact]
    public async Task A_shutdown_lets_what_is_with_the_app_end_and_leaves_the_rest_in_the_queue()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = new(redis.Require(), server, ("deletedWhenUnused", "false"), ("prefetchCount", "1"));
        TaskCompletionSource answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using StubApp app = await StubApp.StartAsync($"[{StubApp.Subscription("rabbit-drain", "/in")}]", async _ =>
        {
            await answer.Task;
            return new();
        });
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("rabbit-drain-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("rabbit-drain");
        for (byte i = 0; i < 3; i++) await sidecar.PublishRawAsync("rabbit-drain", [i]);
        await app.WaitForAsync("/in", 1);
        Task<int> exit = sidecar.StopAsync();
        await Eventually.TrueAsync(() => sidecar.Output.Contains("rabbitmq: draining", StringComparison.Ordinal), "it takes no more");
        answer.SetResult();
        Assert.Equal(0, await exit);
        Assert.Equal((1, 2u), (app.To("/in").Count, await server.WaitingAsync("rabbit-drain-app-rabbit-drain")));
    }

    [Fact]
    public async Task The_products_component_files_are_read()
    {
        RabbitServer server = await rabbit.RequireAsync();
        using SidecarResources resources = SidecarResources.OfProduct("rabbitmq", redis.Require(), server);
        int calls = 0;
        await using StubApp app = await StubApp.StartAsync(
            $"[{StubApp.Subscription("rabbit-product", "/in", deadLetter: "rabbit-product.dead")}]", _ =>
                Task.FromResult(new StubAnswer(Interlocked.Increment(ref calls) == 1 ? 500 : 200)));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("rabbit-product-app", app.Port, resources.Path);
        JsonElement metadata = JsonSerializer.Deserialize<JsonElement>(await sidecar.Client.GetStringAsync("/v1.0/metadata",
            TestContext.Current.CancellationToken));
        Assert.Equal(["pubsub/pubsub.rabbitmq", "secretstore/secretstores.local.env", "statestore/state.redis"],
            metadata.GetProperty("components").EnumerateArray().Select(c => $"{c.GetProperty("name")}/{c.GetProperty("type")}").Order());
        await sidecar.WaitUntilSubscribedAsync("rabbit-product");
        await sidecar.PublishRawAsync("rabbit-product", [1]);
        await app.WaitForAsync("/in", 2);
        Assert.Equal(0, await sidecar.StopAsync());
        Assert.Equal(0u, await server.WaitingAsync("rabbit-product-app-rabbit-product"));
    }

    [Theory]
    [InlineData("guest", 0)]
    [InlineData("", 0)] // As absent: guest's own password is tried.
    [InlineData("wrong", 1)]
    public async Task The_password_comes_from_the_secret_store(string password, int status)
    {
        // A variable of this test's own: sidecars inherit it.
        string variable = $"ECOLORA_TEST_{Guid.NewGuid():N}";
        if (password.Length > 0) Environment.SetEnvironmentVariable(variable, password);
        using SidecarResources resources = SidecarResources.OfProduct("rabbitmq", redis.Require(), await rabbit.RequireAsync());
        string file = Path.Combine(resources.Path, "pubsub.yaml");
        string yaml = await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
        resources.Add("pubsub.yaml", yaml.Replace("ECOLORA_RABBITMQ_PASSWORD", variable, StringComparison.Ordinal));
        if (status == 0)
        {
            await using SidecarProcess sidecar = await SidecarProcess.StartAsync("secretive", resourcesPath: resources.Path);
            Assert.Equal(HttpStatusCode.NoContent, await sidecar.PublishRawAsync("secretive", [1]));
        }
        else
        {
            InvalidOperationException error = await Assert.ThrowsAsync<InvalidOperationException>(() =>
                SidecarProcess.StartAsync("secretive", resourcesPath: resources.Path));
            Assert.Contains($"ended with {status}", error.Message);
        }
        Environment.SetEnvironmentVariable(variable, null);
    }

    [Theory]
    [InlineData("hostname", "nowhere")]
    [InlineData("protocol", "amqps")]
    [InlineData("deliveryMode", "3")]
    [InlineData("prefetchCount", "256")]
    [InlineData("concurrencyMode", "both")]
    [InlineData("exchangeKind", "fan")]
    public async Task A_component_that_cannot_be_read_or_reached_ends_the_process(string name, string value)
    {
        RabbitServer server = await rabbit.RequireAsync();
        (string, string) setting = (name, value == "nowhere" ? $"127.0.0.1:{FreePort.Next()}" : value);
        using SidecarResources resources = new(redis.Require(), server);
        resources.Add("pubsub.yaml", SidecarResources.Component("pubsub", "pubsub.rabbitmq",
            name == "hostname" ? [setting] : [("hostname", server.Endpoint), setting]));
        InvalidOperationException error = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            SidecarProcess.StartAsync("unreadable", resourcesPath: resources.Path));
        Assert.Contains("ended with 1", error.Message);
    }

    [Fact]
    public async Task A_secret_store_that_is_missing_ends_the_process()
    {
        using SidecarResources resources = SidecarResources.OfProduct("rabbitmq", redis.Require(), await rabbit.RequireAsync());
        File.Delete(Path.Combine(resources.Path, "secretstore.yaml"));
        InvalidOperationException error = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            SidecarProcess.StartAsync("storeless", resourcesPath: resources.Path));
        Assert.Contains("expected a secret store named 'secretstore'", error.Message);
    }
}
