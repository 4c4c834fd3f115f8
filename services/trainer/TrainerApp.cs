using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Telemetry;

namespace EcoLora.Services.Trainer;

/// <summary>The trainer as a service of its own.</summary>
public static class TrainerApp
{
    /// <summary>Reads the settings.</summary>
    /// <exception cref="SettingException">One of them cannot be used.</exception>
    public static ServiceDefinition Define(ServiceVariables variables)
    {
        string site = variables.Name("ECOLORA_SITE", AppIds.DefaultSite);
        int number = variables.Number("ECOLORA_TRAINER", 0, 0, 999), threads = variables.Number("ECOLORA_THREADS", Environment.ProcessorCount, 1, 1024);
        Func<int, bool> hosts = ClientSet.Parse("ECOLORA_CLIENTS", variables.Text("ECOLORA_CLIENTS", ClientSet.All));
        bool evaluates = variables.Choice("ECOLORA_EVALUATES", "yes", "no") == "yes";
        bool recomputes = variables.Choice("ECOLORA_RECOMPUTE", "no", "yes") == "yes";
        string device = variables.Choice("ECOLORA_TORCH_DEVICE", [.. EngineOptions.Devices]);
        var lease = TimeSpan.FromSeconds(variables.Number("ECOLORA_PRESENCE_SECONDS", 30, 1, 3600));
        var inputs = new RunInputs(variables.Places("ECOLORA_MODELS"), variables.Places("ECOLORA_DATA"), hosts, threads, recomputes, device);
        string id = AppIds.Trainer(site, number);
        return new ServiceDefinition(id, 5110, OwnsVolume: true, context =>
        {
            var options = new TrainerOptions(
                id,
                plan => plan.SiteOf(site) is { } place && plan.Places![place].Trainers.Contains(number)
                    ? new TrainerPart(place, plan.Evaluator == id, client => hosts(client) && plan.FindEnrolment(client)?.Site == place, () => inputs.EngineOf(plan))
                    : null,
                new SemaphoreSlim(threads),
                exception => context.Log.Warn($"a job ended without a report, until the scheduler asks again: {exception.Message}"),
                new TrainerPresence(site, number, lease),
                announced => Enrol(announced, context.Log));
            var trainer = new TrainerService(context.Bus, context.Store, context.Volume, new InvokedSiteCodec(context.Invoker, AppIds.Codec(site)), options)
            {
                Refused = context.Refused,
            };
            Instruments.Meter.CreateObservableGauge("ecolora.jobs", () => trainer.Jobs, "{job}", "Participations and evaluations that are under way or wait for a thread.");
            return new RunningService(trainer, async stopping =>
            {
                await trainer.ResumeAsync(stopping);
                await trainer.SayPresentAsync(stopping);
            });
        })
        {
            Site = site,
        };

        ReportMessage Enrol(RunAnnounced announced, ILogger log)
        {
            // The log has all of it; the hub hears nothing of files, of what is in them, or of what else is here.
            string why, toHub = "its model or data cannot be used; its log says why";
            try
            {
                RunInput input = inputs.Load(announced.Run, announced.Options);
                EnrolledClient[] clients = [.. input.Data.Clients.Select((records, client) => new EnrolledClient(client, records.Count, input.RankOf(client))).Where(client => hosts(client.Client))];
                if (clients.Length > 0) return new TrainerEnrolled(announced.Run, site, number, clients, input.Modules, evaluates);
                why = toHub = $"the run has {input.Data.Clients.Count} clients, none of them here";
            }
            catch (UnknownNameException unknown)
            {
                (why, toHub) = (unknown.Message, unknown.WithoutKnown);
            }
            catch (Exception refused) when (refused is FormatException or OptionsException or ArgumentException or IOException)
            {
                why = refused.Message;
            }
            log.Warn($"run {announced.Run}: no part: {why}");
            return new TrainerDeclined(announced.Run, site, number, toHub);
        }
    }
}
