using System.Net;
using System.Net.Http.Json;
using EcoLora.DaprTestKit;

namespace EcoLora.DaprSidecar.Tests;

/// <summary>State on Redis, its ETags and its races; and service invocation.</summary>
public sealed class StateTests(RedisFixture fixture) : IAsyncLifetime
{
    private SidecarResources? resources;
    private SidecarProcess sidecar = null!;

    public async ValueTask InitializeAsync()
    {
        resources = new(fixture.Require());
        sidecar = await SidecarProcess.StartAsync("stateful", resourcesPath: resources.Path);
    }

    public async ValueTask DisposeAsync()
    {
        if (sidecar is not null) await sidecar.DisposeAsync();
        resources?.Dispose();
    }

    [Fact]
    public async Task Keys_values_and_etags()
    {
        Assert.Equal(HttpStatusCode.NoContent, (await GetAsync("k")).Status);
        Assert.Equal(HttpStatusCode.NoContent, await SaveAsync(new { key = "k", value = new { n = 1 } }));
        (HttpStatusCode status, string body, string? etag) = await GetAsync("k");
        Assert.Equal((HttpStatusCode.OK, "{\"n\":1}", "1"), (status, body, etag));
        Assert.Equal(1, (long)await fixture.Server.CallAsync("EXISTS", "stateful||k"));

        Assert.Equal(HttpStatusCode.Conflict, await SaveAsync(new { key = "k", value = 2, etag = "7" }));
        Assert.Equal(HttpStatusCode.NoContent, await SaveAsync(new { key = "k", value = 2, etag = "1" }));
        Assert.Equal(HttpStatusCode.Conflict, await SaveAsync(new { key = "k", value = 3, etag = "1" }));
        Assert.Equal(HttpStatusCode.NoContent, await SaveAsync(new { key = "k", value = 4 }));
        Assert.Equal(("4", "3"), ((await GetAsync("k")).Body, (await GetAsync("k")).ETag));

        Assert.Equal(HttpStatusCode.BadRequest, await SaveAsync(new { key = "a||b", value = 5 }));

        using HttpResponseMessage bulk = await sidecar.Client.PostAsJsonAsync("/v1.0/state/statestore/bulk", new { keys = new[] { "k", "absent" } },
            TestContext.Current.CancellationToken);
        Assert.Equal("[{\"key\":\"k\",\"data\":4,\"etag\":\"3\"},{\"key\":\"absent\"}]",
            await bulk.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));

