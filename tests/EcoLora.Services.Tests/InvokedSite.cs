using System.Net;
using EcoLora.DaprTestKit;
using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Messaging.Dapr;
using EcoLora.Services.Codec;
using EcoLora.Services.Trainer;
using EcoLora.TestKit;
using Microsoft.AspNetCore.Builder;

namespace EcoLora.Services.Tests;

/// <summary>A site's codec behind its API on a real socket, and a trainer's side of it, with nothing but invocation's paths between them.</summary>
internal sealed class InvokedSite : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly InProcessBus _bus = new();
    private readonly List<WebApplication> _apps = [];
    private readonly SidecarClient _sidecar;
    private readonly CodecService _codec;
    private readonly TaskCompletionSource<byte[]> _frame = new();

    private InvokedSite()
    {
        var folder = new DurableFolder(_folder.Path);
        _codec = new CodecService(_bus, new FolderStateStore(folder.Folder("state")), folder.Folder("volume"), new CodecOptions("codec-a", plan => plan.SiteOf("a")));
        _bus.Subscribe(Topics.Segments, "aggregator", (message, _) =>
        {
            _frame.TrySetResult(message.Payload.ToArray());
            return Task.FromResult(Verdict.Success);
        });
        _bus.Start();
        var options = new DaprOptions(new Uri("http://sidecar")) { Patience = TimeSpan.FromMilliseconds(200) };
        _sidecar = new SidecarClient(options, new Invocation(this) { InnerHandler = new SocketsHttpHandler() });
        Trainer = new InvokedSiteCodec(_sidecar, "codec-a");
    }

    /// <summary>The trainer's side.</summary>
    public InvokedSiteCodec Trainer { get; }

    /// <summary>The codec itself.</summary>
    public ISiteCodec Codec => _codec;

    /// <summary>Requests that reached the codec, with its answers.</summary>
    public List<string> Log { get; } = [];

    /// <summary>Is given each request before it is sent; a code is the answer in the codec's place.</summary>
    public Func<HttpRequestMessage, Task<HttpStatusCode?>>? Before { get; set; }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<InvokedSite> StartAsync()
    {
        var site = new InvokedSite();
        await site.RestartAsync();
        return site;
    }

    /// <summary>The codec's process is another one from now on: what it held in memory only is gone.</summary>
    public async Task RestartAsync()
    {
        WebApplication app = LoopbackApp.Make();
        new SiteApi(_codec).Map(app);
        await app.StartAsync(Cancellation);
        _apps.Add(app);
    }

    public Task SayAsync(RoundMessage message) => _bus.PublishAsync(Topics.Rounds, message.Run, ProtocolJson.Write(message), Cancellation);

    /// <summary>Publishes version 1, and waits until it is there.</summary>
    public async Task PublishNextAsync()
    {
        await _bus.PublishAsync(Topics.Global, "run-1", MadeUpSite.Change(), Cancellation);
        await _codec.GetPublishedAsync("run-1", 1, null, Cancellation);
    }

    /// <summary>The first frame that the codec published.</summary>
    public Task<byte[]> FrameAsync() => _frame.Task.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);

    public async ValueTask DisposeAsync()
    {
        _sidecar.Dispose();
        foreach (WebApplication app in _apps) await app.DisposeAsync();
        await _bus.DisposeAsync();
        _codec.Dispose();
        _folder.Dispose();
    }

    private sealed class Invocation(InvokedSite site) : DelegatingHandler
    {
        private const string Prefix = "/v1.0/invoke/codec-a/method";

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            string path = request.RequestUri!.PathAndQuery;
            if (!path.StartsWith(Prefix, StringComparison.Ordinal)) return new HttpResponseMessage(HttpStatusCode.NotFound);
            if (site.Before is { } before && await before(request) is { } code) return new HttpResponseMessage(code);
            request.RequestUri = new Uri(new Uri(site._apps[^1].Urls.First()), path[Prefix.Length..]);
            HttpResponseMessage answer = await base.SendAsync(request, cancellationToken);
            site.Log.Add($"{request.Method} {(int)answer.StatusCode}");
            return answer;
        }
    }
}
