using EcoLora.Messaging;
using EcoLora.Messaging.Dapr;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace EcoLora.Hosting;

/// <summary>What a service is before it runs.</summary>
/// <param name="AppId">Its app id: its consumer group, its name for invocation, and the prefix of its keys in the state store.</param>
/// <param name="Port">The port that it binds where APP_PORT says nothing.</param>
/// <param name="OwnsVolume">Whether its volume holds tensors that its state names: then the two belong together.</param>
/// <param name="Build">Builds it once its sidecar is there; subscribes to the bus.</param>
public sealed record ServiceDefinition(string AppId, int Port, bool OwnsVolume, Func<ServiceContext, RunningService> Build);

/// <summary>What a service is given.</summary>
/// <param name="Bus">The bus, not started yet.</param>
/// <param name="Sidecar">Its sidecar.</param>
/// <param name="Store">Its state.</param>
/// <param name="Volume">Its folder, which no other process uses.</param>
/// <param name="Log">Its log.</param>
public sealed record ServiceContext(IMessageBus Bus, SidecarClient Sidecar, IStateStore Store, DurableFolder Volume, ILogger Log);

/// <summary>A service that was built.</summary>
/// <param name="Service">Disposed when everything else has stopped.</param>
/// <param name="Refused">Messages that were refused or told nothing new, by reason.</param>
/// <param name="WorkAsync">Goes on with what an earlier process had begun, and does what no message asks for; the service stays when this is done.</param>
/// <param name="Map">Maps what it answers to callers; each of them shows the app's token.</param>
public sealed record RunningService(
    object Service, Func<IReadOnlyDictionary<string, long>> Refused, Func<CancellationToken, Task>? WorkAsync = null, Action<IEndpointRouteBuilder>? Map = null);
