using EcoLora.DaprTestKit;
using Microsoft.AspNetCore.Builder;

namespace EcoLora.Messaging.Tests;

/// <summary>Calls where the app is.</summary>
public sealed class DirectInvokerTests : InvokerConformance
{
    private DirectInvoker? _invoker;

    protected override Task<IInvoker> OpenAsync(int port, TimeSpan patience) => Task.FromResult<IInvoker>(_invoker = new DirectInvoker(
        new Dictionary<string, AppAddress> { [Callee] = new(new Uri($"http://127.0.0.1:{port}"), Token) }, patience));

    public override async ValueTask DisposeAsync()
    {
        _invoker?.Dispose();
        await base.DisposeAsync();
    }

    [Fact]
    public async Task An_app_without_address_is_named()
    {
        using var invoker = new DirectInvoker(new Dictionary<string, AppAddress>(), Patience);
        CallException unknown = await Assert.ThrowsAsync<CallException>(() => invoker.InvokeAsync(HttpMethod.Get, "scheduler", "enrol", null, Cancellation));
        Assert.Equal("scheduler: expected enrol to be taken, found no address of this app", unknown.Message);
    }

    [Fact]
    public async Task Behind_a_gateway_paths_begin_with_its_own()
    {
        await using StubApp gateway = await StubApp.StartAsync("");
        using var invoker = new DirectInvoker(new Dictionary<string, AppAddress> { [Callee] = new(new Uri($"http://127.0.0.1:{gateway.Port}/hub/"), Token) }, Impatience);
        using HttpResponseMessage response = await invoker.InvokeAsync(HttpMethod.Get, Callee, "enrol", null, Cancellation);
        Assert.Equal("/hub/enrol", Assert.Single(gateway.Requests).Path);
    }

    [Fact]
    public async Task A_token_goes_to_nobody_whom_the_app_points_to()
    {
        await using StubApp elsewhere = await StubApp.StartAsync("");
        await using WebApplication app = LoopbackApp.Make();
        app.Run(context =>
        {
            context.Response.Redirect($"http://127.0.0.1:{elsewhere.Port}/");
            return Task.CompletedTask;
        });
        await app.StartAsync(Cancellation);
        using var invoker = new DirectInvoker(new Dictionary<string, AppAddress> { [Callee] = new(new Uri(app.Urls.First()), Token) }, Impatience);
        await Assert.ThrowsAsync<CallException>(() => invoker.InvokeAsync(HttpMethod.Get, Callee, "enrol", null, Cancellation));
        Assert.Empty(elsewhere.Requests);
    }

    [Fact]
    public void Tokens_are_in_no_text() => Assert.DoesNotContain(Token, $"{new AppAddress(new Uri("http://host"), Token)} {new AppToken(Token)}", StringComparison.Ordinal);
}
