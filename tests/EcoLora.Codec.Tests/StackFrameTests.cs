using System.Buffers.Binary;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Codec.Tests;

/// <summary>The stack's pinned bytes, which tools/golden/stack_frame.py writes from FORMAT.md, and what may come of others.</summary>
public class StackFrameTests
{
    private const int IndexAt = 40;

    private static readonly string _folder = Path.Combine(Repository.Root, "tests", "EcoLora.Codec.Tests", "Golden");

    private static readonly LoraLayout _layout = MadeUpVectors.Layout((4, 6, 2));

    private static readonly byte[] _pinned = File.ReadAllBytes(Path.Combine(_folder, "stack.bin"));

    private static FrameHeader Header => new(FrameKind.Stack, FrameHeader.KeyOf("golden"), 3, FrameHeader.Aggregator, 0, 1, 3, (uint)_layout.CutAtModules().Fingerprint);

    [Fact]
    public void A_stack_is_written_with_the_pinned_bytes_and_read_as_what_was_stacked()
    {
        byte[] frame = File.ReadAllBytes(Path.Combine(_folder, "tiny-fp16.frame"));
        var stack = StackFrame.Open(_pinned);
        Assert.Equal(Header, stack.Header);
        Assert.Equal([(7, 300), (2, 5)], stack.Entries.Select(entry => (entry.Client, entry.Samples)));
        Assert.Equal(frame, stack.Entries[0].Frame.ToArray());
        Assert.Equal(2, Frame.Open(stack.Entries[1].Frame, _layout).Header.Client);
        Assert.Equal(_pinned, StackFrame.Write(Header, stack.Entries));
        Assert.Equal(Header, Frame.ReadHeader(_pinned));
    }

    [Fact]
    public void A_round_of_which_nothing_was_accepted_is_an_empty_stack()
    {
        byte[] empty = StackFrame.Write(Header, []);
        Assert.Equal(IndexAt + 1 + 4, empty.Length);
        Assert.Empty(StackFrame.Open(empty).Entries);
    }

    [Fact]
    public void Every_changed_byte_and_every_truncation_is_refused()
    {
        for (int at = 0; at < _pinned.Length; at++)
        {
            for (int bit = 0; bit <= 8; bit++)
            {
                byte[] bytes = [.. _pinned];
                bytes[at] ^= bit == 8 ? (byte)0xFF : (byte)(1 << bit);
                Assert.Throws<FrameException>(() => StackFrame.Open(bytes));
                Assert.Throws<FrameException>(() => Frame.ReadHeader(bytes));
            }
            Assert.Throws<FrameException>(() => StackFrame.Open(_pinned.AsMemory(0, at)));
        }
        Assert.Throws<FrameException>(() => StackFrame.Open((byte[])[.. _pinned, 0]));
    }

    [Fact]
    public void Every_changed_byte_of_the_index_under_a_right_checksum_is_refused_or_only_another_weight()
    {
        for (int at = IndexAt; at < IndexAt + 14; at++)
        {
            for (int flip = 1; flip < 256; flip++)
            {
                byte[] bytes = [.. _pinned];
                bytes[at] ^= (byte)flip;
                try
                {
                    Assert.Equal([7, 2], StackFrame.Open(Sealed(bytes)).Entries.Select(entry => entry.Client));
                    Assert.True(at is 42 or 43 or 49, $"{at}");
                }
                catch (FrameException)
                {
                }
            }
        }
    }

    [Theory]
    [InlineData(40, 0xFF, "frames")] // More frames than bytes.
    [InlineData(41, 3, "client")]
    [InlineData(48, 7, "client")] // Client 7 twice.
    [InlineData(49, 0, "samples")]
    [InlineData(44, 0xFF, "length")]
    [InlineData(47, 0x7F, "length")] // A length of 2 GiB allocates nothing.
    [InlineData(8, 1, "run")]
    [InlineData(20, 4, "round")]
    [InlineData(32, 2, "base version")]
    [InlineData(24, 0, "sender of a global change")]
    [InlineData(5, 1, "kind")]
    public void A_refusal_names_the_field(int offset, byte becomes, string field)
    {
        byte[] bytes = [.. _pinned];
        bytes[offset] = becomes;
        Assert.Equal(field, Assert.Throws<FrameException>(() => StackFrame.Open(Sealed(bytes))).Field);
    }

