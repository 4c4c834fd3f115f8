using EcoLora.Messaging;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EcoLora.Hosting;

/// <summary>What a service is before it runs.</summary>
/// <param name="AppId">Its app id: its consumer group, its name for invocation, and the prefix of its keys in the state store.</param>
/// <param name="Port">The port that it binds where APP_PORT says nothing.</param>
/// <param name="OwnsVolume">Whether its volume holds tensors that its state names: then the two belong together.</param>
/// <param name="Build">Builds it once what is around it is there; subscribes to the bus.</param>
/// <param name="Configure">Adds what its endpoints need of ASP.NET.</param>
public sealed record ServiceDefinition(string AppId, int Port, bool OwnsVolume, Func<ServiceContext, RunningService> Build, Action<IServiceCollection>? Configure = null)
{
    /// <summary>The site that it speaks for; null for the hub.</summary>
    public string? Site { get; init; }

    /// <summary>Who may read the metrics; null for whoever reaches the port.</summary>
    public ApiAccess? MetricsAccess { get; init; }

    /// <summary>At the hub: reads the keys of the sites.</summary>
    public Func<IInvoker, IStateStore, CancellationToken, Task<IReadOnlyList<SiteKey>>>? ReadSiteKeys { get; init; }
}

/// <summary>What a service is given.</summary>
/// <param name="Bus">The bus, not started yet.</param>
/// <param name="Invoker">Calls the other services.</param>
/// <param name="Store">Its state.</param>
/// <param name="Volume">Its folder, which no other process uses.</param>
/// <param name="Log">Its log.</param>
/// <param name="Trust">Whom it speaks for and believes; null where messages are not signed.</param>
/// <param name="Refused">What it and its bus have not taken in.</param>
public sealed record ServiceContext(IMessageBus Bus, IInvoker Invoker, IStateStore Store, DurableFolder Volume, ILogger Log, BusTrust? Trust, Refusals Refused);

/// <summary>A service that was built.</summary>
/// <param name="Service">Disposed when everything else has stopped.</param>
/// <param name="WorkAsync">Goes on with what an earlier process had begun, and does what no message asks for; the service stays when this is done.</param>
/// <param name="Map">Maps what it answers to other services; each call shows the app's token.</param>
/// <param name="Api">Maps what it answers to people, whose access is the endpoints' own matter (<see cref="ApiAccess"/>).</param>
public sealed record RunningService(
    object Service, Func<CancellationToken, Task>? WorkAsync = null, Action<IEndpointRouteBuilder>? Map = null,
    Action<IEndpointRouteBuilder>? Api = null);
