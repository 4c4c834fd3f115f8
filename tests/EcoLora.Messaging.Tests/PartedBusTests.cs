using EcoLora.TestKit;

namespace EcoLora.Messaging.Tests;

/// <summary>Large messages in parts, over a bus that delivers when it is told; and as every bus, over signatures.</summary>
public sealed class PartedBusTests : InProcessConformance
{
    private static readonly SigningKey _hub = SigningKey.Create(), _north = SigningKey.Create(), _south = SigningKey.Create();
    private static readonly byte[] _message = [.. Enumerable.Range(0, 2 * MessagePart.PieceSize + 9).Select(i => (byte)(i / 3))];

    private readonly string _path = Directory.CreateTempSubdirectory("parted-bus-").FullName;

    protected override IMessageBus MakeBus() => new PartedBus(Signed(InProcess, _north), Store());

    protected override async Task EndAsync()
    {
        await base.EndAsync();
        Directory.Delete(_path, recursive: true);
    }

    [Fact]
    public async Task Nothing_on_the_broker_is_larger_than_it_takes_with_its_signature()
    {
        var inner = new HandBus();
        using var bus = new PartedBus(Signed(inner, _north), Store());
        await bus.PublishAsync("global", "run", new byte[MessagePart.WholeSize], Cancellation);
        Assert.Equal(MessagePart.MaximumSize, Assert.Single(inner.Published).Payload.Length);
        await bus.PublishAsync("global", "run", new byte[MessagePart.WholeSize + 1], Cancellation);
        Assert.Equal([MessagePart.MaximumSize, MessagePart.MaximumSize, SignedMessage.HeaderSize + MessagePart.HeaderSize + 1 + MessagePart.HeaderSize], inner.Published.Select(message => message.Payload.Length));
    }

    [Fact]
    public async Task Parts_reach_the_handler_once_and_together()
    {
        var inner = new HandBus();
        using var bus = new PartedBus(inner, Store());
        var verdicts = new Queue<Verdict>([Verdict.Retry, Verdict.Success]);
        int calls = 0;
        bus.Subscribe("global", "codec", (found, _) =>
        {
            calls++;
            Assert.Equal(_message, found.Payload.ToArray());
            return Task.FromResult(verdicts.Dequeue());
        });
        byte[][] parts = [.. MessagePart.Cut(_message).Select(part => part.ToArray())];
        Assert.Equal(Verdict.Success, await inner.DeliverAsync("global", parts[1]));
        Assert.Equal(Verdict.Success, await inner.DeliverAsync("global", parts[2]));
        Assert.Equal(Verdict.Retry, await inner.DeliverAsync("global", parts[0]));
        Assert.Equal(Verdict.Success, await inner.DeliverAsync("global", parts[0]));
        Assert.Equal(Verdict.Success, await inner.DeliverAsync("global", parts[2]));
        Assert.Equal(2, calls);
        Assert.Equal(Verdict.Drop, await inner.DeliverAsync("global", "ECLP and no more"u8.ToArray()));
        Assert.Equal(1, bus.Refused["part: length"]);
    }

    [Fact]
    public async Task A_dropped_message_has_all_of_its_parts_among_the_dead_letters()
    {
        var inner = new HandBus();
        using var bus = new PartedBus(inner, Store());
        bus.Subscribe("global", "codec", (_, _) => Task.FromResult(Verdict.Drop));
        byte[][] parts = [.. MessagePart.Cut(_message).Select(part => part.ToArray())];
        foreach (byte[] part in parts[..2]) Assert.Equal(Verdict.Success, await inner.DeliverAsync("global", part));
        Assert.Equal(Verdict.Drop, await inner.DeliverAsync("global", parts[2]));
        Assert.All(inner.Published, message => Assert.Equal("global.dead", message.Topic));
        Assert.Equal(parts[..2], inner.Published.Select(message => message.Payload.ToArray())); // The third one is the bus's to move.
    }

    [Fact]
    public async Task A_flood_of_parts_fills_its_senders_half_and_others_go_on()
    {
        var inner = new HandBus();
        using var bus = new PartedBus(Signed(inner, _hub), Store(new PartLimits(8 * MessagePart.MaximumSize, TimeSpan.FromHours(1))));
        var heard = new List<Signer?>();
        bus.Subscribe("segments", "aggregator", (message, _) =>
        {
            heard.Add(message.Signer);
            return Task.FromResult(message.Payload.Span.SequenceEqual(_message) ? Verdict.Success : Verdict.Drop);
        });
        byte[][] parts = [.. MessagePart.Cut(_message).Select(part => part.ToArray())];
        // South begins messages that it never ends, and one of them is north's, with other bytes.
        byte[] fake = [.. parts[0]];
        fake[^1] ^= 1;
        Verdict[] verdicts = new Verdict[10];
        for (int i = 0; i < verdicts.Length; i++)
        {
            byte[] part = i == 0 ? fake : MessagePart.Cut(new byte[MessagePart.WholeSize + 1 + i]).First().ToArray();
            verdicts[i] = await inner.DeliverAsync("segments", SignedMessage.Write("segments", part, _south, _hub.Public.Id));
        }
        Assert.Equal([.. Enumerable.Repeat(Verdict.Success, 4), .. Enumerable.Repeat(Verdict.Retry, 6)], verdicts);
        Assert.Equal(6, bus.Refused["part: no room"]);
        // Nobody knows who this is: not one of its parts is kept.
        using var stranger = SigningKey.Create();
        Assert.Equal(Verdict.Drop, await inner.DeliverAsync("segments", SignedMessage.Write("segments", parts[0], stranger, _hub.Public.Id)));
        Assert.Equal(Verdict.Drop, await inner.DeliverAsync("segments", parts[0]));
        foreach (byte[] part in parts) Assert.Equal(Verdict.Success, await inner.DeliverAsync("segments", SignedMessage.Write("segments", part, _north, _hub.Public.Id)));
        Assert.Equal([new Signer("north")], heard);
    }

    private PartStore Store(PartLimits? limits = null) => new(new DurableFolder(_path), limits ?? PartLimits.Default, TimeProvider.System);

    private static SignedBus Signed(IMessageBus inner, SigningKey key) => new(inner, new BusTrust(key, _hub.Public, (id, _) => ValueTask.FromResult(
        id == _hub.Public.Id ? new KnownKey(_hub.Public, Signer.Hub)
        : id == _north.Public.Id ? new KnownKey(_north.Public, new Signer("north"))
        : id == _south.Public.Id ? new KnownKey(_south.Public, new Signer("south"))
        : null)));
}
