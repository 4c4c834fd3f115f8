using System.Net;
using System.Text;
using System.Text.Json;
using EcoLora.Messaging.Dapr;

namespace EcoLora.Messaging.Tests;

/// <summary>The adapter towards answers that a sidecar may give; what a sidecar does is tried elsewhere.</summary>
public sealed class DaprBusTests
{
    private readonly List<(string Path, byte[] Body, string? Type, string? Token)> _requests = [];
    private readonly Queue<HttpStatusCode> _answers = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_message_is_published_raw_with_its_key_and_the_token()
    {
        DaprBus bus = Make(new DaprOptions(new Uri("http://127.0.0.1:3500")) { ApiToken = "secret" });
        await bus.PublishAsync("segments", "run/7 a", (byte[])[0, 255, 10], Cancellation);
        (string path, byte[] body, string? type, string? token) = Assert.Single(_requests);
        Assert.Equal("/v1.0/publish/pubsub/segments?metadata.rawPayload=true&metadata.partitionKey=run%2F7%20a", path);
        Assert.Equal([0, 255, 10], body);
        Assert.Equal(("application/octet-stream", "secret"), (type, token));
    }

    [Fact]
    public async Task What_can_get_better_is_tried_again()
    {
        DaprBus bus = Make();
        _answers.Enqueue(HttpStatusCode.InternalServerError);
        _answers.Enqueue(0); // No connection.
        await bus.PublishAsync("rounds", "run", (byte[])[1], Cancellation);
        Assert.Equal(3, _requests.Count);
    }

    [Theory]
    [InlineData(HttpStatusCode.BadRequest)]
    [InlineData(HttpStatusCode.Unauthorized)]
    [InlineData(HttpStatusCode.Forbidden)]
    [InlineData(HttpStatusCode.NotFound)]
    public async Task What_cannot_is_the_callers_error_at_once(HttpStatusCode status)
    {
        DaprBus bus = Make();
        _answers.Enqueue(status);
        CallException exception = await Assert.ThrowsAsync<CallException>(() => bus.PublishAsync("rounds", "run", (byte[])[1], Cancellation));
        Assert.Contains($"{(int)status} answer", exception.Message, StringComparison.Ordinal);
        Assert.Single(_requests);
    }

    [Fact]
    public async Task Patience_ends()
    {
        DaprBus bus = Make(new DaprOptions(new Uri("http://127.0.0.1:3500")) { Patience = TimeSpan.FromMilliseconds(200) });
        for (int i = 0; i < 100; i++) _answers.Enqueue(HttpStatusCode.InternalServerError);
        await Assert.ThrowsAsync<CallException>(() => bus.PublishAsync("rounds", "run", (byte[])[1], Cancellation));
        Assert.InRange(_requests.Count, 2, 5);
    }

    [Fact]
    public async Task A_delivery_reaches_its_handler_as_it_was_published()
    {
        DaprBus bus = Make();
        byte[] all = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        var seen = new List<byte[]>();
        bus.Subscribe("rounds", "trainer", (message, _) =>
        {
            seen.Add(message.Payload.ToArray());
            return Task.FromResult(message.Payload.Length == 0 ? Verdict.Retry : Verdict.Success);
        });
        Assert.Equal(Verdict.Success, await bus.DeliverAsync("rounds", Envelope(all), Cancellation));
        Assert.Equal(Verdict.Retry, await bus.DeliverAsync("rounds", Envelope([]), Cancellation));
        Assert.Equal([all, []], seen);
    }

    [Fact]
    public async Task A_handlers_exception_is_a_retry_and_what_is_no_message_is_dropped_and_counted()
    {
        DaprBus bus = Make();
        bus.Subscribe("rounds", "trainer", (_, _) => throw new IOException("disk full"));
        Assert.Equal(Verdict.Retry, await bus.DeliverAsync("rounds", Envelope([1]), Cancellation));
        string[] poison =
        [
            "", "[]", "{", "{}", "nonsense", "{\"data\":{}}", "{\"data_base64\":7}", "{\"data_base64\":\"?\"}", "{\"data_base64\":\"AQ==\"} x",
            "{\"data_base64\":\"AQ==\",\"data_base64\":\"AQ==\"}", "{\"data_base64\":\"AQ==\"", "{\"a\":" + new string('[', 2000),
        ];
        foreach (string text in poison) Assert.Equal(Verdict.Drop, await bus.DeliverAsync("rounds", Encoding.UTF8.GetBytes(text), Cancellation));
        Assert.Equal(Verdict.Drop, await bus.DeliverAsync("other", Envelope([1]), Cancellation));
        Assert.Equal(poison.Length, bus.Refused["bus: not a raw message"]);
        Assert.Equal(1, bus.Refused["bus: unknown topic"]);
    }

