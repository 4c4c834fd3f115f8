using Dapr;
using EcoLora.Messaging.Dapr;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace EcoLora.Messaging.DaprSdk;

/// <summary>The subscriptions of a bus as Dapr.AspNetCore has them: endpoints that say which topic they take.</summary>
public static class TopicEndpoints
{
    /// <summary>Maps <c>POST {route}/{topic}</c> for every topic, raw and with dead letters, and <c>GET /dapr/subscribe</c>, which the SDK answers from these endpoints.</summary>
    /// <param name="endpoints">The app.</param>
    /// <param name="bus">The bus, with all of its subscriptions.</param>
    /// <param name="route">Where deliveries arrive.</param>
    /// <param name="deliver">Answers a delivery of a topic: its body is an envelope, as by Dapr's HTTP API.</param>
    public static void MapTopics(this IEndpointRouteBuilder endpoints, DaprBus bus, string route, Func<string, HttpRequest, Task<IResult>> deliver)
    {
        ArgumentNullException.ThrowIfNull(bus);
        foreach (string topic in bus.Topics.Order(StringComparer.Ordinal))
        {
            endpoints.MapPost($"{route}/{topic}", (HttpRequest request) => deliver(topic, request)).WithTopic(new TopicOptions
            {
                PubsubName = bus.PubSub,
                Name = topic,
                DeadLetterTopic = DaprBus.DeadLetterTopicOf(topic),
                EnableRawPayload = true,
            });
        }
        endpoints.MapSubscribeHandler();
    }
}
