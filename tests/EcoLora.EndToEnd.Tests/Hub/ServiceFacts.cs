using System.Text.RegularExpressions;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;
using EcoLora.Services.Aggregator;
using EcoLora.Services.Codec;
using EcoLora.Services.Scheduler;
using EcoLora.Services.Trainer;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>What the code says of the four services, for files that have to say the same: settings, topics, variables.</summary>
internal static partial class ServiceFacts
{
    /// <summary>The four services.</summary>
    public static IReadOnlyList<string> All { get; } = ["Scheduler", "Aggregator", "Codec", "Trainer"];

    /// <summary>Reads a service's settings.</summary>
    public static Func<ServiceVariables, ServiceDefinition> Define(string service) => service switch
    {
        "Scheduler" => SchedulerApp.Define,
        "Aggregator" => AggregatorApp.Define,
        "Codec" => CodecApp.Define,
        "Trainer" => TrainerApp.Define,
        _ => throw new ArgumentException($"expected one of {string.Join(", ", All)}, found {service}", nameof(service)),
    };

    /// <summary>What a service publishes besides the dead letters of what it hears.</summary>
    public static string[] Says(string service) => service switch
    {
        "Scheduler" => [Topics.Rounds],
        "Aggregator" => [Topics.Global, Topics.Reports],
        "Codec" => [Topics.Segments, Topics.Reports],
        _ => [Topics.Reports],
    };

    /// <summary>The topics that a service subscribes to.</summary>
    public static string[] Hears(string service)
    {
        using var folder = new TemporaryFolder();
        var bus = new ListeningBus();
        Construct(service, bus, new DurableFolder(folder.Path));
        return [.. bus.Topics];
    }

    /// <summary>All topics with their dead letters.</summary>
    public static IReadOnlyList<string> EveryTopic { get; } = [.. Topics.All, .. Topics.All.Select(topic => topic + IMessageBus.DeadLetterSuffix)];

    /// <summary>The variables of ours that a service reads: those of the host, and those that its own settings are made of.</summary>
    public static HashSet<string> VariablesOf(string service)
    {
        var variables = new ServiceVariables(name => name == ApiAccess.Variable ? new string('x', ApiAccess.ShortestToken) : null);
        Define(service)(variables);
        string host = Path.Combine(Repository.Root, "src", "EcoLora.Hosting");
        return [.. variables.Effective.Keys, .. Directory.EnumerateFiles(host, "*.cs", SearchOption.AllDirectories).Where(file => !file.Contains("/obj/", StringComparison.Ordinal))
            .SelectMany(file => QuotedVariable().Matches(File.ReadAllText(file))).Select(match => match.Groups[1].Value)];
    }

    /// <summary>The variables in docs/hub.md's table of settings.</summary>
    public static HashSet<string> DocumentedVariables() =>
        [.. File.ReadLines(Path.Combine(Repository.Root, "docs", "hub.md")).Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .SelectMany(line => NamedVariable().Matches(line.Split('|')[1])).Select(match => match.Groups[1].Value)];

    private static void Construct(string service, IMessageBus bus, DurableFolder folder)
    {
        var store = new FolderStateStore(folder);
        switch (service)
        {
            case "Scheduler":
                new SchedulerService(bus, _ => new FileJournal(folder.FileAt("journal"))).Dispose();
                break;
            case "Aggregator":
                new AggregatorService(bus, store, folder, (_, _, _) => { }).Dispose();
                break;
            default:
                using (var codec = new CodecService(service == "Codec" ? bus : new ListeningBus(), store, folder, new CodecOptions("codec", _ => null)))
                {
                    if (service == "Trainer") Dispose(new TrainerService(bus, store, folder, codec, new TrainerOptions("trainer", _ => null, new SemaphoreSlim(1), _ => { })));
                }
                break;
        }
    }

    private static void Dispose(object service) => (service as IDisposable)?.Dispose();

    [GeneratedRegex("\"(ECOLORA_[A-Z_]+|APP_PORT|APP_ID|OTEL_[A-Z_]+)\"")]
    private static partial Regex QuotedVariable();

    [GeneratedRegex("`([A-Z][A-Z_]+)`")]
    private static partial Regex NamedVariable();

    private sealed class ListeningBus : IMessageBus
    {
        public List<string> Topics { get; } = [];

        public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler) => Topics.Add(topic);

        public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation) =>
            throw new InvalidOperationException($"expected a service that publishes nothing while it is made, found a message on {topic}");
    }
}
