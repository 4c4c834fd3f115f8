using EcoLora.Hosting.Dapr;
using EcoLora.Messaging.Dapr;
#if FEED_FULL
using EcoLora.Messaging.DaprSdk;
#endif
using Microsoft.AspNetCore.Builder;

namespace EcoLora.Hosting;

/// <summary>How a service speaks to its sidecar.</summary>
internal enum SidecarKind
{
    /// <summary>By Dapr's HTTP API.</summary>
    Http,

    /// <summary>By Dapr's SDK, in builds with <c>-p:Feed=full</c>.</summary>
    Sdk,

    /// <summary>There is none.</summary>
    None,
}

/// <summary>ECOLORA_SIDECAR: <c>dapr</c>, <c>dapr-sdk</c> or <c>none</c>.</summary>
internal static class SidecarKinds
{
    /// <summary>The variable.</summary>
    public const string Variable = "ECOLORA_SIDECAR";

    private const string Http = "dapr", Sdk = "dapr-sdk", None = "none";

    /// <summary>What it may be, the default first.</summary>
    public static readonly string[] Words = [Http, Sdk, None];

    /// <summary>Reads it.</summary>
    /// <exception cref="SettingException">Another word, or one for which this build has no packages.</exception>
    public static SidecarKind Read(ServiceVariables variables) => variables.Choice(Variable, Words) switch
    {
        None => SidecarKind.None,
#if FEED_FULL
        Sdk => SidecarKind.Sdk,
#else
        Sdk => throw new SettingException(Variable, $"{Http} or {None}, since this build is without Dapr's SDK (-p:Feed=full)", Sdk),
#endif
        _ => SidecarKind.Http,
    };

    /// <summary>The calls to a sidecar.</summary>
    public static ISidecar Open(SidecarKind kind, DaprOptions options) => kind switch
    {
#if FEED_FULL
        SidecarKind.Sdk => new SdkSidecar(options),
#endif
        _ => new SidecarClient(options),
    };

    /// <summary>Maps what the sidecar asks of the service.</summary>
    public static void Map(WebApplication app, SurroundingSettings settings, DaprBus bus)
    {
#if FEED_FULL
        if (settings.Sidecar == SidecarKind.Sdk)
        {
            app.MapDaprSdk(settings.Token, bus);
            return;
        }
#endif
        app.MapDapr(settings.Token, bus);
    }
}
