using EcoLora.Messaging;
using EcoLora.Messaging.Dapr;
#if FEED_FULL
using EcoLora.Messaging.DaprSdk;
#endif
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace EcoLora.Hosting.Dapr;

/// <summary>What an app answers to its sidecar, and to whoever watches it.</summary>
public static class DaprEndpoints
{
    /// <summary>Where deliveries arrive.</summary>
    public const string Route = "/topics";

    /// <summary>Largest body of a delivery: the largest message of a broker in base64, and an envelope.</summary>
    public const int MaximumBody = MessagePart.MaximumSize / 3 * 4 + 64 * 1024;

    private const string Discovery = "/dapr/subscribe";

    /// <summary>
    /// Maps <c>GET /dapr/subscribe</c> and <c>POST /topics/{topic}</c>. With an app token, only who shows it may deliver.
    /// </summary>
    /// <param name="app">The app.</param>
    /// <param name="token">What the sidecar must show.</param>
    /// <param name="bus">Its bus, whose topics are subscribed.</param>
    public static void MapDapr(this WebApplication app, AppToken token, DaprBus bus)
    {
        app.MapDeliveries(token, bus);
        app.MapGet(Discovery, () => Results.Bytes(bus.DescribeSubscriptions(Route), "application/json"));
    }

#if FEED_FULL
    /// <summary>As <see cref="MapDapr"/>, by the endpoints of Dapr's SDK.</summary>
    /// <param name="app">The app.</param>
    /// <param name="token">What the sidecar must show.</param>
    /// <param name="bus">Its bus, whose topics are subscribed.</param>
    public static void MapDaprSdk(this WebApplication app, AppToken token, DaprBus bus)
    {
        app.MapDeliveries(token, bus);
        app.MapTopics(bus, Route, (topic, request) => DeliverAsync(bus, topic, request));
    }
#endif

    /// <summary>Maps <c>GET /healthz</c> (the process answers) and <c>GET /readyz</c> (so does its sidecar, where it has one).</summary>
    public static void MapHealth(this IEndpointRouteBuilder endpoints, Func<CancellationToken, Task<bool>> isReady)
    {
        endpoints.MapGet("/healthz", () => Results.Text("ok"));
        endpoints.MapGet("/readyz", async (CancellationToken cancellation) => await isReady(cancellation)
            ? Results.Text("ok")
            : Results.Text("waiting for the sidecar", statusCode: StatusCodes.Status503ServiceUnavailable));
    }

    /// <summary>
    /// Lets only callers in who show the app's token, as a sidecar does for whoever invokes this app; 503 as <see cref="AwayIs503"/>.
    /// </summary>
    public static RouteGroupBuilder RequireToken(this RouteGroupBuilder group, AppToken token) => group.AwayIs503().AddEndpointFilter(async (context, next) =>
        IsAllowed(token, context.HttpContext.Request) ? await next(context) : Results.Unauthorized());

    /// <summary>503 where the state store or the sidecar is away.</summary>
    public static RouteGroupBuilder AwayIs503(this RouteGroupBuilder group) => group.AddEndpointFilter(async (context, next) =>
    {
        try
        {
            return await next(context);
        }
        catch (IOException away) when (away is not BadHttpRequestException)
        {
            return Results.Text(away.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    });

    /// <summary>Deliveries of any topic. Before one is read: who may ask for the topics or deliver, and that it is no larger than a broker could hold.</summary>
    private static void MapDeliveries(this WebApplication app, AppToken token, DaprBus bus)
    {
        app.Use(async (context, next) =>
        {
            bool isDelivery = context.Request.Path.StartsWithSegments(Route, out PathString topic);
            if ((isDelivery || context.Request.Path.StartsWithSegments(Discovery)) && !IsAllowed(token, context.Request))
            {
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
                return;
            }
            if (isDelivery && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = MaximumBody;
            try
            {
                if (isDelivery && context.Request.ContentLength > MaximumBody) await DropAsync();
                else await next(context);
            }
            catch (BadHttpRequestException exception) when (isDelivery && exception.StatusCode == StatusCodes.Status413PayloadTooLarge)
            {
                await DropAsync();
            }

            Task DropAsync() => Answer(bus.DropUnread(topic.Value?.Trim('/') ?? "", MaximumBody)).ExecuteAsync(context);
        });
        app.MapPost(Route + "/{topic}", (string topic, HttpRequest request) => DeliverAsync(bus, topic, request));
    }

    /// <summary>
    /// Reads the whole body, and hands it over. A handler that then begins goes to its end, also when the sidecar that asked is gone: half of it would leave its state behind what it wrote.
    /// </summary>
    private static async Task<IResult> DeliverAsync(DaprBus bus, string topic, HttpRequest request)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body, request.HttpContext.RequestAborted);
        return Answer(await bus.DeliverAsync(topic, body.GetBuffer().AsMemory(0, (int)body.Length), CancellationToken.None));
    }

    private static bool IsAllowed(AppToken token, HttpRequest request) => token.Admits(request.Headers[AppToken.Header]);

    private static IResult Answer(Verdict verdict) => Results.Bytes(
        verdict switch
        {
            Verdict.Success => "{\"status\":\"SUCCESS\"}"u8.ToArray(),
            Verdict.Retry => "{\"status\":\"RETRY\"}"u8.ToArray(),
            _ => "{\"status\":\"DROP\"}"u8.ToArray(),
        },
        "application/json");
}