    [Fact]
    public async Task Dead_letters_have_a_quota_and_what_is_over_it_is_acknowledged_and_counted()
    {
        var clock = new TestClock();
        DaprBus bus = Make(clock: clock);
        bus.Subscribe("rounds", "trainer", (_, _) => Task.FromResult(Verdict.Drop));
        for (int i = 0; i < DeadLetterQuota.Messages; i++) Assert.Equal(Verdict.Drop, await bus.DeliverAsync("rounds", Envelope([1]), Cancellation));
        Assert.Equal(Verdict.Success, await bus.DeliverAsync("rounds", Envelope([1]), Cancellation));
        Assert.Equal(Verdict.Success, await bus.DeliverAsync("rounds", "nonsense"u8.ToArray(), Cancellation));
        Assert.Equal(2, bus.Refused["bus: dead letters over the quota"]);
        clock.Advance(DeadLetterQuota.Window);
        Assert.Equal(Verdict.Drop, await bus.DeliverAsync("rounds", Envelope([1]), Cancellation));
        byte[] payload = new byte[900_000], large = Envelope(payload);
        int taken = 0;
        while (await bus.DeliverAsync("rounds", large, Cancellation) == Verdict.Drop) taken++;
        Assert.Equal(DeadLetterQuota.Bytes / payload.Length, taken);
    }

    [Fact]
    public void Subscriptions_are_raw_and_have_dead_letters()
    {
        DaprBus bus = Make();
        bus.Subscribe("rounds", "codec", (_, _) => Task.FromResult(Verdict.Success));
        bus.Subscribe("global", "codec", (_, _) => Task.FromResult(Verdict.Success));
        Assert.Throws<InvalidOperationException>(() => bus.Subscribe("rounds", "trainer", (_, _) => Task.FromResult(Verdict.Success)));
        JsonElement[] found = [.. JsonDocument.Parse(bus.DescribeSubscriptions("/topics")).RootElement.EnumerateArray()];
        Assert.Equal(
            ["{\"pubsubname\":\"pubsub\",\"topic\":\"global\",\"route\":\"/topics/global\",\"deadLetterTopic\":\"global.dead\",\"metadata\":{\"rawPayload\":\"true\"}}",
                "{\"pubsubname\":\"pubsub\",\"topic\":\"rounds\",\"route\":\"/topics/rounds\",\"deadLetterTopic\":\"rounds.dead\",\"metadata\":{\"rawPayload\":\"true\"}}"],
            found.Select(subscription => subscription.GetRawText()));
    }

    [Theory]
    [InlineData(null, null, true)]
    [InlineData(null, "anything", true)]
    [InlineData("secret", "secret", true)]
    [InlineData("secret", "Secret", false)]
    [InlineData("secret", null, false)]
    public void Only_who_shows_the_apps_token_is_admitted(string? expected, string? shown, bool holds) => Assert.Equal(holds, new AppToken(expected).Admits(shown));

    [Fact]
    public void Options_come_from_the_variables_that_Dapr_sets()
    {
        Assert.Equal(new Uri("http://127.0.0.1:3500"), From([]).Endpoint);
        Assert.Equal(new Uri("http://127.0.0.1:3601"), From(new() { ["DAPR_HTTP_PORT"] = "3601" }).Endpoint);
        DaprOptions all = From(new() { ["DAPR_HTTP_PORT"] = "1", ["DAPR_HTTP_ENDPOINT"] = "https://site:1234", ["DAPR_API_TOKEN"] = "a" });
        Assert.Equal((new Uri("https://site:1234"), "a"), (all.Endpoint, all.ApiToken));
        Assert.Equal((new Uri("http://127.0.0.1:50001"), new Uri("http://127.0.0.1:7")), (all.GrpcEndpoint, From(new() { ["DAPR_GRPC_PORT"] = "7" }).GrpcEndpoint));
        foreach ((string name, string value) in ((string, string)[])[("DAPR_HTTP_PORT", "0"), ("DAPR_GRPC_PORT", "x"), ("DAPR_GRPC_ENDPOINT", "unix:x"), ("DAPR_HTTP_PORT", "x"), ("DAPR_HTTP_ENDPOINT", "ftp://x"), ("DAPR_HTTP_ENDPOINT", "?")])
            Assert.StartsWith(name + ": expected ", Assert.Throws<FormatException>(() => From(new() { [name] = value })).Message, StringComparison.Ordinal);

        static DaprOptions From(Dictionary<string, string> variables) => DaprOptions.FromEnvironment(variables.GetValueOrDefault, usesGrpc: true);
    }

    private static byte[] Envelope(byte[] data) => JsonSerializer.SerializeToUtf8Bytes(
        new { id = "x", specversion = "1.0", extra = new { a = new[] { 1, 2 } }, data_base64 = Convert.ToBase64String(data), topic = "t" });

    private DaprBus Make(DaprOptions? options = null, TimeProvider? clock = null) =>
        new(new SidecarClient(options ?? new DaprOptions(new Uri("http://127.0.0.1:3500")), new Transport(this)), clock);

    private sealed class Transport(DaprBusTests test) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            string? token = request.Headers.TryGetValues("dapr-api-token", out IEnumerable<string>? tokens) ? tokens.Single() : null;
            byte[] body = await request.Content!.ReadAsByteArrayAsync(cancellationToken);
            test._requests.Add((request.RequestUri!.PathAndQuery, body, request.Content.Headers.ContentType?.MediaType, token));
            if (!test._answers.TryDequeue(out HttpStatusCode status)) return new HttpResponseMessage(HttpStatusCode.NoContent);
            if (status == 0) throw new HttpRequestException("connection refused");
            return new HttpResponseMessage(status) { Content = new StringContent("answer") };
        }
    }
}
