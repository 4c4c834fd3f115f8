using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace EcoLora.DaprTestKit;

/// <summary>A request as the stub app got it.</summary>
/// <param name="Method">GET, POST, ….</param>
/// <param name="Path">Path and query.</param>
/// <param name="Body">The body.</param>
/// <param name="Headers">All headers, the content's too.</param>
public sealed record StubRequest(string Method, string Path, byte[] Body, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>The body as JSON.</summary>
    public JsonElement Json => JsonSerializer.Deserialize<JsonElement>(Body);

    /// <summary>The bytes in <c>data_base64</c>.</summary>
    public byte[] Data => Json.GetProperty("data_base64").GetBytesFromBase64();
}

/// <summary>The stub app's answer.</summary>
/// <param name="Status">The code.</param>
/// <param name="Body">The body.</param>
/// <param name="Location">Where it sends whoever asks, or null.</param>
public sealed record StubAnswer(int Status = 200, string Body = "", string? Location = null);

/// <summary>An app in the test's process that keeps what it gets and answers as told.</summary>
public sealed class StubApp : IAsyncDisposable
{
    private readonly WebApplication app;

    private StubApp(WebApplication app, string subscriptions, Func<StubRequest, Task<StubAnswer>> answer)
    {
        this.app = app;
        app.Run(async context =>
        {
            if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { } limit) limit.MaxRequestBodySize = null;
            using MemoryStream body = new();
            await context.Request.Body.CopyToAsync(body);
            StubRequest request = new(
                context.Request.Method, context.Request.Path + context.Request.QueryString, body.ToArray(),
                context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase));
            Requests.Enqueue(request);
            StubAnswer reply = request.Path switch
            {
                "/dapr/subscribe" => subscriptions.Length > 0 ? new(200, subscriptions) : new(404),
                "/dapr/config" => new(404),
                _ => await answer(request),
            };
            context.Response.StatusCode = reply.Status;
            if (reply.Location is not null) context.Response.Headers.Location = reply.Location;
            if (reply.Body.Length > 0) await context.Response.WriteAsync(reply.Body);
        });
    }

    /// <summary>Everything that came, in order.</summary>
    public ConcurrentQueue<StubRequest> Requests { get; } = new();

    /// <summary>Where it listens.</summary>
    public int Port => new Uri(app.Urls.First()).Port;

    /// <summary>Starts one.</summary>
    /// <param name="subscriptions">The JSON list for <c>/dapr/subscribe</c>; empty for a 404.</param>
    /// <param name="answer">Answers anything else; null for 200 with no body.</param>
    /// <param name="port">0 for any.</param>
    public static async Task<StubApp> StartAsync(string subscriptions, Func<StubRequest, Task<StubAnswer>>? answer = null, int port = 0)
    {
        StubApp stub = new(LoopbackApp.Make(port), subscriptions, answer ?? (_ => Task.FromResult(new StubAnswer())));
        await stub.app.StartAsync();
        return stub;
    }

    /// <summary>What came to a path.</summary>
    public IReadOnlyList<StubRequest> To(string path) => [.. Requests.Where(r => r.Path == path)];

    /// <summary>Waits until so many requests have come to a path.</summary>
    public async Task<IReadOnlyList<StubRequest>> WaitForAsync(string path, int count)
    {
        await Eventually.TrueAsync(() => To(path).Count >= count, $"{count} requests to {path}, so far {To(path).Count}");
        return To(path);
    }

    /// <summary>One entry of a subscription list.</summary>
    public static string Subscription(string topic, string route, bool raw = true, string? deadLetter = null) => JsonSerializer.Serialize(new
    {
        pubsubname = "pubsub",
        topic,
        route,
        deadLetterTopic = deadLetter,
        metadata = new Dictionary<string, string> { ["rawPayload"] = raw ? "true" : "false" },
    });

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using CancellationTokenSource atOnce = new(TimeSpan.FromMilliseconds(100));
        await app.StopAsync(atOnce.Token);
        await app.DisposeAsync();
    }
}
