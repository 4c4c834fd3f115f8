using System.Net;
using System.Text;
using EcoLora.DaprTestKit;
using EcoLora.Hosting.Dapr;
using EcoLora.Messaging.Dapr;
using Microsoft.AspNetCore.Builder;

namespace EcoLora.Messaging.Tests;

/// <summary>What an app answers to its sidecar and to others, over a real socket.</summary>
public class DaprEndpointsTests : IAsyncLifetime
{
    private readonly List<byte[]> _delivered = [];
    private readonly HttpClient _client = new();
    private ISidecar? _sidecar;
    private DaprBus? _bus;
    private WebApplication? _web;

    protected virtual SidecarWay Way => SidecarWay.Http;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        // Nothing listens where the sidecar should be.
        var options = new DaprOptions(new Uri($"http://127.0.0.1:{FreePort.Next()}"));
        _sidecar = Way.Open(options);
        _bus = new DaprBus(_sidecar);
        _bus.Subscribe("rounds", "trainer", (message, _) =>
        {
            _delivered.Add(message.Payload.ToArray());
            return Task.FromResult(message.Payload.Span[0] switch { 0 => Verdict.Success, 1 => Verdict.Retry, _ => Verdict.Drop });
        });
        _web = LoopbackApp.Make();
        _web.MapHealth(_sidecar.IsReadyAsync);
        Way.Map(_web, new AppToken("secret"), _bus);
        await _web.StartAsync(Cancellation);
        _client.BaseAddress = new Uri(_web.Urls.First());
    }

    [Theory]
    [InlineData(0, "SUCCESS")]
    [InlineData(1, "RETRY")]
    [InlineData(2, "DROP")]
    public async Task The_handlers_verdict_is_the_answers_status(byte payload, string status)
    {
        using HttpResponseMessage response = await DeliverAsync("rounds", Envelope([payload]), "secret");
        Assert.Equal((HttpStatusCode.OK, $"{{\"status\":\"{status}\"}}"), (response.StatusCode, await response.Content.ReadAsStringAsync(Cancellation)));
        Assert.Equal([payload], Assert.Single(_delivered));
    }

    [Theory]
    [InlineData(null, "")]
    [InlineData("another", "")]
    [InlineData("another", "/")]
    public async Task Who_does_not_show_the_apps_token_delivers_nothing_and_learns_no_topics(string? token, string end)
    {
        using HttpResponseMessage delivery = await DeliverAsync("rounds" + end, Envelope([0]), token);
        using HttpResponseMessage discovery = await _client.GetAsync(new Uri("/dapr/subscribe" + end, UriKind.Relative), Cancellation);
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized), (delivery.StatusCode, discovery.StatusCode));
        Assert.Empty(_delivered);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_delivery_that_no_broker_could_hold_is_dropped_before_it_is_read(bool saysItsLength)
    {
        byte[] body = new byte[DaprEndpoints.MaximumBody + 1];
        Array.Fill(body, (byte)' ');
        using HttpContent content = saysItsLength ? new ByteArrayContent(body) : new StreamContent(new Unsized(body));
        using HttpResponseMessage response = await DeliverAsync("rounds", content, "secret");
        Assert.Equal("{\"status\":\"DROP\"}", await response.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal((1, 0), (_bus!.Refused["bus: longer than any message"], _delivered.Count));
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"data\":{}}")]
    [InlineData("{\"data\":\"AQ==\",\"datacontenttype\":\"application/octet-stream\"}")]
    [InlineData("{\"DATA_BASE64\":\"AQ==\"}")]
    [InlineData("{\"data_base64\":\"AQ==\",\"data_base64\":\"AQ==\"}")]
    [InlineData("{\"data_base64\":7}")]
    [InlineData("{\"data_base64\":\"?\"}")]
    [InlineData("{\"data_base64\":\"AQ==\",\"data\":\"AQ==\"}")]
    public async Task What_is_no_envelope_of_a_raw_message_is_dropped_and_counted(string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/cloudevents+json");
        using HttpResponseMessage response = await DeliverAsync("rounds", content, "secret");
        Assert.Equal((HttpStatusCode.OK, "{\"status\":\"DROP\"}"), (response.StatusCode, await response.Content.ReadAsStringAsync(Cancellation)));
        Assert.Equal((1, 0), (_bus!.Refused["bus: not a raw message"], _delivered.Count));
    }

    [Fact]
    public async Task The_process_is_alive_but_not_ready_without_its_sidecar()
    {
        using HttpResponseMessage alive = await _client.GetAsync(new Uri("/healthz", UriKind.Relative), Cancellation);
        using HttpResponseMessage ready = await _client.GetAsync(new Uri("/readyz", UriKind.Relative), Cancellation);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable), (alive.StatusCode, ready.StatusCode));
    }

    public async ValueTask DisposeAsync()
    {
        if (_web is not null) await _web.DisposeAsync();
        _sidecar?.Dispose();
        _client.Dispose();
        GC.SuppressFinalize(this);
    }

    private static StringContent Envelope(byte[] data) =>
        new($"{{\"specversion\":\"1.0\",\"data_base64\":\"{Convert.ToBase64String(data)}\"}}", Encoding.UTF8, "application/cloudevents+json");

    private Task<HttpResponseMessage> DeliverAsync(string topic, HttpContent content, string? token)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"{DaprEndpoints.Route}/{topic}", UriKind.Relative)) { Content = content };
        if (token is not null) request.Headers.Add("dapr-api-token", token);
        return _client.SendAsync(request, Cancellation);
    }

    /// <summary>A stream that cannot tell its length, so that it is sent in chunks.</summary>
    private sealed class Unsized(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
