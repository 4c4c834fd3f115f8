using System.Net;
using EcoLora.DaprTestKit;

namespace EcoLora.Messaging.Tests;

/// <summary>What every way to call another app must do.</summary>
public abstract class InvokerConformance : IAsyncLifetime
{
    protected const string Callee = "callee", Token = "of-the-callee";

    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(5), Impatience = TimeSpan.FromSeconds(1);

    private readonly Queue<int> _codes = new();
    private readonly int _port = FreePort.Next();
    private StubApp? _app;
    private string? _location;

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A way to the callee, which listens at the port or will; it shows the callee its token.</summary>
    protected abstract Task<IInvoker> OpenAsync(int port, TimeSpan patience);

    public virtual async ValueTask InitializeAsync() => await StartAppAsync();

    public virtual async ValueTask DisposeAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData("GET", null)]
    [InlineData("PUT", "\0frame\xFF")]
    [InlineData("POST", "")]
    public async Task Verb_path_query_and_body_arrive_as_they_are_with_the_apps_token(string verb, string? body)
    {
        byte[]? bytes = body is null ? null : System.Text.Encoding.Latin1.GetBytes(body);
        using HttpResponseMessage response = await (await OpenAsync(_port, Patience)).InvokeAsync(new HttpMethod(verb), Callee, "runs/a-1/x?offset=3&crc=4294967295", bytes is null ? null : bytes.AsMemory(), Cancellation);
        Assert.Equal("answer", await response.Content.ReadAsStringAsync(Cancellation));
        StubRequest request = Assert.Single(_app!.To("/runs/a-1/x?offset=3&crc=4294967295"));
        Assert.Equal((verb, Token), (request.Method, request.Headers["dapr-api-token"]));
        Assert.Equal(bytes ?? [], request.Body);
    }

    [Fact]
    public async Task What_fails_is_tried_again()
    {
        _codes.Enqueue(500);
        _codes.Enqueue(503);
        using HttpResponseMessage response = await (await OpenAsync(_port, Patience)).InvokeAsync(HttpMethod.Get, Callee, "x", null, Cancellation);
        Assert.Equal((HttpStatusCode.OK, 3), (response.StatusCode, _app!.To("/x").Count));
    }

    [Fact]
    public async Task Who_is_away_is_called_again_until_it_is_there()
    {
        await _app!.DisposeAsync();
        Task<HttpResponseMessage> call = (await OpenAsync(_port, TimeSpan.FromSeconds(30))).InvokeAsync(HttpMethod.Get, Callee, "x", null, Cancellation);
        await StartAppAsync();
        using HttpResponseMessage response = await call;
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(404)]
    public async Task A_refusal_that_does_not_get_better_is_told_at_once(int code)
    {
        _codes.Enqueue(code);
        CallException refused = await Assert.ThrowsAsync<CallException>(async () => await (await OpenAsync(_port, Patience)).InvokeAsync(HttpMethod.Get, Callee, "x", null, Cancellation));
        Assert.EndsWith($"x to be taken, found {code} answer", refused.Message, StringComparison.Ordinal);
        Assert.Single(_app!.To("/x"));
    }

    [Theory]
    [InlineData(404)]
    [InlineData(410)]
    [InlineData(202)]
    public async Task An_expected_code_is_an_answer(int code)
    {
        _codes.Enqueue(code);
        using HttpResponseMessage response = await (await OpenAsync(_port, Patience)).InvokeAsync(HttpMethod.Get, Callee, "x", null, Cancellation, (HttpStatusCode)code);
        Assert.Equal((code, "answer"), ((int)response.StatusCode, await response.Content.ReadAsStringAsync(Cancellation)));
    }

    [Fact]
    public async Task Nobody_is_sent_elsewhere_with_a_token()
    {
        await using StubApp elsewhere = await StubApp.StartAsync("", _ => Task.FromResult(new StubAnswer()));
        _location = $"http://127.0.0.1:{elsewhere.Port}/x";
        for (int i = 0; i < 100; i++) _codes.Enqueue(307);
        CallException refused = await Assert.ThrowsAsync<CallException>(async () => await (await OpenAsync(_port, Impatience)).InvokeAsync(HttpMethod.Get, Callee, "x", null, Cancellation));
        Assert.EndsWith("found 307 answer", refused.Message, StringComparison.Ordinal);
        Assert.Empty(elsewhere.Requests);
    }

    [Fact]
    public async Task Patience_has_an_end()
    {
        for (int i = 0; i < 100; i++) _codes.Enqueue(503);
        CallException over = await Assert.ThrowsAsync<CallException>(async () => await (await OpenAsync(_port, Impatience)).InvokeAsync(HttpMethod.Get, Callee, "x", null, Cancellation));
        Assert.EndsWith("found 503 answer", over.Message, StringComparison.Ordinal);
        Assert.InRange(_app!.To("/x").Count, 2, 10);
    }

    private async Task StartAppAsync() => _app = await StubApp.StartAsync("", request => Task.FromResult(new StubAnswer(request.Path == "/x" && _codes.TryDequeue(out int code) ? code : 200, "answer", _location)), _port);
}
