using System.Net;
using EcoLora.Hosting.Dapr;
using EcoLora.Messaging;
using EcoLora.Messaging.Dapr;
using EcoLora.Messaging.Kafka;
using EcoLora.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EcoLora.Hosting;

/// <summary>
/// Runs one service, beside its sidecar or without one. The order is what keeps a run whole: settings, lock of the volume, sidecar, claim of the records, service, and only then
/// the port, at whose opening the sidecar asks once what to deliver. SIGTERM lets what is under way finish, for half a minute.
/// </summary>
public static class ServiceHost
{
    private static readonly TimeSpan _drain = TimeSpan.FromSeconds(30), _pause = TimeSpan.FromSeconds(1);

    /// <summary>Runs until a signal.</summary>
    /// <param name="define">Reads the service's settings.</param>
    /// <returns>0 after a signal; 1 the machine or the program failed; 3 a setting cannot be used; 4 another process is this service.</returns>
    public static async Task<int> RunAsync(Func<ServiceVariables, ServiceDefinition> define)
    {
        using var signals = new StopSignals();
        try
        {
            await RunAsync(define, signals.Stopping);
            return 0;
        }
        catch (OperationCanceledException) when (signals.Stopping.IsCancellationRequested)
        {
            return 0;
        }
        catch (Exception exception)
        {
            await Console.Error.WriteLineAsync(exception is IOException or FormatException or DllNotFoundException ? exception.Message : exception.ToString());
            return exception switch
            {
                ServiceInUseException => 4,
                FormatException => 3,
                _ => 1,
            };
        }
    }

    private static async Task RunAsync(Func<ServiceVariables, ServiceDefinition> define, CancellationToken stopping)
    {
        var variables = new ServiceVariables(Environment.GetEnvironmentVariable);
        ServiceDefinition definition = define(variables);
        // Invocation and consumer groups go by app id: under another one nobody would find this service.
        if (variables.Text("APP_ID", definition.AppId) is var given && given != definition.AppId) throw new SettingException("APP_ID", definition.AppId, given);
        ServiceTrust? trusting = ServiceTrust.FromEnvironment(variables);
        int port = variables.Number("APP_PORT", definition.Port, 1, ushort.MaxValue);
        IPAddress address = variables.BindsAny ? IPAddress.Any : IPAddress.Loopback;
        bool measures = variables.Text("OTEL_SDK_DISABLED", "false") != "true", pushes = variables.Text("OTEL_EXPORTER_OTLP_ENDPOINT", "").Length > 0;
        SurroundingSettings settings = SurroundingSettings.Read(variables, definition.AppId);
        string home = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        string path = variables.Path("ECOLORA_VOLUME", Path.Combine(home, "ecolora", definition.AppId));

        using var page = new MetricsPage(measures ? new ServiceMeasures(definition.AppId, JournalReport.ProductVersion, pushes) : null);
        await using WebApplication app = MakeApp(address, port, page, definition.Configure);
        ILogger log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger(definition.AppId);
        log.Say($"settings: {string.Join(", ", variables.Effective.Select(pair => $"{pair.Key}={pair.Value}"))}");
        using VolumeOwner volume = VolumeOwner.Lock(path);
        using Surroundings around = await Surroundings.OpenAsync(settings, volume.Folder, log, stopping);
        if (definition.OwnsVolume) await volume.ClaimAsync(definition.AppId, around.Store, stopping);

        var refused = new Refusals
        {
            Dropped = refusal => log.Warn($"refused, {refusal.Count} so far: {refusal.Reason}: {refusal.About}"),
        };
        void Failed(string topic, Exception exception) => log.Warn($"{topic}: to be delivered again: {exception.Message}");
        DaprBus? dapr = around.Sidecar is null ? null : new DaprBus(around.Sidecar)
        {
            Refused = refused,
            HandlerFailed = Failed,
        };
        BusTrust? trust = trusting is null ? null : await trusting.OpenAsync(definition, around.Invoker, around.Sidecar, around.Store, log, stopping);
        if (trust is null) log.Warn($"messages are not signed: whoever reaches the broker can speak for everybody");
        KafkaBus? direct = settings.Kafka is null ? null : new KafkaBus(settings.Kafka)
        {
            Refused = refused,
            HandlerFailed = Failed,
            Troubled = what => log.Warn($"kafka: {what}"),
        };
        IMessageBus carrier = (IMessageBus?)direct ?? dapr!, signed = trust is null ? carrier : new SignedBus(carrier, trust) { Refused = refused };
        var parts = new PartStore(volume.Folder.Folder("_parts"), PartLimits.Default, TimeProvider.System);
        using var bus = new PartedBus(signed, parts) { Refused = refused };
        page.Start(app.Services);
        ServiceMetrics.Observe(Instruments.Meter, refused, parts);
        RunningService service = definition.Build(new ServiceContext(bus, around.Invoker, around.Store, volume.Folder, log, trust, refused));
        try
        {
            app.MapHealth(around.IsReadyAsync);
            if (dapr is not null) SidecarKinds.Map(app, settings, dapr);
            RouteGroupBuilder guarded = app.MapGroup("").RequireToken(settings.Token);
            page.Map(app, definition.MetricsAccess);
            guarded.MapGet("/" + InvocationPaths.Refused, () => Results.Json(refused.All, ServiceJson.Default.IReadOnlyListRefusal));
            service.Map?.Invoke(guarded);
            service.Api?.Invoke(app.MapGroup("").AwayIs503());
            await ServeAsync(app, service, direct, log, port, stopping);
        }
        finally
        {
            // Handlers end before the service does.
            if (direct is not null) await direct.DisposeAsync();
            if (service.Service is IAsyncDisposable asynchronous) await asynchronous.DisposeAsync();
            else (service.Service as IDisposable)?.Dispose();
        }
    }

    private static async Task ServeAsync(WebApplication app, RunningService service, KafkaBus? direct, ILogger log, int port, CancellationToken stopping)
    {
        try
        {
            await app.StartAsync(stopping);
        }
        catch (IOException taken)
        {
            throw new IOException($"APP_PORT: expected a port that is free, found {port}: {taken.Message}", taken);
        }
        direct?.Start();
        log.Say($"ready on port {port}");
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        Task work = WorkAsync(service, log, ending.Token);
        try
        {
            // Work ends by a signal, or by a failure.
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            log.Say("stopping");
        }
        finally
        {
            await ending.CancelAsync();
            using var patience = new CancellationTokenSource(_drain);
            await app.StopAsync(patience.Token);
        }
        await work;
    }

    /// <summary>Works until the end; what the store or the sidecar interrupted is begun again, since whoever comes back finds its place by what is stored.</summary>
    private static async Task WorkAsync(RunningService service, ILogger log, CancellationToken stopping)
    {
        while (true)
        {
            try
            {
                if (service.WorkAsync is { } workAsync) await workAsync(stopping);
                await Task.Delay(Timeout.Infinite, stopping);
            }
            catch (IOException interrupted)
            {
                log.Warn($"to be tried again: {interrupted.Message}");
                await Task.Delay(_pause, stopping);
            }
        }
    }

    private static WebApplication MakeApp(IPAddress address, int port, MetricsPage page, Action<IServiceCollection>? configure)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat) = (true, "HH:mm:ss "))
            .AddFilter("Microsoft", LogLevel.Warning).AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(address, port));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = _drain);
        page.AddTo(builder.Services);
        configure?.Invoke(builder.Services);
        return builder.Build();
    }
}
