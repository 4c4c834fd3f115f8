using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace EcoLora.DaprTestKit;

/// <summary>Web apps in the test's process.</summary>
public static class LoopbackApp
{
    /// <summary>An app that listens on 127.0.0.1 once it is started, and logs nothing.</summary>
    /// <param name="port">0 for any.</param>
    public static WebApplication Make(int port = 0)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        return builder.Build();
    }
}
