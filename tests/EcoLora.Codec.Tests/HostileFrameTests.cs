using System.Buffers.Binary;
using EcoLora.Numerics;

namespace EcoLora.Codec.Tests;

/// <summary>Bytes from a broker: only a <see cref="FrameException"/> or a valid frame may come of them.</summary>
public class HostileFrameTests
{
    private static readonly LoraLayout _layout = MadeUpVectors.Layout((4, 6, 2), (3, 5, 2));

    public static TheoryData<string> Kinds => ["golomb fp16", "golomb fp32", "all fp16", "empty", "one segment of five"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_changed_byte_is_found_by_the_checksum(string kind)
    {
        byte[] good = MakeFrame(kind);
        for (int at = 0; at < good.Length; at++)
        {
            for (int bit = 0; bit <= 8; bit++)
            {
                byte[] bytes = [.. good];
                bytes[at] ^= bit == 8 ? (byte)0xFF : (byte)(1 << bit);
                Assert.Throws<FrameException>(() => Frame.Read(bytes, _layout));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_changed_byte_under_a_right_checksum_is_refused_or_a_valid_frame(string kind)
    {
        byte[] good = MakeFrame(kind);
        int refused = 0;
        for (int at = 0; at < good.Length - 4; at++)
        {
            for (int flip = 1; flip < 256; flip++)
            {
                byte[] bytes = [.. good];
                bytes[at] ^= (byte)flip;
                if (!IsValid(Sealed(bytes))) refused++;
            }
        }
        Assert.True(refused > 5_000, $"{refused}");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_truncation_is_refused_whatever_the_checksum(string kind)
    {
        byte[] good = MakeFrame(kind);
        for (int length = 0; length < good.Length; length++)
        {
            Assert.Throws<FrameException>(() => Frame.Read(good.AsMemory(0, length), _layout));
            if (length >= 4) Assert.Throws<FrameException>(() => Frame.Read(Sealed([.. good.AsSpan(0, length)]), _layout));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Bytes_after_the_frame_are_refused(string kind)
    {
        byte[] good = MakeFrame(kind);
        for (int more = 1; more <= 20; more++) Assert.Throws<FrameException>(() => Frame.Read(Sealed([.. good, .. new byte[more]]), _layout));
    }

    [Fact]
    public void Many_random_changes_give_a_refusal_or_a_valid_frame()
    {
        var random = new RandomStream(10, "hostile");
        byte[][] good = [.. Kinds.Select(kind => MakeFrame(kind.Data))];
        int mutated = 0;
        while (mutated < 200_000)
        {
            byte[] bytes = [.. good[random.NextInt32(good.Length)]];
            int changes = 1 + random.NextInt32(12);
            for (int i = 0; i < changes; i++)
            {
                // Mostly where the structure is; small, large and extreme numbers.
                int at = random.NextInt32(2) == 0 ? random.NextInt32(bytes.Length - 4) : random.NextInt32(Math.Min(bytes.Length - 4, 66));
                bytes[at] = random.NextInt32(4) switch
                {
                    0 => 0,
                    1 => 0xFF,
                    2 => (byte)random.NextInt32(256),
                    _ => (byte)(bytes[at] ^ 1 << random.NextInt32(8)),
                };
            }
            mutated += changes;
            IsValid(Sealed(bytes));
        }
    }

    [Fact]
    public void Random_bytes_behind_a_right_header_give_a_refusal_or_a_valid_frame()
    {
        var random = new RandomStream(11, "hostile");
        byte[] good = MakeFrame("golomb fp16");
        for (int trial = 0; trial < 20_000; trial++)
        {
            byte[] bytes = [.. good.AsSpan(0, 36), .. new byte[random.NextInt32(80)], 0, 0, 0, 0];
            for (int i = 36; i < bytes.Length; i++) bytes[i] = (byte)random.NextInt32(random.NextInt32(2) == 0 ? 256 : 3);
            IsValid(Sealed(bytes));
        }
    }

    [Theory]
    [InlineData(36 + 5)]
    [InlineData(36 + 9)]
    public void Lengths_of_2_billion_allocate_nothing(int offset)
    {
        byte[] bytes = MakeFrame("golomb fp32");
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(offset), int.MaxValue);
        Sealed(bytes);
        Assert.False(IsValid(bytes));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.False(IsValid(bytes));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024);
    }

    [Theory]
    [InlineData(0, 0x45, 0x36, "magic")]
    [InlineData(4, 1, 2, "version")]
    [InlineData(5, 0, 2, "kind")]
    [InlineData(6, 36, 35, "header length")]
    [InlineData(7, 0, 0xFF, "header length")]
    [InlineData(16, -1, -1, "layout")]
    [InlineData(23, 0, 0x80, "round")]
    [InlineData(27, 0, 0x80, "client")]
    [InlineData(28, 0, 1, "segment")]
    [InlineData(30, 1, 0, "segment")]
    [InlineData(31, 0, 0xFF, "segments")]
    [InlineData(35, 0, 0x80, "base version")]
    [InlineData(36, -1, 0x60, "section A")] // An unknown position mode.
    [InlineData(37, -1, 127, "section A")] // The scale.
    [InlineData(38, 0, 1, "section A")] // Reserved.
    [InlineData(36 + 4, 0, 0xFF, "positions")] // Another M.
    [InlineData(36 + 8, 0, 0x80, "section A")] // K < 0.
    [InlineData(36 + 12, 0, 0x80, "section A")] // L < 0.
    public void A_refusal_names_the_field(int offset, int was, int becomes, string field)
    {
        byte[] bytes = MakeFrame("golomb fp16");
        if (was >= 0) Assert.Equal(was, bytes[offset]);
        bytes[offset] = becomes >= 0 ? (byte)becomes : (byte)(bytes[offset] + 1);
        var exception = Assert.Throws<FrameException>(() => Frame.Read(Sealed(bytes), _layout));
        Assert.Equal(field, exception.Field);
        Assert.StartsWith($"frame: {field}: expected ", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_global_change_comes_from_the_aggregator_in_one_segment()
    {
        byte[] bytes = MakeFrame("golomb fp16");
        bytes[5] = 1;
        Assert.Equal("sender of a global change", Assert.Throws<FrameException>(() => Frame.Read(Sealed(bytes), _layout)).Field);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(24), FrameHeader.Aggregator);
        Assert.Equal(FrameKind.GlobalChange, Frame.Read(Sealed(bytes), _layout).Header.Kind);
    }

    [Theory]
    [InlineData(0x7C00)] // Infinity.
    [InlineData(0x7E00)] // NaN.
    public void A_value_that_is_not_finite_is_refused(int half)
    {
        byte[] bytes = MakeFrame("all fp16");
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(^6), (ushort)half);
        Assert.Equal("value", Assert.Throws<FrameException>(() => Frame.Read(Sealed(bytes), _layout)).Field);
    }

    [Fact]
    public void A_value_that_its_scale_makes_infinite_is_refused()
    {
        byte[] bytes = MakeFrame("all fp16");
        bytes[37] = unchecked((byte)-113);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(36 + 13), 0x7BFF);
        Assert.Equal("value", Assert.Throws<FrameException>(() => Frame.Read(Sealed(bytes), _layout)).Field);
    }

    [Fact]
    public void Sections_of_two_value_modes_are_refused()
    {
        byte[] half = MakeFrame("all fp16"), single = FrameEncoder.Encode(
            MadeUpVectors.Segment(_layout), _layout, Change(36), new Compression(1, 1, ValueMode.Fp32), new float[36], new float[36]);
        byte[] mixed = [.. half.AsSpan(0, 36 + 13 + 22 * 2), .. single.AsSpan(36 + 13 + 22 * 4)];
        Assert.Equal("value mode", Assert.Throws<FrameException>(() => Frame.Read(Sealed(mixed), _layout)).Field);
    }

    [Fact]
    public void Fields_that_this_reader_does_not_know_are_skipped()
    {
        byte[] good = MakeFrame("golomb fp16");
        byte[] bytes = [.. good.AsSpan(0, 36), 1, 2, 3, 4, 5, .. good.AsSpan(36)];
        bytes[6] = 41;
        float[] expected = new float[36], found = new float[36];
        Frame.Read(good, _layout).Decode(expected);
        Frame.Read(Sealed(bytes), _layout).Decode(found);
        Assert.Equal(expected, found);
    }

    [Fact]
    public void The_identity_is_read_without_a_layout_but_not_without_a_checksum()
    {
        byte[] bytes = MakeFrame("golomb fp16");
        Assert.Equal(MadeUpVectors.Segment(_layout), Frame.ReadHeader(bytes));
        bytes[50] ^= 1;
        Assert.Equal("checksum", Assert.Throws<FrameException>(() => Frame.ReadHeader(bytes)).Field);
    }

    private static float[] Change(int count) => MadeUpVectors.Values(new RandomStream(12, "hostile"), count, 3);

    private static byte[] MakeFrame(string kind)
    {
        (Compression compression, int segments) = kind switch
        {
            "golomb fp16" => (new Compression(0.3, 0.4, ValueMode.Fp16), 1),
            "golomb fp32" => (new Compression(0.3, 0.4, ValueMode.Fp32), 1),
            "all fp16" => (new Compression(1, 1, ValueMode.Fp16), 1),
            "empty" => (new Compression(0.1, 0.1, ValueMode.Fp16), 1),
            _ => (new Compression(0.6, 0.5, ValueMode.Fp16), 5),
        };
        FrameHeader header = MadeUpVectors.Segment(_layout, segments / 2, segments);
        int length = header.Range(_layout.Length).Length;
        float[] change = kind == "empty" ? new float[length] : Change(length);
        return FrameEncoder.Encode(header, _layout, change, compression, new float[length], new float[length]);
    }

    /// <summary>The same bytes with the checksum that belongs to them, so that what is behind it is reached.</summary>
    private static byte[] Sealed(byte[] bytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(^4), Crc32C.Of(bytes.AsSpan(..^4)));
        return bytes;
    }

    /// <summary>Reads the frame and uses all of it; anything but a <see cref="FrameException"/> fails the test.</summary>
    private static bool IsValid(byte[] bytes)
    {
        try
        {
            var frame = Frame.Read(bytes, _layout);
            float[] decoded = new float[frame.Range.Length];
            frame.Decode(decoded);
            frame.Accumulate(0.5, new double[frame.Range.Length]);
            Assert.All(decoded, value => Assert.True(float.IsFinite(value)));
            Assert.InRange(frame.Sizes.KeptA + frame.Sizes.KeptB, 0, frame.Range.Length);
            return true;
        }
        catch (FrameException)
        {
            return false;
        }
    }
}
