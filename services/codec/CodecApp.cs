using System.Net;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;
using EcoLora.Telemetry;

namespace EcoLora.Services.Codec;

/// <summary>The codec as a service of its own.</summary>
public static class CodecApp
{
    /// <summary>Reads the settings.</summary>
    /// <exception cref="SettingException">One of them cannot be used.</exception>
    public static ServiceDefinition Define(ServiceVariables variables)
    {
        string site = variables.Name("ECOLORA_SITE", AppIds.DefaultSite), id = AppIds.Codec(site);
        return new ServiceDefinition(id, 5102, OwnsVolume: true, context =>
        {
            var options = new CodecOptions(id, plan => plan.SiteOf(site), null, async (run, round, cancellation) =>
            {
                (HttpStatusCode code, byte[] change) = await ChunkedContent.ReadAsync(
                    context.Invoker, AppIds.Aggregator, InvocationPaths.Change(run, round), cancellation, HttpStatusCode.NoContent);
                if (code != HttpStatusCode.OK) return null;
                if (context.Trust is not { } trust) return change;
                bool isHubs = SignedMessage.KeyOf(change) == trust.Hub.Id && SignedMessage.IsGenuine(Topics.Global, change, trust.Hub, trust.Hub.Id);
                return isHubs ? change[SignedMessage.HeaderSize..] : throw new IOException($"run {run}: expected the change of round {round} with the hub's signature, found another");
            });
            var codec = new CodecService(context.Bus, context.Store, context.Volume, options)
            {
                Refused = context.Refused,
            };
            Instruments.Meter.CreateObservableGauge("ecolora.outbox.depth", () => codec.Unsettled, "{frame}", "Frames whose fate no closing message has told yet.");
            return new RunningService(codec, Map: new SiteApi(codec).Map);
        })
        {
            Site = site,
        };
    }
}
