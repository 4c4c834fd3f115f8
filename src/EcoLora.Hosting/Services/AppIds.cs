using EcoLora.Federation;

namespace EcoLora.Hosting;

/// <summary>App ids of the services: each is a consumer group of its own, so that every place hears every broadcast.</summary>
public static class AppIds
{
    /// <summary>The scheduler.</summary>
    public const string Scheduler = "scheduler";

    /// <summary>The aggregator.</summary>
    public const string Aggregator = "aggregator";

    /// <summary>The site of codecs and trainers that are not told theirs.</summary>
    public const string DefaultSite = "local";

    /// <summary>A site's codec.</summary>
    public static string Codec(string site) => $"codec-{site}";

    /// <summary>A site's trainer.</summary>
    public static string Trainer(string site, int number) => RosterState.TrainerName(site, number);
}
