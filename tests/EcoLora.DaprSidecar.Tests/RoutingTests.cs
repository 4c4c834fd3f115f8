using System.Text;
using System.Text.Json;
using EcoLora.DaprTestKit;

namespace EcoLora.DaprSidecar.Tests;

/// <summary>Routing rules: match expressions, their order, and what becomes of events that no rule takes.</summary>
public sealed class RoutingTests(RedisFixture fixture)
{
    private const string Event = """
        {"id":"7","source":"me","type":"order.new","data":{"n":3,"half":0.5,"name":"Ä b","tags":["a","b"],"on":true,"none":null,"inner":{"x":1}}}
        """;

    /// <summary>What is true of the event; then what is false; then what cannot be said of it, which fails the message.</summary>
    private static readonly (string Match, bool? Expected)[] Expressions =
    [
        ("event.type == \"order.new\"", true), ("event.type == 'order.new' && event.data.n == 3", true), ("event[\"type\"] != \"x\"", true),
        ("event.data.n > 2 && event.data.n <= 3.0 && event.data.half < 1", true), ("event.type in [\"a\", \"order.new\"]", true),
        ("\"a\" in event.data.tags", true), ("\"n\" in event.data", true), ("has(event.data.n)", true), ("!has(event.data.m)", true),
        ("has(event.data.none) && event.data.none == null", true), ("event.type.startsWith(\"order.\")", true), ("event.type.endsWith(\"new\")", true),
        ("event.data.name.contains(\"Ä\")", true), ("event.type.matches(\"^o.*w$\")", true), ("size(event.data.tags) == 2", true),
        ("event.data.name.size() == 3", true), ("event.data.tags[1] == \"b\"", true), ("event.data.on", true), ("event.data.n % 2.0 == 1.0 || true", true),
        ("int(event.data.n) % 2 == 1", true), ("-event.data.n == -3 && 1 + 2 * 3 == 7 && 7 / 2 == 3", true), ("string(event.data.on) == \"true\"", true),
        ("double(\"0.5\") == event.data.half", true), ("(event.data.n == 4 ? false : true)", true), ("event.missing == 1 || event.data.on", true),
        ("event.data.tags == [\"a\", \"b\"]", true), ("event.data.inner.x == 1", true), ("\"a\" < \"b\"", true), (" true ", true),
        ("event.type == \"x\"", false), ("event.type == \"order.new\" && event.data.n == 4", false), ("event.data.name == 3", false),
        ("!(event.data.on)", false), ("event.missing == 1 && false", false), ("\"c\" in event.data.tags", false), ("has(event.data.inner.y)", false),
        ("event.missing == 1", null), ("event.data.n", null), ("event.data.name < 3", null), ("event.data.tags[2] == \"c\"", null), ("other == 1", null),
        ("has(event.missing.y)", null), ("1 / 0 == 1", null), ("event.missing == 1 || false", null),
    ];

