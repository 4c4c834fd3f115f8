using EcoLora.Hosting.Dapr;
using EcoLora.Messaging.Dapr;
using Microsoft.AspNetCore.Builder;

namespace EcoLora.Messaging.Tests;

/// <summary>How an app and its sidecar speak to each other: the suites are the same for all ways.</summary>
/// <param name="Open">The app's calls.</param>
/// <param name="Map">What the app answers.</param>
public sealed record SidecarWay(Func<DaprOptions, ISidecar> Open, Action<WebApplication, AppToken, DaprBus> Map)
{
    /// <summary>Dapr's HTTP API.</summary>
    public static SidecarWay Http { get; } = new(options => new SidecarClient(options), (app, token, bus) => app.MapDapr(token, bus));
}
