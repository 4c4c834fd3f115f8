using System.Text.Json;
using EcoLora.DaprTestKit;

namespace EcoLora.DaprSidecar.Tests;

/// <summary>Several messages at once to the app, and what its answer means for each of them.</summary>
public sealed class BulkDeliveryTests(RedisFixture redis, RabbitFixture rabbit)
{
    /// <summary>The answer for an entry with the byte i; null for none. What is dead is what becomes a dead letter.</summary>
    private static readonly (string? Status, bool Dead)[] Statuses =
        [("SUCCESS", false), ("DROP", true), ("RETRY", true), ("", true), ("OTHER", true), (null, true)];

    [Theory]
    [InlineData("redis")]
    [InlineData("rabbitmq")]
    public async Task Each_entry_has_its_own_answer_and_a_missing_one_is_a_retry(string broker)
    {
        string id = $"bulk-{broker}";
        using SidecarResources resources = await ResourcesAsync(broker);
        await using StubApp app = await StubApp.StartAsync(
            $"[{Subscription(id, "/in", deadLetter: id + ".dead", count: Statuses.Length)},{StubApp.Subscription(id + ".dead", "/dead")}]",
            request => Task.FromResult(request.Path == "/in" ? new StubAnswer(200, Answer(request)) : new StubAnswer()));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync(id, app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync(id, id + ".dead");
        for (byte i = 0; i < Statuses.Length; i++) await sidecar.PublishRawAsync(id, [i]);
        IReadOnlyList<StubRequest> dead = await app.WaitForAsync("/dead", Statuses.Count(s => s.Dead));
        Assert.Equal(Statuses.Index().Where(s => s.Item.Dead).Select(s => s.Index), dead.Select(r => (int)r.Data[0]).Order());
        JsonElement[] bundles = [.. app.To("/in").Select(r => r.Json)];
        Assert.Equal(Statuses.Length, bundles.Sum(b => b.GetProperty("entries").GetArrayLength()));
        Assert.All(bundles, bundle =>
        {
            Assert.Equal(("com.dapr.event.sent.bulk", id, "pubsub", "pubsub"), (bundle.GetProperty("type").GetString(), bundle.GetProperty("topic").GetString(),
                bundle.GetProperty("pubsubname").GetString(), bundle.GetProperty("metadata").GetProperty("pubsubName").GetString()));
            Assert.All(bundle.GetProperty("entries").EnumerateArray(), e => Assert.Equal("application/octet-stream", e.GetProperty("contentType").GetString()));
        });
        Assert.Equal("application/json", app.To("/in")[0].Headers["Content-Type"]);
    }

    [Theory]
    [InlineData(204, "", 1)]
    [InlineData(200, "no json", 1)]
    [InlineData(200, "{}", 1)]
    [InlineData(500, "", 1)]
    [InlineData(404, "", 0)] // Done with, and no dead letters: unlike a single delivery.
    public async Task An_answer_for_none_of_them(int status, string body, int dead)
    {
        string id = $"bulk-none-{status}-{body.Length}";
        using SidecarResources resources = await ResourcesAsync("redis");
        await using StubApp app = await StubApp.StartAsync(
            $"[{Subscription(id, "/in", deadLetter: id + ".dead")}]", _ => Task.FromResult(new StubAnswer(status, body)));
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync(id, app.Port, resources.Path);
        await sidecar.PublishRawAsync(id, [1]);
        await redis.Server.WaitUntilSettledAsync(id, id, 1);
        Assert.Equal(dead, (await redis.Server.StreamAsync(id + ".dead")).Count);
    }

    [Fact]
    public async Task A_policy_sends_again_only_what_the_app_wants_again()
    {
        using SidecarResources resources = await ResourcesAsync("redis");
        resources.AddInboundRetry(maxRetries: -1);
        HashSet<int> seen = [];
        await using StubApp app = await StubApp.StartAsync($"[{Subscription("bulk-again", "/in", count: 4)}]", request =>
        {
            // Odd ones are taken at once, even ones the second time.
            lock (seen)
                return Task.FromResult(new StubAnswer(200, Answer(request, data => data % 2 == 1 || !seen.Add(data) ? "SUCCESS" : "RETRY")));
        });
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("bulk-again-app", app.Port, resources.Path);
        for (byte i = 0; i < 4; i++) await sidecar.PublishRawAsync("bulk-again", [i]);
        await redis.Server.WaitUntilSettledAsync("bulk-again", "bulk-again-app", 4);
        Assert.Equal([0, 0, 1, 2, 2, 3], app.To("/in").SelectMany(Entries).Select(e => e.Data).Order());
    }

    [Fact]
    public async Task A_bundle_holds_at_most_what_the_subscription_allows_and_the_broker_hands_out()
    {
        using SidecarResources resources = new(redis.Require(), ("concurrency", "3"));
        await using StubApp app = await StubApp.StartAsync(
            $"[{Subscription("bulk-two", "/two", count: 2)},{Subscription("bulk-many", "/many", count: 100)}]",
            request => Task.FromResult(new StubAnswer(200, Answer(request, _ => "SUCCESS"))));
        // Published before the sidecar reads, so that all are there at once.
        await using SidecarProcess publisher = await SidecarProcess.StartAsync("bulk-publisher", resourcesPath: resources.Path);
        for (byte i = 0; i < 12; i++)
        {
            await publisher.PublishRawAsync("bulk-two", [i]);
            await publisher.PublishRawAsync("bulk-many", [i]);
        }
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("bulk-app", app.Port, resources.Path);
        await redis.Server.WaitUntilSettledAsync("bulk-two", "bulk-app", 12);
        await redis.Server.WaitUntilSettledAsync("bulk-many", "bulk-app", 12);
        Assert.Equal(2, app.To("/two").Max(r => Entries(r).Count()));
        Assert.Equal(3, app.To("/many").Max(r => Entries(r).Count()));
    }

    [Fact]
    public async Task Routes_make_bundles_of_their_own_and_what_none_takes_goes_to_the_root()
    {
        using SidecarResources resources = await ResourcesAsync("redis");
        await using StubApp app = await StubApp.StartAsync("""
            [{"pubsubname":"pubsub","topic":"bulk-routes","deadLetterTopic":"bulk-routes.dead","bulkSubscribe":{"enabled":true,"maxAwaitDurationMs":100},
            "routes":{"rules":[{"match":"event.data == 'a'","path":"/a"},{"match":"event.data == 'b'","path":"/b"}]}}]
            """);
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("bulk-routes-app", app.Port, resources.Path);
        foreach (string text in new[] { "a", "b", "c" }) await sidecar.PublishAsync("bulk-routes", System.Text.Encoding.UTF8.GetBytes(text), "", "text/plain");
        await sidecar.PublishRawAsync("bulk-routes", [1]); // No event.
        await redis.Server.WaitUntilSettledAsync("bulk-routes", "bulk-routes-app", 4);
        foreach ((string path, string data) in new[] { ("/a", "a"), ("/b", "b"), ("/", "c") })
        {
            JsonElement entry = Assert.Single(Assert.Single(app.To(path)).Json.GetProperty("entries").EnumerateArray());
            Assert.Equal((data, "application/cloudevents+json"),
                (entry.GetProperty("event").GetProperty("data").GetString(), entry.GetProperty("contentType").GetString()));
        }
        // The app's empty answers are retries, so all are dead in the end; the one that no rule takes even twice.
        Assert.Equal(5, (await redis.Server.StreamAsync("bulk-routes.dead")).Count);
    }

    private async Task<SidecarResources> ResourcesAsync(string broker) => broker == "redis"
        ? new(redis.Require())
        : new(redis.Require(), await rabbit.RequireAsync(), ("deletedWhenUnused", "false"));

    private static IEnumerable<(string Id, int Data)> Entries(StubRequest request) => request.Json.GetProperty("entries").EnumerateArray()
        .Select(e => (e.GetProperty("entryId").GetString()!, (int)e.GetProperty("event").GetBytesFromBase64()[0]));

    private static string Answer(StubRequest request) => Answer(request, data => Statuses[data].Status);

    private static string Answer(StubRequest request, Func<int, string?> status) => JsonSerializer.Serialize(new
    {
        statuses = Entries(request).Select(e => (entryId: e.Id, status: status(e.Data))).Where(e => e.status is not null)
            .Select(e => new { e.entryId, e.status }).Append(new { entryId = "nobody's", status = (string?)"SUCCESS" }),
    });

    private static string Subscription(string topic, string route, string? deadLetter = null, int count = 0) => JsonSerializer.Serialize(new
    {
        pubsubname = "pubsub",
        topic,
        route,
        deadLetterTopic = deadLetter,
        metadata = new { rawPayload = "true" },
        bulkSubscribe = new { enabled = true, maxMessagesCount = count, maxAwaitDurationMs = 200 },
    });
}
