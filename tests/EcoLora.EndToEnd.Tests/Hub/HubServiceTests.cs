using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using EcoLora.DaprTestKit;
using EcoLora.Hosting;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>What the services do besides a run that goes well.</summary>
/// <param name="shared">A hub whose runs never open.</param>
public class HubServiceTests(HubServiceTests.SharedHub shared) : IClassFixture<HubServiceTests.SharedHub>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_second_instance_changes_nothing_and_a_second_scheduler_can_take_over()
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder);
        await using HubCluster hub = await HubCluster.StartAsync();
        await hub.SubmitAsync(RunFile.Read(file, []));

        // The same volume: its lock decides. Another volume: the records do, whose owner is the first.
        foreach ((string volume, string expected) in new[] { ("aggregator", "in use by another"), ("elsewhere", "second instance of this service") })
        {
            await using HubApp second = hub.Another("Aggregator", "aggregator", volume);
            await second.Sidecar.StartAgainAsync();
            second.StartService();
            Assert.Equal(4, await second.WaitForExitAsync());
            Assert.Contains(expected, second.Output, StringComparison.Ordinal);
        }
        // The sidecar that came last is the one that others find; the first comes back to it.
        await hub["aggregator"].Sidecar.KillAsync();
        await hub["aggregator"].Sidecar.StartAgainAsync();

        await using HubApp other = hub.Another("Scheduler", "scheduler", "scheduler-2", ("ECOLORA_REMIND_SECONDS", "1"));
        await other.Sidecar.StartAgainAsync();
        other.StartService();
        await other.WaitUntilReadyAsync();
        await Eventually.TrueAsync(async () => (await hub.StatusAsync("small"))?.GetProperty("entries").GetInt32() >= 12, "the run is under way", HubRunTests.Limit);
        await Task.WhenAll(hub["scheduler"].KillAsync(), hub["scheduler"].Sidecar.KillAsync());
        await Eventually.TrueAsync(
            async () => (await other.Client.GetFromJsonAsync<JsonElement>("/runs/small")).GetProperty("state").GetString() == "finished", "the second scheduler ends the run", HubRunTests.Limit);

        Assert.Equal(await RealRun.AdapterAsync(), hub.Adapter("small"));
    }

    /// <summary>As docs/operations.md says.</summary>
    [Fact]
    public async Task A_run_that_was_cancelled_goes_on_over_another_broker()
    {
        using var folder = new TemporaryFolder();
        await using HubCluster hub = await HubCluster.StartAsync();
        await hub.SubmitAsync(RunFile.Read(RealRun.File(folder), []));
        await Eventually.TrueAsync(async () => (await hub.StatusAsync("small"))?.GetProperty("published").GetInt32() >= 1, "the run is under way", HubRunTests.Limit);
        await HoldAsync("cancel");
        long onRedis = (await hub.Redis.StreamAsync("rounds")).Count;

        await hub.MoveToRabbitAsync();
        Assert.Equal("cancelled", (await hub.StatusAsync("small"))?.GetProperty("state").GetString());
        await HoldAsync("resume");
        await hub.WaitUntilFinishedAsync("small", HubRunTests.Limit);
        Assert.Equal(await RealRun.AdapterAsync(), hub.Adapter("small"));
        Assert.Equal(onRedis, (await hub.Redis.StreamAsync("rounds")).Count);

        async Task HoldAsync(string verb)
        {
            using HttpResponseMessage response = await hub["scheduler"].Client.PostAsync(new Uri($"/runs/small/{verb}", UriKind.Relative), null, Cancellation);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
    }

    [Fact]
    public async Task What_cannot_be_handled_is_a_dead_letter_byte_for_byte_and_counted()
    {
        HubCluster hub = shared.Hub;
        byte[] poison = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];
        foreach (string topic in new[] { "segments", "rounds", "reports", "global" }) await hub["codec-north"].PublishAsync(topic, poison);
        // Every app that hears the topic gives it up: the aggregator, two codecs and three trainers hear rounds.
        foreach ((string topic, int hearers) in new[] { ("segments", 1), ("rounds", 6), ("reports", 1), ("global", 2) })
        {
            await Eventually.TrueAsync(async () => (await hub.Redis.StreamAsync($"{topic}.dead")).Count == hearers, $"{hearers} dead letters of {topic}");
            Assert.All(await hub.Redis.StreamAsync($"{topic}.dead"), letter => Assert.Equal(poison, letter));
        }
        foreach ((string app, long expected) in new[] { ("scheduler", 1L), ("aggregator", 2), ("codec-north", 2), ("trainer-south-0", 1) })
        {
            Assert.Equal(expected, (await hub[app].RefusedAsync()).Values.Sum());
        }
    }

    [Fact]
    public async Task Who_shows_no_token_is_told_nothing_and_moves_nothing()
    {
        HubCluster hub = shared.Hub;
        foreach ((string app, string path) in new[]
        {
            ("scheduler", "/runs"), ("scheduler", "/refused"), ("scheduler", "/dapr/subscribe"), ("aggregator", "/runs/small/changes/0?offset=0"), ("codec-north", "/site/runs/small/published/0?offset=0"),
        })
        {
            using var stranger = new HttpClient { BaseAddress = hub[app].Client.BaseAddress };
            using HttpResponseMessage answer = await stranger.GetAsync(new Uri(path, UriKind.Relative), Cancellation);
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
            using HttpResponseMessage health = await stranger.GetAsync(new Uri("/healthz", UriKind.Relative), Cancellation);
            Assert.Equal(HttpStatusCode.OK, health.StatusCode);
        }
        const string Options = "{\"name\":\"x\",\"federation\":{\"round\":3}}";
        // What a form of a page elsewhere could send is not even read.
        using var text = new StringContent(Options);
        using HttpResponseMessage unread = await hub["scheduler"].Client.PostAsync(new Uri("/runs", UriKind.Relative), text, Cancellation);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, unread.StatusCode);
        using var bad = new StringContent(Options, System.Text.Encoding.UTF8, "application/json");
        using HttpResponseMessage refused = await hub["scheduler"].Client.PostAsync(new Uri("/runs", UriKind.Relative), bad, Cancellation);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("unknown option 'round' in federation", await refused.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        foreach (string file in new[] { "/etc/passwd", "../a", "a/b" })
        {
            using var path = new StringContent($"{{\"name\":\"x\",\"model\":\"base\",\"data\":{{\"files\":[\"{file}\"]}}}}", System.Text.Encoding.UTF8, "application/json");
            using HttpResponseMessage answer = await hub["scheduler"].Client.PostAsync(new Uri("/runs", UriKind.Relative), path, Cancellation);
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            Assert.Contains("data.files: expected a name of ", await answer.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        }
        using HttpResponseMessage unknown = await hub["scheduler"].Client.GetAsync(new Uri("/runs/none", UriKind.Relative), Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
    }

    [Fact]
    public async Task The_page_and_the_description_are_served_and_nothing_leads_out_of_a_run()
    {
        HubCluster hub = shared.Hub;
        HttpClient people = hub["scheduler"].Client;
        using var stranger = new HttpClient { BaseAddress = people.BaseAddress };
        foreach (string path in new[] { "/", "/hub.js", "/hub.css" })
        {
            using HttpResponseMessage page = await stranger.GetAsync(new Uri(path, UriKind.Relative), Cancellation);
            Assert.Equal(HttpStatusCode.OK, page.StatusCode);
            Assert.StartsWith("default-src 'none'; script-src 'self'; ", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
            Assert.Equal("nosniff", page.Headers.GetValues("X-Content-Type-Options").Single());
        }
        // What is shown goes in as text.
        Assert.DoesNotMatch("innerHTML|outerHTML|insertAdjacentHTML|document\\.write|eval\\(|new Function", await stranger.GetStringAsync(new Uri("/hub.js", UriKind.Relative), Cancellation));
        JsonElement description = JsonElement.Parse(await people.GetStringAsync("/openapi/v1.json", Cancellation));
        Assert.Equal(
            [
                "/refusals", "/runs", "/runs/{name}", "/runs/{name}/cancel", "/runs/{name}/events", "/runs/{name}/exports", "/runs/{name}/exports/{file}", "/runs/{name}/journal",
                "/runs/{name}/ledger.csv", "/runs/{name}/report", "/runs/{name}/report.html", "/runs/{name}/resume", "/sites", "/sites/{name}", "/sites/{name}/revoke",
            ],
            description.GetProperty("paths").EnumerateObject().Select(path => path.Name).Order(StringComparer.Ordinal));
        Assert.True(description.GetProperty("components").GetProperty("schemas").TryGetProperty("RunStatus", out JsonElement status));
        Assert.True(status.GetProperty("properties").TryGetProperty("traffic", out _));

        using TemporaryFolder folder = new();
        // Nobody knows its model, so it stays as it is.
        await hub.SubmitAsync(RunFile.Read(RealRun.File(folder), [OptionOverride.Parse("model=elsewhere")]));
        foreach (string path in new[] { "/runs/small/exports/..%2f..%2fsmall", "/runs/small/exports/adapter/.hidden", "/runs/small/exports/a/b/c", "/runs/small/exports/none", "/runs/Small", "/runs/..%2fsmall", "/runs/small/nothing" })
        {
            using HttpResponseMessage answer = await people.GetAsync(new Uri(path, UriKind.Relative), Cancellation);
            Assert.True(answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.BadRequest, $"{path}: {answer.StatusCode}");
        }
        foreach (string path in new[] { "/runs", "/runs/small", "/runs/small/events", "/runs/small/report.html", "/openapi/v1.json" })
        {
            using HttpResponseMessage answer = await stranger.GetAsync(new Uri(path, UriKind.Relative), Cancellation);
            Assert.Equal((HttpStatusCode.Unauthorized, "Bearer"), (answer.StatusCode, answer.Headers.WwwAuthenticate.ToString()));
        }
    }

    [Theory]
    [InlineData("APP_ID", "codec-south", "APP_ID: expected codec-north, found 'codec-south'")]
    [InlineData("ECOLORA_SITE", "North", "ECOLORA_SITE: expected 1 to 63 of a-z, 0-9 and -, found 'North'")]
    [InlineData("DAPR_HTTP_ENDPOINT", "here", "DAPR_HTTP_ENDPOINT: expected an http or https address, found 'here'")]
    [InlineData("ECOLORA_KAFKA", " ", "Kafka, Brokers: expected host:port, several with commas between, found ' '")]
    [InlineData("ECOLORA_BIND", "everywhere", "ECOLORA_BIND: expected loopback or any, found 'everywhere'")]
    public async Task A_setting_that_cannot_be_used_is_one_line(string variable, string value, string expected)
    {
        using var folder = new TemporaryFolder();
        var settings = new Dictionary<string, string> { ["ECOLORA_SITE"] = "north", ["ECOLORA_VOLUME"] = folder["volume"], [variable] = value };
        await using var app = new HubApp("Codec", settings.Remove("APP_ID", out string? id) ? id : "codec-north", folder.Path, settings);
        app.StartService();
        Assert.Equal(3, await app.WaitForExitAsync());
        Assert.Equal(expected, app.Output.Trim());
        Assert.False(Directory.Exists(folder["volume"]));
    }

    [Fact]
    public async Task A_service_without_a_sidecar_waits_and_ends_when_told()
    {
        using var folder = new TemporaryFolder();
        await using var app = new HubApp("Trainer", "trainer-local-0", folder.Path, new Dictionary<string, string> { ["ECOLORA_VOLUME"] = folder["volume"] });
        app.StartService();
        await Eventually.TrueAsync(() => app.Output.Contains("waiting for the sidecar", StringComparison.Ordinal), "the service waits");
        Assert.Equal(0, await app.StopAsync());
    }

    /// <summary>One start of all processes for the tests that need no run.</summary>
    public sealed class SharedHub : IAsyncLifetime
    {
        internal HubCluster Hub { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Hub = await HubCluster.StartAsync();

        public ValueTask DisposeAsync() => Hub.DisposeAsync();
    }
}
