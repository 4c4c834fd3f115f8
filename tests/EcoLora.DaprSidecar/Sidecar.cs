using System.Net;

namespace EcoLora.DaprSidecar;

/// <summary>The process: starts in daprd's order, serves, drains.</summary>
internal sealed class Sidecar(SidecarOptions options) : IAsyncDisposable
{
    /// <summary>daprd's DaprBuiltInInitializationRetries, without their randomness.</summary>
    private static readonly TimeSpan[] DiscoveryPauses = [TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(0.75), TimeSpan.FromSeconds(1)];

    private readonly Dictionary<string, IBroker> brokers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, RedisStateStore> stores = new(StringComparer.Ordinal);
    private readonly List<TopicSubscription> registered = [];
    private readonly List<Task> bulk = [];
    private readonly CancellationTokenSource ending = new();
    private readonly Faults faults = new(options.Faults);
    private readonly AppChannel? app = options.AppPort is null ? null : new(options);
    private ResourceFolder resources = new();
    private RedisConnection? registry;
    private WebApplication? api;
    private InvocationApi? invocation;
    private Task discovery = Task.CompletedTask;
    private volatile bool appReady = options.AppPort is null;

    /// <summary>Serves until the process is told to stop.</summary>
    public static async Task<int> RunAsync(SidecarOptions options)
    {
        await using Sidecar sidecar = new(options);
        CancellationToken stopping = await sidecar.StartAsync();
        TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using (stopping.Register(() => stopped.TrySetResult())) await stopped.Task;
        await sidecar.StopAsync();
        return 0;
    }

    /// <summary>Opens the components, then the API, and goes on to discover the app's subscriptions.</summary>
    /// <returns>Cancelled when something asks the sidecar to stop: a signal, or its API.</returns>
    public async Task<CancellationToken> StartAsync()
    {
        await OpenComponentsAsync();
        invocation = new(options, app, registry);
        api = BuildApi(invocation);
        await api.StartAsync();
        int port = new Uri(api.Urls.First()).Port;
        await invocation.RegisterAsync(port);
        await Console.Out.WriteLineAsync($"dapr sidecar of {options.AppId} on http://127.0.0.1:{port}");
        discovery = DiscoverAsync(api.Lifetime.ApplicationStopping);
        return api.Lifetime.ApplicationStopping;
    }

    /// <summary>Drains, then ends.</summary>
    public async Task StopAsync()
    {
        api!.Lifetime.StopApplication();
        await discovery;
        foreach (IBroker broker in brokers.Values) await broker.DrainAsync(options.Grace);
        await ending.CancelAsync();
        await Task.WhenAll(bulk);
        await api.StopAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (api is not null) await api.DisposeAsync();
        invocation?.Dispose();
        foreach (IBroker broker in brokers.Values) await broker.DisposeAsync();
        foreach (RedisStateStore store in stores.Values) store.Dispose();
        registry?.Dispose();
        ending.Dispose();
        app?.Dispose();
    }

    private async Task OpenComponentsAsync()
    {
        resources = ResourceFolder.Read(options.ResourcesPath, options.AppId);
        foreach (Component component in resources.Components)
        {
            // Undefined policies end the process here rather than at the first message.
            resources.Resiliency.Inbound(component.Name);
            resources.Resiliency.Outbound(component.Name);
            if (component.Type == "pubsub.redis") brokers.Add(component.Name, await RedisStreamBroker.OpenAsync(component, options.AppId, faults));
            if (component.Type == "pubsub.rabbitmq") brokers.Add(component.Name, await RabbitBroker.OpenAsync(component, options.AppId, faults));
            if (component.Type == "pubsub.kafka") brokers.Add(component.Name, KafkaBroker.Open(component, options.AppId, faults));
            if (component.Type == "state.redis") stores.Add(component.Name, await RedisStateStore.OpenAsync(component, options.AppId));
            if (component.Type.EndsWith(".redis", StringComparison.Ordinal)) registry ??= await RedisConnection.OpenAsync(component);
        }
    }

