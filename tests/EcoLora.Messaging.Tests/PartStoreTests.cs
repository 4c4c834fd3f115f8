namespace EcoLora.Messaging.Tests;

public sealed class PartStoreTests : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("parts-").FullName;
    private readonly TestClock _clock = new();

    [Fact]
    public void A_message_is_complete_whatever_the_order_and_the_repetitions()
    {
        byte[] message = Message(3);
        MessagePart[] parts = Parts(message);
        PartStore store = Open();
        Assert.Equal(PartFate.Stored, store.Add(parts[2]));
        Assert.Equal(PartFate.Stored, store.Add(parts[0]));
        Assert.Equal(PartFate.Stored, store.Add(parts[2]));
        Assert.Equal(PartFate.Complete, store.Add(parts[1]));
        Assert.Equal(message, store.Join(parts[1]));
        Assert.Equal(PartFate.Complete, store.Add(parts[1])); // The handler asked for it again.
        store.Settle(parts[1]);
        Assert.Equal(PartFate.Handled, store.Add(parts[0]));
        Assert.Empty(Directory.GetFiles(_path));
    }

    [Fact]
    public void What_was_acknowledged_survives_the_process()
    {
        byte[] message = Message(4);
        MessagePart[] parts = Parts(message);
        for (int i = 0; i < 3; i++) Assert.Equal(PartFate.Stored, Open().Add(parts[i]));
        PartStore store = Open();
        Assert.Equal(PartFate.Complete, store.Add(parts[3]));
        Assert.Equal(message, store.Join(parts[3]));
    }

    [Fact]
    public void What_stays_incomplete_is_forgotten_and_gives_its_room_back()
    {
        PartStore store = Open(new PartLimits(2 * MessagePart.MaximumSize, TimeSpan.FromMinutes(5)));
        MessagePart[] first = Parts(Message(3)), second = Parts(Message(2, seed: 1));
        Assert.Equal(PartFate.Stored, store.Add(first[0]));
        Assert.Equal(PartFate.Stored, store.Add(first[1]));
        Assert.Equal(PartFate.NoRoom, store.Add(second[0]));
        _clock.Advance(TimeSpan.FromMinutes(4));
        Assert.Equal(PartFate.NoRoom, store.Add(second[0]));
        _clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(PartFate.Stored, store.Add(second[0]));
        Assert.Equal((1, 2), (store.Expired, store.Refused));
        Assert.Single(Directory.GetFiles(_path));
    }

    [Fact]
    public void A_claimed_length_takes_no_memory()
    {
        MessagePart huge = Parts(Message(2))[0] with { Length = MessagePart.MaximumLength };
        PartStore store = Open();
        store.Add(huge);
        long before = GC.GetAllocatedBytesForCurrentThread();
        store.Add(huge);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 * 1024);
    }

    [Fact]
    public void Parts_that_contradict_each_other_are_refused()
    {
        MessagePart[] parts = Parts(Message(3));
        PartStore store = Open();
        store.Add(parts[0]);
        Assert.Equal("message length", Assert.Throws<PartException>(() => store.Add(parts[1] with { Length = parts[1].Length - 1 })).Field);
        Assert.Equal(PartFate.Stored, store.Add(parts[1]));
        Assert.Equal(PartFate.Complete, store.Add(parts[2] with { Piece = new byte[parts[2].Piece.Length] }));
        Assert.Equal("message", Assert.Throws<PartException>(() => store.Join(parts[2])).Field);
        Assert.Empty(Directory.GetFiles(_path));
    }

    public void Dispose() => Directory.Delete(_path, recursive: true);

    private PartStore Open(PartLimits? limits = null) => new(new DurableFolder(_path), limits ?? PartLimits.Default, _clock);

    private static byte[] Message(int parts, int seed = 0)
    {
        byte[] message = new byte[(parts - 1) * MessagePart.PieceSize + 1000];
        for (int i = 0; i < message.Length; i++) message[i] = (byte)(i * 7 + i / 1000 + seed);
        return message;
    }

    private static MessagePart[] Parts(byte[] message) => [.. MessagePart.Cut(message).Select(MessagePart.Read)];
}

/// <summary>A clock that a test moves.</summary>
internal sealed class TestClock : TimeProvider
{
    private TimeSpan _now = TimeSpan.FromDays(1);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _now.Ticks;

    public void Advance(TimeSpan by) => _now += by;
}
