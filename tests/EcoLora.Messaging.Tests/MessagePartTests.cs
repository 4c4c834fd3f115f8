using System.Buffers.Binary;

namespace EcoLora.Messaging.Tests;

public class MessagePartTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(MessagePart.WholeSize)]
    public void What_a_broker_takes_travels_as_it_is(int size)
    {
        byte[] message = Message(size);
        Assert.Equal(message, Assert.Single(MessagePart.Cut(message)).ToArray());
    }

    [Theory]
    [InlineData(MessagePart.WholeSize + 1, 2)]
    [InlineData(2 * MessagePart.PieceSize, 2)]
    [InlineData(2 * MessagePart.PieceSize + 1, 3)]
    public void What_is_larger_travels_in_parts_that_a_broker_takes(int size, int count)
    {
        byte[] message = Message(size);
        MessagePart[] parts = [.. MessagePart.Cut(message).Select(Read)];
        Assert.Equal(Enumerable.Range(0, count), parts.Select(part => part.Number));
        Assert.All(parts, part => Assert.Equal((MessagePart.IdentityOf(message), size, count), (part.Message, part.Length, part.Count)));
        Assert.Equal(message, parts.SelectMany(part => part.Piece.ToArray()));

        static MessagePart Read(ReadOnlyMemory<byte> bytes)
        {
            Assert.InRange(bytes.Length, MessagePart.HeaderSize + 1, MessagePart.WholeSize);
            return MessagePart.Read(bytes);
        }
    }

    [Fact]
    public void A_part_has_the_pinned_bytes()
    {
        // A message that looks like a part is never sent as it is. Its identity is what sha256sum says.
        byte[] bytes = Assert.Single(MessagePart.Cut("ECLP"u8.ToArray())).ToArray();
        Assert.Equal("45434C5001000000" + PinnedIdentity + "0400000000000000" + "45434C50", Convert.ToHexString(bytes));
        Assert.Equal("ECLP"u8.ToArray(), MessagePart.Read(bytes).Piece.ToArray());
    }

    [Theory]
    [InlineData(0, 0x46, "magic")]
    [InlineData(4, 2, "version")]
    [InlineData(6, 1, "reserved bytes")]
    [InlineData(27, 0x41, "message length")]
    [InlineData(24, 0, "message length")]
    [InlineData(28, 1, "offset")]
    [InlineData(24, 5, "piece")]
    public void A_refusal_names_the_field(int at, byte value, string field)
    {
        byte[] bytes = Assert.Single(MessagePart.Cut("ECLP"u8.ToArray())).ToArray();
        bytes[at] = value;
        Assert.Equal(field, Assert.Throws<PartException>(() => MessagePart.Read(bytes)).Field);
    }

    [Fact]
    public void Cut_off_and_prolonged_parts_are_refused()
    {
        byte[] bytes = Assert.Single(MessagePart.Cut("ECLP"u8.ToArray())).ToArray();
        for (int length = 0; length < bytes.Length; length++) Assert.Throws<PartException>(() => MessagePart.Read(bytes.AsMemory(0, length)));
        Assert.Throws<PartException>(() => MessagePart.Read((byte[])[.. bytes, 0]));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(28), MessagePart.PieceSize);
        Assert.Throws<PartException>(() => MessagePart.Read(bytes));
    }

    private const string PinnedIdentity = "0145197F40B3C6626067841B87C4F6DE";

    private static byte[] Message(int size) => [.. Enumerable.Range(0, size).Select(i => (byte)(i * 31 + i / 256))];
}
