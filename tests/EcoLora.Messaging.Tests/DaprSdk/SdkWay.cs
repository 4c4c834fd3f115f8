using EcoLora.Hosting.Dapr;
using EcoLora.Messaging.DaprSdk;

namespace EcoLora.Messaging.Tests;

/// <summary>Dapr's SDK for .NET.</summary>
internal static class SdkWay
{
    public static SidecarWay Sdk { get; } = new(options => new SdkSidecar(options), (app, token, bus) => app.MapDaprSdk(token, bus));
}