    private WebApplication BuildApi(InvocationApi calls)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, options.HttpPort);
#if FEED_FULL
            kestrel.Listen(IPAddress.Loopback, options.GrpcPort, listen => listen.Protocols = Microsoft.AspNetCore.Server.Kestrel.Core.HttpProtocols.Http2);
#endif
            // The limit is --max-body-size, and its answer is 500: Kestrel's own 413 must not come first.
            kestrel.Limits.MaxRequestBodySize = null;
        });
        var secrets = new SecretApi(resources.Components.FindAll(c => c.Type == ResourceFolder.EnvironmentStore));
        var publish = new PublishApi(options, brokers, resources.Resiliency, faults);
        var state = new StateApi(options, stores);
#if FEED_FULL
        builder.Services.AddSingleton(secrets).AddSingleton(publish).AddSingleton(state)
            .AddGrpc(grpc => grpc.MaxReceiveMessageSize = grpc.MaxSendMessageSize = (int)Math.Min(options.MaxBodySize, int.MaxValue));
#endif
        WebApplication web = builder.Build();
        web.RequireApiToken(options.ApiToken);
        web.UseRouting();
        web.MapGet("/v1.0/healthz/outbound", () => Results.NoContent());
        web.MapGet("/v1.0/healthz", () => appReady ? Results.NoContent() : ApiAnswer.Error(500, "ERR_HEALTH_NOT_READY", "dapr is not ready"));
        web.MapPost("/v1.0/shutdown", () =>
        {
            web.Lifetime.StopApplication();
            return Results.NoContent();
        });
        new MetadataApi(options, resources.Components, Registered).Map(web);
        secrets.Map(web);
        publish.Map(web);
        state.Map(web);
#if FEED_FULL
        web.MapGrpcService<DaprService>();
#endif
        calls.Map(web);
        return web;
    }

    private TopicSubscription[] Registered()
    {
        lock (registered) return [.. registered];
    }

    /// <summary>Waits for the app's port, then asks once what it is subscribed to: a 404 or 5xx means nothing until the next start (trap 6). One that is gone is asked again, for two seconds.</summary>
    private async Task DiscoverAsync(CancellationToken stopping)
    {
        if (app is null) return;
        try
        {
            await app.WaitForPortAsync(stopping);
            await app.GetAsync("/dapr/config", [], stopping);
            byte[]? answer = await app.GetAsync("/dapr/subscribe", DiscoveryPauses, stopping);
            appReady = true;
            foreach (TopicSubscription subscription in resources.Subscriptions.Concat(answer is null ? [] : TopicSubscription.OfApp(answer)))
                await SubscribeAsync(subscription);
        }
        catch (OperationCanceledException)
        {
            // Shut down before the app was there.
        }
        catch (Exception error) when (error is FormatException or BrokerException)
        {
            await Console.Error.WriteLineAsync($"subscriptions: {error.Message}");
        }
    }

    private async Task SubscribeAsync(TopicSubscription subscription)
    {
        if (!brokers.TryGetValue(subscription.PubSubName, out IBroker? broker)
            || !TopicScopes.MaySubscribe(broker.Component, options.AppId, subscription.Topic))
        {
            await Console.Error.WriteLineAsync($"subscription to {subscription.Topic}: no component {subscription.PubSubName}, or not allowed");
            return;
        }
        Policy inbound = resources.Resiliency.Inbound(subscription.PubSubName);
        DeadLetters deadLetters = new(subscription.DeadLetterTopic, broker, options.AppId, resources.Resiliency.Outbound(subscription.PubSubName));
        if (subscription.Bulk is { } limits)
        {
            BulkSubscribedTopic topic = new(subscription, limits, deadLetters, app!, inbound, faults);
            bulk.Add(topic.RunAsync(ending.Token));
            await broker.SubscribeAsync(subscription, topic.HandleAsync);
        }
        else
        {
            await broker.SubscribeAsync(subscription, new SubscribedTopic(subscription, deadLetters, app!, inbound, faults).HandleAsync);
        }
        lock (registered) registered.Add(subscription);
    }
}