    [Fact]
    public async Task Match_expressions_decide_the_route()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis);
        string subscriptions = JsonSerializer.Serialize(Expressions.Select((e, i) => new
        {
            pubsubname = "pubsub",
            topic = $"cel-{i}",
            routes = new { rules = new[] { new { match = e.Match, path = "/match" } }, @default = "/other" },
            deadLetterTopic = $"cel-{i}.dead",
        }));
        await using StubApp app = await StubApp.StartAsync(subscriptions);
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("cel-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync([.. Expressions.Select((_, i) => $"cel-{i}")]);
        for (int i = 0; i < Expressions.Length; i++)
            await sidecar.PublishAsync($"cel-{i}", Encoding.UTF8.GetBytes(Event), "", "application/cloudevents+json");
        for (int i = 0; i < Expressions.Length; i++) await redis.WaitUntilSettledAsync($"cel-{i}", "cel-app", 1);
        for (int i = 0; i < Expressions.Length; i++)
        {
            string? path = app.Requests.FirstOrDefault(r => r.Method == "POST" && r.Json.GetProperty("topic").GetString() == $"cel-{i}")?.Path;
            Assert.Equal((Expressions[i].Match, Expressions[i].Expected switch { true => "/match", false => "/other", _ => null }), (Expressions[i].Match, path));
            Assert.Equal(path is null ? 1 : 0, (await redis.StreamAsync($"cel-{i}.dead")).Count);
        }
    }

    [Fact]
    public async Task The_first_rule_that_matches_wins_and_without_a_default_the_rest_is_dead()
    {
        RedisServer redis = fixture.Require();
        using SidecarResources resources = new(redis);
        resources.Add("rules.yaml", """
            apiVersion: dapr.io/v2alpha1
            kind: Subscription
            metadata:
              name: rules
            spec:
              pubsubname: pubsub
              topic: rules
              routes:
                rules:
                - match: event.type == "a"
                  path: /first
                - match: event.type.startsWith("a")
                  path: /second
              deadLetterTopic: rules.dead
            """);
        await using StubApp app = await StubApp.StartAsync("");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("rules-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("rules");
        foreach (string type in new[] { "a", "ab", "b" })
            await sidecar.PublishAsync("rules", [1], $"?metadata.cloudevent.type={type}");
        await redis.WaitUntilSettledAsync("rules", "rules-app", 3);
        Assert.Equal("a", Assert.Single(app.To("/first")).Json.GetProperty("type").GetString());
        Assert.Equal("ab", Assert.Single(app.To("/second")).Json.GetProperty("type").GetString());
        Assert.Contains("\"type\":\"b\"", Encoding.UTF8.GetString(Assert.Single(await redis.StreamAsync("rules.dead"))));
        JsonElement metadata = JsonSerializer.Deserialize<JsonElement>(await sidecar.Client.GetStringAsync("/v1.0/metadata",
            TestContext.Current.CancellationToken));
        JsonElement rule = metadata.GetProperty("subscriptions")[0].GetProperty("rules")[0];
        Assert.Equal(("event.type == \"a\"", "/first"), (rule.GetProperty("match").GetString(), rule.GetProperty("path").GetString()));
    }

    [Theory]
    [InlineData("event.type = 1", "expected a name, a literal or an operator, found '='")]
    [InlineData("event.type ==", "expected a value, found the end")]
    [InlineData("event.type == \"a", "expected \" at the end of the text")]
    [InlineData("event.tags.all(t, t == 1)", "found all() of 2 arguments")]
    [InlineData("timestamp(event.time) > 1", "found timestamp() of 1 arguments")]
    [InlineData("has(event)", "expected a member in has()")]
    [InlineData("event.a event.b", "expected an operator, found event")]
    [InlineData("r\"a\" == event.a", "expected a text without a prefix")]
    [InlineData("0x1F == 31", "expected a decimal number, found 0x1F")]
    public async Task A_rule_that_cannot_be_read_costs_the_app_all_its_subscriptions(string match, string expected)
    {
        using SidecarResources resources = new(fixture.Require());
        string subscriptions = JsonSerializer.Serialize(new object[]
        {
            new { pubsubname = "pubsub", topic = "fine", route = "/in" },
            new { pubsubname = "pubsub", topic = "unreadable", routes = new { rules = new[] { new { match, path = "/a" } }, @default = "/in" } },
        });
        await using StubApp app = await StubApp.StartAsync(subscriptions);
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("unreadable-rules", app.Port, resources.Path);
        await sidecar.WaitUntilHealthyAsync();
        await Eventually.TrueAsync(() => sidecar.Output.Contains($"match expression '{match}'", StringComparison.Ordinal), "the rule is refused");
        Assert.Contains(expected, sidecar.Output);
        JsonElement metadata = JsonSerializer.Deserialize<JsonElement>(await sidecar.Client.GetStringAsync("/v1.0/metadata",
            TestContext.Current.CancellationToken));
        Assert.False(metadata.TryGetProperty("subscriptions", out _));
    }

    [Fact]
    public async Task A_subscription_without_a_route_is_left_out()
    {
        using SidecarResources resources = new(fixture.Require());
        await using StubApp app = await StubApp.StartAsync($"[{{\"pubsubname\":\"pubsub\",\"topic\":\"pathless\"}},{StubApp.Subscription("routed", "/in")}]");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("pathless-app", app.Port, resources.Path);
        await sidecar.WaitUntilSubscribedAsync("routed");
        JsonElement metadata = JsonSerializer.Deserialize<JsonElement>(await sidecar.Client.GetStringAsync("/v1.0/metadata",
            TestContext.Current.CancellationToken));
        Assert.Equal("routed", Assert.Single(metadata.GetProperty("subscriptions").EnumerateArray()).GetProperty("topic").GetString());
    }
}