        Assert.Equal(HttpStatusCode.Conflict, await DeleteAsync("k", "1"));
        Assert.Equal(HttpStatusCode.Conflict, await DeleteAsync("k", "\"3\"")); // The quotation marks are part of it.
        Assert.Equal(HttpStatusCode.NoContent, await DeleteAsync("k", "3"));
        Assert.Equal(HttpStatusCode.NoContent, await DeleteAsync("k", null));
        Assert.Equal(HttpStatusCode.NoContent, (await GetAsync("k")).Status);
        using HttpResponseMessage absent = await sidecar.Client.GetAsync("/v1.0/state/nowhere/k", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, absent.StatusCode);
    }

    [Fact]
    public async Task A_value_comes_back_as_Go_writes_it()
    {
        await SaveAsync(new { key = "go", value = new { b = 9007199254740993, a = new object[] { 1.50, 1e21, "ä" }, aa = 1e-7 } });
        Assert.Equal("{\"b\":9007199254740992,\"aa\":0,\"a\":[1.5,1e+21,\"ä\"]}", (await GetAsync("go")).Body);
        // Six decimals up to 83,886,079, the shortest digits above.
        await SaveAsync(new { key = "go", value = new[] { Math.PI, -Math.PI, 0.1234565, 83886079.5, 83886079.1234567, 83886080.1234567, -4e-7, 123 } });
        Assert.Equal("[3.141593,-3.141593,0.123457,83886079.5,83886079.1234567,83886080.1234567,-0,123]", (await GetAsync("go")).Body);
    }

    [Fact]
    public async Task First_write_binds_a_key_to_its_etags()
    {
        object firstWrite = new { concurrency = "first-write" };
        // On a key that plain saves have made it asks for nothing, and is a promise for later.
        await SaveAsync(new { key = "bound", value = 1 });
        Assert.Equal(HttpStatusCode.NoContent, await SaveAsync(new { key = "bound", value = 2, options = firstWrite }));
        Assert.Equal(HttpStatusCode.InternalServerError, await SaveAsync(new { key = "bound", value = 3, options = firstWrite }));
        // From then on a save without an ETag is refused too, whatever it says, and as a failure of the store; with any ETag it is a conflict.
        Assert.Equal(HttpStatusCode.InternalServerError, await SaveAsync(new { key = "bound", value = 3 }));
        Assert.Equal(HttpStatusCode.InternalServerError, await SaveAsync(new { key = "bound", value = 3, options = new { concurrency = "last-write" } }));
        Assert.Equal(HttpStatusCode.Conflict, await SaveAsync(new { key = "bound", value = 3, etag = "2", options = new { concurrency = "last-write" } }));
        Assert.Equal(HttpStatusCode.Conflict, await SaveAsync(new { key = "bound", value = 3, etag = "0", options = firstWrite }));
        Assert.Equal(("2", "2"), ((await GetAsync("bound")).Body, (await GetAsync("bound")).ETag));
        Assert.Equal(HttpStatusCode.NoContent, await SaveAsync(new { key = "bound", value = 3, etag = "2" }));
        // A deletion without an ETag asks for nothing, and unbinds.
        Assert.Equal(HttpStatusCode.NoContent, await DeleteAsync("bound", null));
        Assert.Equal(HttpStatusCode.NoContent, await SaveAsync(new { key = "bound", value = 4 }));
        Assert.Equal(HttpStatusCode.NoContent, await SaveAsync(new { key = "bound", value = 5 }));
    }

    [Fact]
    public async Task Requests_that_are_wrong_are_400_and_options_that_are_wrong_are_500()
    {
        Assert.Equal(HttpStatusCode.BadRequest, await SaveAsync(new { key = "w", value = 1, etag = "a" }));
        Assert.Equal(HttpStatusCode.BadRequest, await SaveAsync(new { key = "w", value = 1, etag = 1 }));
        Assert.Equal(HttpStatusCode.InternalServerError, await SaveAsync(new { key = "w", value = 1, options = new { concurrency = "none" } }));
        Assert.Equal(HttpStatusCode.InternalServerError, await SaveAsync(new { key = "w", value = 1, metadata = new { ttlInSeconds = "soon" } }));
        Assert.Equal(HttpStatusCode.NoContent, (await GetAsync("w")).Status);
        Assert.Equal(HttpStatusCode.NoContent, await SaveAsync(new { key = "w", value = 1, metadata = new { ttlInSeconds = "100" } }));
        Assert.InRange((long)await fixture.Server.CallAsync("TTL", "stateful||w"), 1, 100);
        Assert.Equal(HttpStatusCode.NoContent, await SaveAsync(new { key = "w", value = 1, metadata = new { ttlInSeconds = "-1" } }));
        Assert.Equal(-1, (long)await fixture.Server.CallAsync("TTL", "stateful||w"));
    }

    [Fact]
    public async Task Of_a_list_every_item_that_is_not_refused_is_written()
    {
        await SaveAsync(new { key = "l1", value = 1 });
        using HttpResponseMessage response = await sidecar.Client.PostAsJsonAsync("/v1.0/state/statestore",
            new object[] { new { key = "l1", value = 2, etag = "7" }, new { key = "l2", value = 2 } }, TestContext.Current.CancellationToken);
        Assert.Equal((HttpStatusCode.Conflict, "1", "2"), (response.StatusCode, (await GetAsync("l1")).Body, (await GetAsync("l2")).Body));
    }

    [Fact]
    public async Task What_another_has_written_is_read_or_a_failure()
    {
        await fixture.Server.CallAsync("SET", "stateful||plain", "7");
        Assert.Equal((HttpStatusCode.OK, "7", null), await GetAsync("plain"));
        await fixture.Server.CallAsync("HSET", "stateful||hash", "other", "7");
        Assert.Equal(HttpStatusCode.InternalServerError, (await GetAsync("hash")).Status);
    }

    [Fact]
    public async Task Without_redis_a_write_with_an_etag_is_409_and_one_without_500()
    {
        fixture.Require();
        await using RedisServer redis = await RedisServer.StartAsync();
        using SidecarResources own = new(redis);
        await using SidecarProcess lonely = await SidecarProcess.StartAsync("lonely", resourcesPath: own.Path);
        await redis.KillAsync();
        foreach ((object item, HttpStatusCode expected) in new (object, HttpStatusCode)[]
        {
            (new { key = "k", value = 1, etag = "1" }, HttpStatusCode.Conflict), (new { key = "k", value = 1 }, HttpStatusCode.InternalServerError),
        })
        {
            using HttpResponseMessage response = await lonely.Client.PostAsJsonAsync("/v1.0/state/statestore", new[] { item },
                TestContext.Current.CancellationToken);
            Assert.Equal(expected, response.StatusCode);
        }
        using HttpResponseMessage deletion = await lonely.Client.DeleteAsync("/v1.0/state/statestore/k", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Conflict, deletion.StatusCode);
    }

    [Fact]
    public async Task Of_racing_writers_with_one_etag_one_wins()
    {
        await SaveAsync(new { key = "race", value = 0 });
        HttpStatusCode[] answers = await Task.WhenAll(Enumerable.Range(1, 16).Select(i => SaveAsync(new { key = "race", value = i, etag = "1" })));
        Assert.Single(answers, HttpStatusCode.NoContent);
        Assert.Equal(15, answers.Count(a => a == HttpStatusCode.Conflict));
        HttpStatusCode[] inserts = await Task.WhenAll(
            Enumerable.Range(1, 16).Select(i => SaveAsync(new { key = "insert", value = i, options = new { concurrency = "first-write" } })));
        Assert.Single(inserts, HttpStatusCode.NoContent);
        Assert.Equal(15, inserts.Count(a => a == HttpStatusCode.InternalServerError));
    }

    [Fact]
    public async Task A_transaction_that_is_refused_in_part_is_500_and_has_happened_in_part()
    {
        await SaveAsync(new { key = "t1", value = 1 });
        Assert.Equal(HttpStatusCode.NoContent, await TransactAsync(Upsert("t1", 2, "1"), Upsert("t2", 2, null)));
        Assert.Equal(HttpStatusCode.InternalServerError, await TransactAsync(Upsert("t2", 3, null), Upsert("t1", 3, "1")));
        Assert.Equal(("2", "3"), ((await GetAsync("t1")).Body, (await GetAsync("t2")).Body));
        Assert.Equal(HttpStatusCode.NoContent, await TransactAsync(new { operation = "delete", request = new { key = "t1" } }, Upsert("t2", 4, "2")));
        Assert.Equal((HttpStatusCode.NoContent, "4"), ((await GetAsync("t1")).Status, (await GetAsync("t2")).Body));
    }

    [Fact]
    public async Task Invocation_finds_the_other_app_and_passes_everything()
    {
        await using StubApp app = await StubApp.StartAsync("", request =>
            Task.FromResult(new StubAnswer(request.Path.StartsWith("/missing") ? 418 : 201, "done")));
        await using SidecarProcess other = await SidecarProcess.StartAsync("invoked", app.Port, resources!.Path, apiToken: "own", appApiToken: "app-token");
        await other.WaitUntilHealthyAsync();
        using ByteArrayContent content = new(Payload.AllBytes(256));
        content.Headers.ContentType = new("application/octet-stream");
        using HttpResponseMessage answer = await sidecar.Client.PutAsync("/v1.0/invoke/invoked/method/a/b?c=d", content, TestContext.Current.CancellationToken);
        Assert.Equal((HttpStatusCode.Created, "done"), (answer.StatusCode, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)));
        StubRequest request = Assert.Single(app.To("/a/b?c=d"));
        Assert.Equal(("PUT", "app-token", "application/octet-stream"), (request.Method, request.Headers["dapr-api-token"], request.Headers["Content-Type"]));
        Assert.Equal(Payload.AllBytes(256), request.Body);
        using HttpResponseMessage missing = await sidecar.Client.GetAsync("/v1.0/invoke/invoked/method/missing", TestContext.Current.CancellationToken);
        Assert.Equal(418, (int)missing.StatusCode);
        Assert.Equal(("stateful", "invoked"), (request.Headers["dapr-caller-app-id"], request.Headers["dapr-callee-app-id"]));
        using HttpRequestMessage named = new(HttpMethod.Get, "/plain/path?x=1");
        named.Headers.Add("dapr-app-id", "invoked");
        using HttpResponseMessage plain = await sidecar.Client.SendAsync(named, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Created, plain.StatusCode);
        Assert.DoesNotContain("dapr-app-id", Assert.Single(app.To("/plain/path?x=1")).Headers.Keys);
        using HttpRequestMessage authorized = new(HttpMethod.Get, "/other/path");
        authorized.Headers.Authorization = new("Basic", Convert.ToBase64String("dapr-app-id:invoked"u8));
        using HttpResponseMessage basic = await sidecar.Client.SendAsync(authorized, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Created, basic.StatusCode);
        using HttpResponseMessage unnamed = await sidecar.Client.GetAsync("/plain/path", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, unnamed.StatusCode);
        using HttpResponseMessage nobody = await sidecar.Client.GetAsync("/v1.0/invoke/nobody/method/a", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.InternalServerError, nobody.StatusCode);
    }

    private static object Upsert(string key, int value, string? etag) => new { operation = "upsert", request = new { key, value, etag } };

    private async Task<HttpStatusCode> SaveAsync(object item)
    {
        using HttpResponseMessage response = await sidecar.Client.PostAsJsonAsync("/v1.0/state/statestore", new[] { item });
        return response.StatusCode;
    }

    private async Task<HttpStatusCode> TransactAsync(params object[] operations)
    {
        using HttpResponseMessage response = await sidecar.Client.PostAsJsonAsync("/v1.0/state/statestore/transaction", new { operations });
        return response.StatusCode;
    }

    private async Task<HttpStatusCode> DeleteAsync(string key, string? etag)
    {
        using HttpRequestMessage request = new(HttpMethod.Delete, $"/v1.0/state/statestore/{key}");
        if (etag is not null) request.Headers.TryAddWithoutValidation("If-Match", etag);
        using HttpResponseMessage response = await sidecar.Client.SendAsync(request, TestContext.Current.CancellationToken);
        return response.StatusCode;
    }

    private async Task<(HttpStatusCode Status, string Body, string? ETag)> GetAsync(string key)
    {
        using HttpResponseMessage response = await sidecar.Client.GetAsync($"/v1.0/state/statestore/{key}", TestContext.Current.CancellationToken);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
            response.Headers.TryGetValues("ETag", out IEnumerable<string>? etags) ? etags.First() : null);
    }
}
