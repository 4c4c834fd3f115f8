using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using EcoLora.DaprTestKit;

namespace EcoLora.DaprSidecar.Tests;

/// <summary>What a publish answers, and what it puts on the broker.</summary>
public sealed class PublishTests(RedisFixture fixture, PublishTests.Publisher publisher) : IClassFixture<PublishTests.Publisher>
{
    private const int Mebi = 1 << 20;
    private readonly SidecarProcess sidecar = publisher.Sidecar;

    public static TheoryData<int> Sizes => [0, 1, 256, Mebi - 1, Mebi, Mebi + 1, (4 * Mebi) - 1, 4 * Mebi];

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task A_raw_publish_puts_exactly_its_bytes_on_the_broker(int size)
    {
        string topic = $"raw-{size}";
        byte[] payload = Payload.AllBytes(size);
        Assert.Equal(HttpStatusCode.NoContent, await PublishAsync(topic, payload, "?metadata.rawPayload=true&metadata.partitionKey=run%2F7"));
        Assert.Equal(payload, Assert.Single(await fixture.Server.StreamAsync(topic)));
    }

    [Theory]
    [InlineData("?metadata.rawPayload=true")]
    [InlineData("")]
    public async Task One_byte_over_max_body_size_is_500_and_never_413(string query)
    {
        Assert.Equal(HttpStatusCode.InternalServerError, await PublishAsync("oversize", Payload.AllBytes((4 * Mebi) + 1), query));
        Assert.Equal(0, (long)await fixture.Server.CallAsync("EXISTS", "oversize"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(256)]
    [InlineData(4 * Mebi)]
    public async Task An_enveloped_octet_stream_keeps_all_bytes_as_base64(int size)
    {
        string topic = $"enveloped-{size}";
        byte[] payload = Payload.AllBytes(size);
        Assert.Equal(HttpStatusCode.NoContent, await PublishAsync(topic, payload, "?metadata.ttlInSeconds=60"));
        JsonElement cloudEvent = JsonSerializer.Deserialize<JsonElement>(Assert.Single(await fixture.Server.StreamAsync(topic)));
        Assert.Equal(payload, cloudEvent.GetProperty("data_base64").GetBytesFromBase64());
        Assert.Equal("1.0", cloudEvent.GetProperty("specversion").GetString());
        Assert.Equal("publisher", cloudEvent.GetProperty("source").GetString());
        Assert.Equal("com.dapr.event.sent", cloudEvent.GetProperty("type").GetString());
        Assert.Equal("application/octet-stream", cloudEvent.GetProperty("datacontenttype").GetString());
        Assert.Equal(topic, cloudEvent.GetProperty("topic").GetString());
        Assert.Equal("pubsub", cloudEvent.GetProperty("pubsubname").GetString());
        Assert.True(Guid.TryParse(cloudEvent.GetProperty("id").GetString(), out _));
        Assert.True(cloudEvent.GetProperty("expiration").GetDateTimeOffset() > DateTimeOffset.UtcNow);
    }

    [Theory]
    [InlineData("application/json", "{\"a\":[1,2.50]}", "{\"a\":[1,2.50]}")]
    [InlineData("application/json", "{broken", "\"{broken\"")]
    [InlineData("text/plain", "h\u00e9", "\"h\u00e9\"")]
    public async Task Json_goes_in_as_json_and_other_types_as_text(string contentType, string body, string data)
    {
        string topic = $"typed-{Guid.NewGuid()}";
        await sidecar.PublishAsync(topic, System.Text.Encoding.UTF8.GetBytes(body), "", contentType);
        JsonElement cloudEvent = JsonSerializer.Deserialize<JsonElement>(Assert.Single(await fixture.Server.StreamAsync(topic)));
        Assert.Equal(JsonSerializer.Deserialize<JsonElement>(data).ToString(), cloudEvent.GetProperty("data").ToString());
    }

    [Fact]
    public async Task Any_type_but_octet_stream_corrupts_bytes_that_are_not_utf8()
    {
        await sidecar.PublishAsync("corrupt", Payload.AllBytes(256), "", "application/x-frame");
        JsonElement cloudEvent = JsonSerializer.Deserialize<JsonElement>(Assert.Single(await fixture.Server.StreamAsync("corrupt")));
        Assert.NotEqual(Payload.AllBytes(256), System.Text.Encoding.UTF8.GetBytes(cloudEvent.GetProperty("data").GetString()!));
        Assert.False(cloudEvent.TryGetProperty("data_base64", out _));
    }

    [Theory]
    [InlineData("pubsub/t?metadata.rawPayload=perhaps", HttpStatusCode.BadRequest)]
    [InlineData("pubsub/t?metadata.ttlInSeconds=-1", HttpStatusCode.NoContent)] // Ignored.
    [InlineData("scoped/closed", HttpStatusCode.Forbidden)]
    [InlineData("scoped/elsewhere", HttpStatusCode.Forbidden)]
    [InlineData("scoped/open", HttpStatusCode.NoContent)]
    [InlineData("absent/t", HttpStatusCode.NotFound)]
    public async Task The_answer_table(string path, HttpStatusCode expected)
    {
        using ByteArrayContent content = new([1]);
        using HttpResponseMessage response = await sidecar.Client.PostAsync($"/v1.0/publish/{path}", content, TestContext.Current.CancellationToken);
        Assert.Equal(expected, response.StatusCode);
    }

    [Fact]
    public async Task Metadata_replace_members_of_the_envelope()
    {
        await sidecar.PublishAsync("replaced", [1], "?metadata.cloudevent.id=7&metadata.cloudevent.type=t&metadata.cloudevent.source=s"
            + "&metadata.cloudevent.subject=about&metadata.cloudevent.traceparent=tp&metadata.cloudevent.tracestate=ts&metadata.cloudevent.topic=other");
        JsonElement cloudEvent = JsonSerializer.Deserialize<JsonElement>(Assert.Single(await fixture.Server.StreamAsync("replaced")));
        Assert.Equal(["7", "t", "s", "about", "tp", "tp", "ts", "replaced"],
            new[] { "id", "type", "source", "subject", "traceid", "traceparent", "tracestate", "topic" }.Select(name => cloudEvent.GetProperty(name).GetString()));
    }

    [Fact]
    public async Task An_event_of_the_apps_own_gets_what_it_lacks_but_no_id()
    {
        byte[] own = "{\"data\":1,\"topic\":\"x\"}"u8.ToArray();
        Assert.Equal(HttpStatusCode.NoContent, await sidecar.PublishAsync("own", own, "", "application/cloudevents+json"));
        JsonElement cloudEvent = JsonSerializer.Deserialize<JsonElement>(Assert.Single(await fixture.Server.StreamAsync("own")));
        Assert.Equal(["Dapr", "com.dapr.event.sent", "1.0", "own", "pubsub"], new[] { "source", "type", "specversion", "topic", "pubsubname" }
            .Select(name => cloudEvent.GetProperty(name).GetString()));
        Assert.False(cloudEvent.TryGetProperty("id", out _));
        Assert.Equal(HttpStatusCode.InternalServerError, await sidecar.PublishAsync("own", "{"u8.ToArray(), "", "application/cloudevents+json"));
    }

    [Theory]
    [InlineData("{\"n\":1}", "text/plain")]
    [InlineData("{\"n\":1}", "application/octet-stream")]
    [InlineData("\"no-base64\"", "application/octet-stream")]
    [InlineData("\"a\"", "application/x-frame")]
    [InlineData("\"a\"", "")]
    public async Task A_bulk_entry_whose_type_does_not_fit_is_400(string theEvent, string contentType)
    {
        // Names of members may differ in case.
        using StringContent content = new($"[{{\"entryID\":\"1\",\"event\":{theEvent},\"contentType\":\"{contentType}\"}}]");
        using HttpResponseMessage response = await sidecar.Client.PostAsync("/v1.0/publish/bulk/pubsub/unfit", content, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task A_protected_topic_is_for_apps_with_a_scope()
    {
        using ByteArrayContent content = new([1]);
        foreach ((string topic, HttpStatusCode expected) in new[] { ("secret", HttpStatusCode.Forbidden), ("plain", HttpStatusCode.NoContent) })
        {
            using HttpResponseMessage response = await sidecar.Client.PostAsync($"/v1.0/publish/protected/{topic}", content, TestContext.Current.CancellationToken);
            Assert.Equal(expected, response.StatusCode);
        }
    }

    [Fact]
    public async Task A_broker_that_refuses_is_500()
    {
        await fixture.Server.CallAsync("SET", "not-a-stream", "x");
        Assert.Equal(HttpStatusCode.InternalServerError, await PublishAsync("not-a-stream", [1], "?metadata.rawPayload=true"));
    }

    [Theory]
    [InlineData("/v1.0/publish/bulk/pubsub/bulk-a?metadata.rawPayload=true")]
    [InlineData("/v1.0-alpha1/publish/bulk/pubsub/bulk-b?metadata.rawPayload=true")]
    public async Task A_bulk_publish_stores_all_entries(string path)
    {
        object[] entries =
        [
            new { entryId = "1", @event = Convert.ToBase64String(Payload.AllBytes(256)), contentType = "application/octet-stream" },
            new { entryId = "2", @event = new { n = 1 }, contentType = "application/json" },
            new { entryId = "3", @event = "text", contentType = "text/plain" },
        ];
        using HttpResponseMessage response = await sidecar.Client.PostAsJsonAsync(path, entries, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal([Payload.AllBytes(256), "{\"n\":1}"u8.ToArray(), "text"u8.ToArray()],
            await fixture.Server.StreamAsync(path.Contains("bulk-a") ? "bulk-a" : "bulk-b"));
    }

    [Fact]
    public async Task A_failed_bulk_publish_names_its_entries()
    {
        await fixture.Server.CallAsync("SET", "bulk-not-a-stream", "x");
        object[] entries = [new { entryId = "1", @event = "a", contentType = "text/plain" }, new { entryId = "2", @event = "b", contentType = "text/plain" }];
        using HttpResponseMessage response = await sidecar.Client.PostAsJsonAsync("/v1.0/publish/bulk/pubsub/bulk-not-a-stream", entries,
            TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        JsonElement answer = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.Equal(["1", "2"], answer.GetProperty("failedEntries").EnumerateArray().Select(e => e.GetProperty("entryId").GetString()));
        Assert.Equal("ERR_PUBSUB_PUBLISH_MESSAGE", answer.GetProperty("errorCode").GetString());
    }

    private Task<HttpStatusCode> PublishAsync(string topic, byte[] payload, string query) => sidecar.PublishAsync(topic, payload, query);

    /// <summary>One sidecar without an app for all publishes.</summary>
    public sealed class Publisher(RedisFixture fixture) : IAsyncLifetime
    {
        private SidecarResources? resources;
        private SidecarProcess? sidecar;

        public SidecarProcess Sidecar
        {
            get
            {
                fixture.Require();
                return sidecar!;
            }
        }

        public async ValueTask InitializeAsync()
        {
            if (!RedisServer.IsInstalled) return;
            resources = new(fixture.Server);
            resources.Add("scoped.yaml", SidecarResources.Component("scoped", "pubsub.redis",
                ("redisHost", fixture.Server.Endpoint), ("publishingScopes", "publisher=open;other="), ("allowedTopics", "open,closed")));
            resources.Add("protected.yaml", SidecarResources.Component("protected", "pubsub.redis",
                ("redisHost", fixture.Server.Endpoint), ("protectedTopics", "secret"), ("publishingScopes", "other=secret")));
            sidecar = await SidecarProcess.StartAsync("publisher", resourcesPath: resources.Path);
        }

        public async ValueTask DisposeAsync()
        {
            if (sidecar is not null) await sidecar.DisposeAsync();
            resources?.Dispose();
        }
    }
}
