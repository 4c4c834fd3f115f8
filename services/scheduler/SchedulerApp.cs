using EcoLora.Hosting;
using EcoLora.Telemetry;

namespace EcoLora.Services.Scheduler;

/// <summary>The scheduler as a service of its own. Its journals are in the state store, entry by entry, so a second one changes nothing and may take over.</summary>
public static class SchedulerApp
{
    private static readonly string[] _forPeople = ["runs", "sites", "refusals"];

    /// <summary>Reads the settings.</summary>
    /// <exception cref="SettingException">One of them cannot be used.</exception>
    public static ServiceDefinition Define(ServiceVariables variables)
    {
        var remind = TimeSpan.FromSeconds(variables.Number("ECOLORA_REMIND_SECONDS", 30, 1, 3600));
        ApiAccess access = ApiAccess.FromEnvironment(variables);
        return new ServiceDefinition(AppIds.Scheduler, 5100, OwnsVolume: false, context =>
        {
            var directory = new RunDirectory(context.Store);
            var scheduler = new SchedulerService(
                context.Bus,
                name => new StateJournal(context.Store, name),
                async (name, cancellation) => await directory.FindAsync(name, cancellation) is { } run ? RunApi.HistoryOf(run, context.Bus.Overhead) : null)
            {
                Refused = context.Refused,
            };
            RunMetrics.Observe(Instruments.Meter, () => scheduler.Runs.Values.Select(run => run.Figures()).OfType<RunFigures>());
            SiteApi? sites = context.Trust is { } trust ? new SiteApi(new SiteRegistry(context.Store, trust.Hub.Id, TimeProvider.System), trust.Hub, context.Store, context.Refused) : null;
            return new RunningService(scheduler, async stopping =>
            {
                foreach (SubmittedRun run in await directory.ListAsync(stopping))
                {
                    try
                    {
                        await scheduler.StartAsync(RunApi.HistoryOf(run, context.Bus.Overhead), null, stopping);
                    }
                    catch (FormatException unreadable)
                    {
                        // The others go on.
                        context.Log.Warn($"run {run.Name} is left alone: {unreadable.Message}");
                    }
                }
                await Task.WhenAll(scheduler.RemindAsync(remind, 10 * remind, stopping), scheduler.WatchClockAsync(stopping));
            }, Map: endpoints => sites?.MapServices(endpoints), Api: endpoints =>
            {
                RouteGroupBuilder people = endpoints.MapGroup("").AddEndpointFilter(async (call, next) => access.Refusal(call.HttpContext.Request) ?? await next(call));
                new RunApi(scheduler, directory, context).Map(people);
                new RefusalApi(context).Map(people);
                if (sites is not null) sites.MapPeople(people);
                else people.Map("/sites/{**path}", () => Answers.Conflict("sites: expected messages that are signed, found ECOLORA_SIGNATURES=off; whoever reaches the broker takes part")).ExcludeFromDescription();
                people.MapOpenApi();
                HubPage.Map(endpoints);
            });
        }, services => services.AddOpenApi(options => options.ShouldInclude = endpoint =>
            endpoint.RelativePath is { } path && _forPeople.Any(start => path.StartsWith(start, StringComparison.Ordinal))))
        {
            MetricsAccess = access,
            ReadSiteKeys = (_, store, cancellation) => SiteRegistry.KeysAsync(store, cancellation),
        };
    }
}
