using System.Net;
using EcoLora.Hosting;

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
                    context.Sidecar, AppIds.Aggregator, InvocationPaths.Change(run, round), cancellation, HttpStatusCode.NoContent);
                return code == HttpStatusCode.OK ? change : null;
            });
            var codec = new CodecService(context.Bus, context.Store, context.Volume, options);
            return new RunningService(codec, () => codec.Refused, Map: new SiteApi(codec).Map);
        });
    }
}
