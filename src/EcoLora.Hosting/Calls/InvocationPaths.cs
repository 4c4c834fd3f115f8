using System.Globalization;

namespace EcoLora.Hosting;

/// <summary>Paths of what services ask each other by invocation; docs/architecture.md has the answers.</summary>
public static class InvocationPaths
{
    /// <summary>A codec's copy of Q^version, for a participant that trains from it or, without one, for an evaluation: entries as binary32, little-endian.</summary>
    public static string Published(string run, int version, int? client) =>
        client is { } participant ? Text($"site/runs/{run}/published/{version}/{participant}") : Text($"site/runs/{run}/published/{version}");

    /// <summary>A participant's trained adapter on its way to the site's codec.</summary>
    public static string Update(string run, int round, int client) => Text($"site/runs/{run}/updates/{round}/{client}");

    /// <summary>The frame of a published change at the aggregator.</summary>
    public static string Change(string run, int round) => Text($"runs/{run}/changes/{round}");

    /// <summary>Files of a run's exports at the aggregator.</summary>
    public static string Exports(string run) => Text($"runs/{run}/exports");

    /// <summary>One of them, by its <see cref="ExportedFile.Name"/>.</summary>
    public static string Exports(string run, string file) => Text($"runs/{run}/exports/{file}");

    /// <summary>What a service has not taken in.</summary>
    public const string Refused = "refused";

    private static string Text(FormattableString path) => path.ToString(CultureInfo.InvariantCulture);
}
