using EcoLora.Messaging.Tests;
using EcoLora.TestKit;

// They wait for groups more than they compute.
[assembly: CollectionBehavior(MaxParallelThreads = 6)]

namespace EcoLora.Messaging.Kafka.Tests;

/// <summary>Kafka by itself does what every bus does, up to 900 KiB.</summary>
public sealed class KafkaBusConformanceTests
{
    private static readonly ConcurrentSuite _suite = new(() => new Suite());

    public static TheoryData<string> Cases => ConcurrentSuite.Names;

    [Theory]
    [MemberData(nameof(Cases))]
    public Task Conforms(string name) => _suite.EndOf(name);

    private sealed class Suite : KafkaConformance
    {
        protected override int LargestMessage => MessagePart.MaximumSize;

        protected override (KafkaBus Kafka, IMessageBus Bus) Around(KafkaBus kafka, string group) => (kafka, kafka);
    }
}

/// <summary>With signatures and in parts, as services use it, for messages of any size.</summary>
public sealed class SignedPartsOverKafkaConformanceTests
{
    private static readonly ConcurrentSuite _suite = new(() => new Suite());

    public static TheoryData<string> Cases => ConcurrentSuite.Names;

    [Theory]
    [MemberData(nameof(Cases))]
    public Task Conforms(string name) => _suite.EndOf(name);

    private sealed class Suite : KafkaConformance
    {
        private readonly TemporaryFolder _folder = new();

        protected override (KafkaBus Kafka, IMessageBus Bus) Around(KafkaBus kafka, string group) => (kafka, Site.Around(kafka, _folder[group]));

        protected override async Task EndAsync()
        {
            await base.EndAsync();
            _folder.Dispose();
        }
    }
}

/// <summary>The buses that a service of a site has around Kafka.</summary>
internal static class Site
{
    private static readonly SigningKey _key = SigningKey.Create();
    private static readonly BusTrust _trust = new(_key, _key.Public, (id, _) => ValueTask.FromResult(id == _key.Public.Id ? new KnownKey(_key.Public, new Signer("north")) : null));

    /// <param name="kafka">Carries the messages.</param>
    /// <param name="folder">Where parts wait for the others.</param>
    public static PartedBus Around(KafkaBus kafka, string folder) => new(new SignedBus(kafka, _trust), new PartStore(new DurableFolder(folder), PartLimits.Default, TimeProvider.System));
}
