using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Services.Codec;
using EcoLora.TestKit;

namespace EcoLora.Services.Tests;

public sealed class CodecServiceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a", Verdict.Success, 1)]
    [InlineData("elsewhere", Verdict.Success, 0)] // Not to be delivered again and again.
    public async Task A_change_is_applied_at_the_sites_of_its_run_and_done_with_at_others(string name, Verdict verdict, int reports)
    {
        var bus = new HandBus();
        var folder = new DurableFolder(_folder.Path);
        using var codec = new CodecService(bus, new FolderStateStore(folder.Folder("state")), folder.Folder("volume"), new CodecOptions("codec", plan => plan.SiteOf(name)));
        Assert.Equal(Verdict.Retry, await bus.DeliverAsync(Topics.Global, MadeUpSite.Change()));
        Assert.Equal(Verdict.Success, await bus.DeliverAsync(Topics.Rounds, ProtocolJson.Write(MadeUpSite.Opened)));
        Assert.Equal(verdict, await bus.DeliverAsync(Topics.Global, MadeUpSite.Change()));
        Assert.Equal(reports, bus.Published.Count);
        if (reports > 0) Assert.Equal(MadeUpSite.Next(), (await codec.GetPublishedAsync("run-1", 1, null, Cancellation)).ToArray());
    }

    /// <summary>A bus that delivers when it is told, and shows the verdict.</summary>
    private sealed class HandBus : IMessageBus
    {
        private readonly Dictionary<string, Func<BusMessage, CancellationToken, Task<Verdict>>> _handlers = [];

        public List<BusMessage> Published { get; } = [];

        public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
        {
            Published.Add(new BusMessage(topic, key, payload));
            return Task.CompletedTask;
        }

        public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler) => _handlers.Add(topic, handler);

        public Task<Verdict> DeliverAsync(string topic, byte[] payload) => _handlers[topic](new BusMessage(topic, "key", payload), Cancellation);
    }
}
