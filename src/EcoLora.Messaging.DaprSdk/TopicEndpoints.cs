using Dapr;
using EcoLora.Messaging.Dapr;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace EcoLora.Messaging.DaprSdk;

/// <summary>The subscriptions of a bus as Dapr.AspNetCore has them: endpoints that say which topic they take.</summary>
public static class TopicEndpoints
{
    /// <summary>The content type of a raw message, once the SDK's reader of envelopes (<c>UseCloudEvents</c>) has taken it out of its envelope.</summary>
    public const string RawContent = "application/octet-stream";

    /// <summary>
    /// Maps <c>POST {route}/{topic}</c> for every topic, raw and with dead letters, and <c>GET /dapr/subscribe</c>, which the SDK answers from these endpoints. Envelopes are
    /// read by <c>UseCloudEvents</c>, which the app uses before.
    /// </summary>
    /// <param name="endpoints">The app.</param>
    /// <param name="bus">The bus, with all of its subscriptions.</param>
    /// <param name="pubSub">The component of the topics.</param>
    /// <param name="route">Where deliveries arrive.</param>
    /// <param name="deliver">Answers a delivery of a topic.</param>
    public static void MapTopics(this IEndpointRouteBuilder endpoints, DaprBus bus, string pubSub, string route, Func<string, HttpRequest, Task<IResult>> deliver)
    {
        ArgumentNullException.ThrowIfNull(bus);
        foreach (string topic in bus.Topics.Order(StringComparer.Ordinal))
        {
            endpoints.MapPost($"{route}/{topic}", (HttpRequest request) => deliver(topic, request)).WithTopic(new TopicOptions
            {
                PubsubName = pubSub,
                Name = topic,
                DeadLetterTopic = DaprBus.DeadLetterTopicOf(topic),
                EnableRawPayload = true,
            });
        }
        endpoints.MapSubscribeHandler();
    }
}