    [Fact]
    public void A_stack_is_no_frame_and_holds_none_but_segments()
    {
        Assert.Equal("kind", Assert.Throws<FrameException>(() => Frame.Open(_pinned, _layout)).Field);
        byte[] nested = StackFrame.Write(Header, [new StackEntry(1, 1, _pinned)]);
        Assert.Equal("kind", Assert.Throws<FrameException>(() => StackFrame.Open(nested)).Field);
    }

    [Fact]
    public void Segments_of_whole_modules_are_cut_between_them()
    {
        // Entries: 6·2 + 4·2 = 20, 5·3 + 2·3 = 21, 1·1 + 3·1 = 4.
        LoraLayout whole = MadeUpVectors.Layout((4, 6, 2), (2, 5, 3), (3, 1, 1)), layout = whole.CutAtModules();
        Assert.Equal(3, layout.MostSegments);
        Assert.Equal([new SegmentRange(0, 20), new SegmentRange(20, 45)], Enumerable.Range(0, 2).Select(s => layout.Range(s, 2)));
        Assert.Equal([new SegmentRange(0, 22), new SegmentRange(22, 45)], Enumerable.Range(0, 2).Select(s => whole.Range(s, 2)));
        Assert.NotEqual(whole.Fingerprint, layout.Fingerprint);
        Assert.Throws<ArgumentOutOfRangeException>(() => layout.Range(0, 4));
        byte[] frame = FrameEncoder.Encode(MadeUpVectors.Segment(layout, 1, 2), layout, new float[25], new Compression(1, 1, ValueMode.Fp32));
        Assert.Equal("layout", Assert.Throws<FrameException>(() => Frame.Open(frame, whole)).Field);
        frame = FrameEncoder.Encode(MadeUpVectors.Segment(whole, 1, 4), whole, new float[whole.Range(1, 4).Length], new Compression(1, 1, ValueMode.Fp32));
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(16), (uint)layout.Fingerprint);
        Assert.Equal("segments", Assert.Throws<FrameException>(() => Frame.Open(Sealed(frame), layout)).Field);
    }

    [Fact]
    public void A_fresh_adapter_is_one_of_its_round_and_client_and_begins_with_no_change()
    {
        LoraLayout layout = MadeUpVectors.Layout((4, 6, 2), (4, 6, 2));
        float[] fresh = LoraInitialization.Fresh(layout, 1, 2, 3);
        Assert.Equal(fresh, LoraInitialization.Fresh(layout, 1, 2, 3));
        Assert.All(layout.Tensors.Where(tensor => tensor.Role == LoraRole.B), tensor => Assert.All(tensor.In(fresh).ToArray(), value => Assert.Equal(0, value)));
        Assert.All(fresh, value => Assert.InRange(Math.Abs(value), 0, 1 / Math.Sqrt(6)));
        float[][] others = [LoraInitialization.Fresh(layout, 2, 2, 3), LoraInitialization.Fresh(layout, 1, 3, 3), LoraInitialization.Fresh(layout, 1, 2, 4), LoraInitialization.Create(layout, 1)];
        Assert.All(others, other => Assert.NotEqual(fresh[..12], other[..12]));
        Assert.NotEqual(fresh[..12], fresh[20..32]);
    }

    /// <summary>With the head's checksum as it should be.</summary>
    private static byte[] Sealed(byte[] bytes)
    {
        int end = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(6)) + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(36));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(end), Crc32C.Of(bytes.AsSpan(0, end)));
        return bytes;
    }
}
