using System.Buffers.Binary;
using System.Runtime.InteropServices;
using EcoLora.Numerics;

namespace EcoLora.Codec.Tests;

/// <summary>Bytes from a broker: only a <see cref="FrameException"/> or a valid frame may come of them.</summary>
public class HostileFrameTests
{
    private static readonly LoraLayout _layout = MadeUpVectors.Layout((4, 6, 2), (3, 5, 2));

    public static TheoryData<string> Kinds =>
        ["golomb fp16", "golomb fp32", "all fp16", "entropy fp16", "entropy fp32", "int8", "int4", "sign", "bf16", "empty", "one segment of five"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_changed_byte_is_found_by_a_checksum(string kind)
    {
        byte[] good = MakeFrame(kind);
        for (int at = 0; at < good.Length; at++)
        {
            for (int bit = 0; bit <= 8; bit++)
            {
                byte[] bytes = [.. good];
                bytes[at] ^= bit == 8 ? (byte)0xFF : (byte)(1 << bit);
                Assert.Throws<FrameException>(() => Frame.Open(bytes, _layout).Measure());
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_changed_byte_under_right_checksums_is_refused_or_a_valid_frame_with_one_verdict_from_every_path(string kind)
    {
        byte[] good = MakeFrame(kind);
        int refused = 0;
        for (int at = 0; at < good.Length; at++)
        {
            for (int flip = 1; flip < 256; flip += good.Length > 200 ? 5 : 1)
            {
                byte[] bytes = [.. good];
                bytes[at] ^= (byte)flip;
                if (!IsValid(Sealed(bytes))) refused++;
            }
        }
        Assert.True(refused > 4_000, $"{refused}");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_truncation_is_refused_whatever_the_checksum(string kind)
    {
        byte[] good = MakeFrame(kind);
        for (int length = 0; length < good.Length; length++)
        {
            Assert.Throws<FrameException>(() => Frame.ReadHeader(good.AsSpan(0, length)));
            Assert.Throws<FrameException>(() => Frame.Open(good.AsMemory(0, length), _layout));
            Assert.Throws<FrameException>(() => Frame.Open(Sealed([.. good.AsSpan(0, length)]), _layout));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Bytes_after_the_frame_are_refused(string kind)
    {
        byte[] good = MakeFrame(kind);
        for (int more = 1; more <= 20; more++) Assert.Throws<FrameException>(() => Frame.Open(Sealed([.. good, .. new byte[more]]), _layout));
    }

    [Fact]
    public void Many_random_changes_give_a_refusal_or_a_valid_frame_with_one_verdict_from_every_path()
    {
        var random = new RandomStream(10, "hostile");
        byte[][] good = [.. Kinds.Select(kind => MakeFrame(kind.Data))];
        int mutated = 0, accepted = 0;
        while (mutated < 200_000)
        {
            byte[] bytes = [.. good[random.NextInt32(good.Length)]];
            int changes = 1 + random.NextInt32(8);
            for (int i = 0; i < changes; i++)
            {
                // Mostly where the structure is; small, large and extreme numbers.
                int at = random.NextInt32(2) == 0 ? random.NextInt32(bytes.Length) : random.NextInt32(Math.Min(bytes.Length, 110));
                bytes[at] = random.NextInt32(4) switch
                {
                    0 => 0,
                    1 => 0xFF,
                    2 => (byte)random.NextInt32(256),
                    _ => (byte)(bytes[at] ^ 1 << random.NextInt32(8)),
                };
            }
            mutated += changes;
            if (IsValid(Sealed(bytes))) accepted++;
        }
        Assert.True(accepted > 500, $"{accepted} accepted");
    }

    [Fact]
    public void Random_bytes_behind_a_right_header_give_a_refusal_or_a_valid_frame()
    {
        var random = new RandomStream(11, "hostile");
        byte[] good = MakeFrame("golomb fp16");
        for (int trial = 0; trial < 20_000; trial++)
        {
            byte[] bytes = [.. good.AsSpan(0, 40), .. new byte[random.NextInt32(120)], 0, 0, 0, 0];
            for (int i = 40; i < bytes.Length; i++) bytes[i] = (byte)random.NextInt32(random.NextInt32(2) == 0 ? 256 : 3);
            bytes[36] = (byte)random.NextInt32(24);
            IsValid(Sealed(bytes));
        }
    }

    [Theory]
    [InlineData(36)] // The parameter length.
    [InlineData(42)] // The first chunk's length.
    public void Lengths_of_4_billion_allocate_nothing(int offset)
    {
        byte[] bytes = MakeFrame("golomb fp32");
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(offset), uint.MaxValue);
        Sealed(bytes);
        Assert.False(IsValid(bytes));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.False(IsValid(bytes));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024);
    }

    [Theory]
    [InlineData(0, 0x45, 0x36, "magic")]
    [InlineData(4, 2, 1, "version")]
    [InlineData(5, 0, 3, "kind")]
    [InlineData(6, 40, 39, "header length")]
    [InlineData(7, 0, 0xFF, "header length")]
    [InlineData(16, -1, -1, "layout")]
    [InlineData(23, 0, 0x80, "round")]
    [InlineData(27, 0, 0x80, "client")]
    [InlineData(28, 0, 1, "segment")]
    [InlineData(30, 1, 0, "segment")]
    [InlineData(31, 0, 0xFF, "segments")]
    [InlineData(35, 0, 0x80, "base version")]
    [InlineData(37, 0, 1, "parameter length")]
    [InlineData(40, 1, 6, "value mode")]
    [InlineData(40, 1, 0, "parameters")] // No scale with FP32: what was one is a number of blocks, and so on.
    [InlineData(41, 2, 3, "length")] // Three chunks, the third one's length from what follows.
    [InlineData(42, -1, -1, "length")]
    [InlineData(50, -1, 127, "scale exponent")]
    [InlineData(51, 1, 0, "blocks per chunk")]
    [InlineData(62, 2, 4, "chunk mode")]
    [InlineData(62, 2, 3, "chunk mode")] // Coded positions without tokens are for FP32.
    [InlineData(63, -1, 23, "kept")]
    [InlineData(64, -1, 0, "Golomb parameter")]
    [InlineData(65, -1, 200, "positions")]
    public void A_refusal_names_the_field(int offset, int was, int becomes, string field)
    {
        byte[] bytes = MakeFrame("golomb fp16");
        if (was >= 0) Assert.Equal(was, bytes[offset]);
        bytes[offset] = becomes >= 0 ? (byte)becomes : (byte)(bytes[offset] + 1);
        var exception = Assert.Throws<FrameException>(() => Frame.Open(Sealed(bytes), _layout).Measure());
        Assert.Equal(field, exception.Field);
        Assert.StartsWith($"frame: {field}: expected ", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_global_change_comes_from_the_aggregator_in_one_segment()
    {
        byte[] bytes = MakeFrame("golomb fp16");
        bytes[5] = 1;
        Assert.Equal("sender of a global change", Assert.Throws<FrameException>(() => Frame.Open(Sealed(bytes), _layout)).Field);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(24), FrameHeader.Aggregator);
        Assert.Equal(FrameKind.GlobalChange, Frame.Open(Sealed(bytes), _layout).Header.Kind);
    }

    [Theory]
    [InlineData(0x7C00)] // Infinity.
    [InlineData(0x7E00)] // NaN.
    public void A_value_that_is_not_finite_is_refused(int half)
    {
        byte[] bytes = MakeFrame("all fp16");
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(^2), (ushort)(half << 1));
        Assert.Equal("value", Assert.Throws<FrameException>(() => Frame.Open(Sealed(bytes), _layout).Measure()).Field);
    }

    [Fact]
    public void A_value_that_its_scale_makes_infinite_is_refused()
    {
        byte[] bytes = MakeFrame("all fp16");
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(64), 0x7BFF << 1);
        Frame.Open(Sealed(bytes), _layout).Measure();
        bytes[50] = unchecked((byte)-113);
        Assert.Equal("value", Assert.Throws<FrameException>(() => Frame.Open(Sealed(bytes), _layout).Measure()).Field);
    }

    [Fact]
    public void A_step_that_makes_values_infinite_or_is_negative_is_refused()
    {
        byte[] bytes = MakeFrame("int8");
        foreach (ushort step in (ushort[])[0x7F80, 0x7FC0, 0x7F00, 0x8000, 0xBF80])
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(50), step);
            Assert.Equal("steps", Assert.Throws<FrameException>(() => Frame.Open(Sealed(bytes), _layout)).Field);
        }
    }

    [Fact]
    public void Fields_that_this_reader_does_not_know_are_skipped()
    {
        byte[] good = MakeFrame("golomb fp16");
        byte[] bytes = [.. good.AsSpan(0, 40), 1, 2, 3, 4, 5, .. good.AsSpan(40)];
        bytes[6] = 45;
        float[] expected = new float[36], found = new float[36];
        Frame.Open(good, _layout).Decode(expected);
        Frame.Open(Sealed(bytes), _layout).Decode(found);
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

    [Fact]
    public void A_bad_chunk_among_good_ones_is_named_whichever_thread_meets_it()
    {
        LoraLayout layout = MadeUpVectors.Layout((2000, 1500, 200));
        float[] change = MadeUpVectors.Values(new RandomStream(13, "chunks"), layout.Length, 1);
        byte[] bytes = FrameEncoder.Encode(MadeUpVectors.Segment(layout), layout, change, new Compression(1, 1, ValueMode.Fp16));
        bytes[^1] ^= 1;
        bytes[bytes.Length / 2] ^= 1;
        var frame = Frame.Open(bytes, layout);
        Assert.InRange(frame.Chunks, 3, 9);
        string expected = Assert.Throws<FrameException>(() => frame.Measure(new CodecExecution(1))).Message;
        for (int trial = 0; trial < 20; trial++) Assert.Equal(expected, Assert.Throws<FrameException>(() => frame.Measure(new CodecExecution(3))).Message);
    }

    private static float[] Change(int count) => MadeUpVectors.Values(new RandomStream(12, "hostile"), count, 3);

    private static byte[] MakeFrame(string kind)
    {
        const LosslessCoding Golomb = LosslessCoding.Golomb;
        (Compression compression, int segments) = kind switch
        {
            "golomb fp16" => (new Compression(0.3, 0.4, ValueMode.Fp16, Golomb), 1),
            "golomb fp32" => (new Compression(0.3, 0.4, ValueMode.Fp32, Golomb), 1),
            "all fp16" => (new Compression(1, 1, ValueMode.Fp16, Golomb), 1),
            "entropy fp16" => (new Compression(0.3, 0.4, ValueMode.Fp16), 1),
            "entropy fp32" => (new Compression(0.6, 0.9, ValueMode.Fp32), 1),
            "int8" => (new Compression(0.9, 0.9, ValueMode.Int8), 1),
            "int4" => (new Compression(0.9, 0.9, ValueMode.Int4), 1),
            "sign" => (new Compression(0.5, 0.5, ValueMode.Sign), 1),
            "bf16" => (new Compression(0.5, 0.5, ValueMode.Bf16), 1),
            "empty" => (new Compression(0.1, 0.1, ValueMode.Fp16), 1),
            _ => (new Compression(0.6, 0.5, ValueMode.Fp16), 5),
        };
        FrameHeader header = MadeUpVectors.Segment(_layout, segments / 2, segments);
        int length = header.Range(_layout).Length;
        return FrameEncoder.Encode(header, _layout, kind == "empty" ? new float[length] : Change(length), compression);
    }

    /// <summary>The same bytes with the checksums that belong to them, as far as they say where these are, so that what is behind them is reached.</summary>
    private static byte[] Sealed(byte[] bytes)
    {
        if (bytes.Length < 44) return bytes;
        long head = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(6)), end = head + BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(36));
        if (end + 4 > bytes.Length || head + 2 > end) return bytes;
        Seal(end, 0, end);
        int chunks = bytes[head + 1];
        long at = end + 4, index = head + 2;
        for (int chunk = 0; chunk < chunks && index + 4 <= end; chunk++, index += 4)
        {
            long length = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan((int)index));
            if (length < 4 || at + length > bytes.Length) break;
            Seal(at, at + 4, at + length);
            at += length;
        }
        return bytes;

        void Seal(long at, long from, long to) =>
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan((int)at), Crc32C.Of(bytes.AsSpan((int)from, (int)(to - from))));
    }

    /// <summary>Reads the frame on every path and uses all of it; anything but one verdict, a <see cref="FrameException"/> or finite values, fails the test.</summary>
    private static bool IsValid(byte[] bytes)
    {
        string? first = null;
        foreach (SimdPath path in Paths.All)
        {
            string verdict = Verdict(bytes, new CodecExecution(1, path));
            first ??= verdict;
            if (verdict != first) Assert.Fail($"{path}: {verdict}; {SimdPath.Scalar}: {first}");
        }
        return !first!.StartsWith("frame: ", StringComparison.Ordinal);
    }

    private static string Verdict(byte[] bytes, CodecExecution execution)
    {
        try
        {
            var frame = Frame.Open(bytes, _layout);
            FrameSizes sizes = frame.Measure(execution);
            float[] decoded = new float[frame.Range.Length];
            frame.Decode(decoded, execution);
            frame.Accumulate(0.5, new double[frame.Range.Length], execution);
            foreach (float value in decoded) if (!float.IsFinite(value)) Assert.Fail($"{value}");
            if (sizes.KeptA + sizes.KeptB > frame.Range.Length) Assert.Fail($"{sizes}");
            return Frame.DigestOf(MemoryMarshal.AsBytes(decoded.AsSpan()));
        }
        catch (FrameException exception)
        {
            return exception.Message;
        }
    }
}
