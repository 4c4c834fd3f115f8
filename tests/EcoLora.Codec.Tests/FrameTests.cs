using EcoLora.Numerics;

namespace EcoLora.Codec.Tests;

public class FrameTests
{
    private static readonly LoraLayout _layout = MadeUpVectors.Layout((4, 6, 2));

    [Fact]
    public void A_frame_by_hand()
    {
        // A: the larger quarter of 12 entries, B: the largest of 8. At this size bitmaps are least: 2 and 1 bytes.
        float[] change = [1, 0, -2, 0, 4, 0, 0.5f, 0, 0.25f, 0, -0.125f, 0, 3, 1, 1, 1, 1, 1, 1, 1];
        byte[] bytes = FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, change, new Compression(0.25, 0.125, ValueMode.Fp16));
        Assert.Equal([0, 0, 0, 0, 0, 0, 0.5f, 0, 0.25f, 0, -0.125f, 0, 0, 1, 1, 1, 1, 1, 1, 1], change);
        var frame = Frame.Open(bytes, _layout);
        float[] sent = new float[20];
        frame.Decode(sent);
        Assert.Equal([1, 0, -2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0], sent);

        // p = 3/12: M = ceil(ln(1/1.75)/ln(0.75)) = 2; gaps 0, 1, 1 are 0·0, 0·1, 0·1: one byte.
        // p = 1/8: M = ceil(ln(1/1.875)/ln(0.875)) = 5, gap 0: 3 bits. Both chunks: checksum, mode, K, M, length, positions, values.
        const int Golomb = (4 + 1 + 1 + 1 + 1 + 1 + 6) + (4 + 1 + 1 + 1 + 1 + 1 + 2), Coded = (4 + 1 + 1 + 2 + 6) + (4 + 1 + 1 + 1 + 2);
        const int Head = 40 + 1 + 1 + 2 * 4 + 2 * (1 + 1) + 4;
        FrameSizes sizes = frame.Measure();
        Assert.Equal(new FrameSizes(12, 3, 8, 1, Segment: 40, Sparse: 4 * 6, Golomb, Coded, Head + Coded), sizes);
        Assert.Equal(sizes.Framed, bytes.Length);
    }

    [Theory]
    [InlineData(ValueMode.Fp32)]
    [InlineData(ValueMode.Fp16)]
    [InlineData(ValueMode.Bf16)]
    [InlineData(ValueMode.Int8)]
    [InlineData(ValueMode.Int4)]
    [InlineData(ValueMode.Sign)]
    public void What_is_decoded_is_what_was_sent_and_residual_plus_sent_is_the_change_exactly(ValueMode mode)
    {
        var random = new RandomStream(5, "frames", (long)mode);
        for (int trial = 0; trial < 400; trial++)
        {
            LoraLayout layout = MadeUpVectors.RandomLayout(random, trial % 50 == 0 ? 300 : 12);
            int segments = 1 + random.NextInt32(Math.Min(layout.Length, 7)), segment = random.NextInt32(segments);
            FrameHeader header = MadeUpVectors.Segment(layout, segment, segments);
            float[] change = MadeUpVectors.Values(random, header.Range(layout).Length, spread: trial % 5 * 35), residual = [.. change];
            var compression = new Compression(Fraction(random), Fraction(random), mode, (LosslessCoding)random.NextInt32(2));
            byte[] bytes = FrameEncoder.Encode(header, layout, residual, compression);
            var frame = Frame.Open(bytes, layout);
            float[] sent = new float[change.Length];
            Array.Fill(sent, 99f);
            frame.Decode(sent);

            Assert.Equal(header, frame.Header);
            for (int i = 0; i < change.Length; i++)
            {
                Assert.True(residual[i] == change[i] - sent[i], $"{change[i]:g9} = {sent[i]:g9} + {residual[i]:g9}");
                if (mode != ValueMode.Sign) Assert.Equal(change[i], (double)residual[i] + sent[i]);
                Assert.True(sent[i] == 0 || float.IsNegative(sent[i]) == float.IsNegative(change[i]));
            }
            FrameSizes sizes = frame.Measure();
            Assert.Equal(bytes.Length, sizes.Framed);
            CheckDensity(sizes.EntriesA, sizes.KeptA, compression.KeepA);
            CheckDensity(sizes.EntriesB, sizes.KeptB, compression.KeepB);
            if (compression.Coding == LosslessCoding.Golomb) Assert.Equal(sizes.Golomb, sizes.Coded);
            else Assert.InRange(sizes.Coded, 0, sizes.Golomb);
        }

        static void CheckDensity(int entries, int kept, double fraction) => Assert.InRange(kept, 0, TopK.CountFor(fraction, entries));
    }

    [Theory]
    [InlineData(ValueMode.Fp32)]
    [InlineData(ValueMode.Fp16)]
    [InlineData(ValueMode.Bf16)]
    [InlineData(ValueMode.Int8)]
    [InlineData(ValueMode.Int4)]
    [InlineData(ValueMode.Sign)]
    public void The_largest_are_kept_the_first_of_equals_first(ValueMode mode)
    {
        // Four magnitudes, so that nearly every threshold is a tie.
        var random = new RandomStream(6, "frames");
        LoraLayout layout = MadeUpVectors.Layout((70, 40, 30));
        for (int trial = 0; trial < 20; trial++)
        {
            float[] change = new float[layout.Length];
            for (int i = 0; i < change.Length; i++) change[i] = (4 + random.NextInt32(4)) * (random.NextInt32(2) * 2 - 1);
            double keep = 0.01 + 0.9 * random.NextDouble();
            byte[] bytes = FrameEncoder.Encode(MadeUpVectors.Segment(layout), layout, [.. change], new Compression(keep, keep, mode));
            float[] sent = new float[change.Length];
            Frame.Open(bytes, layout).Decode(sent);
            foreach (LoraTensor tensor in layout.Tensors)
            {
                float[] values = tensor.In(change.AsSpan()).ToArray();
                int[] expected = [.. Enumerable.Range(0, values.Length).OrderByDescending(i => Math.Abs(values[i])).ThenBy(i => i).Take(TopK.CountFor(keep, values.Length)).Order()];
                float[] found = tensor.In(sent.AsSpan()).ToArray();
                Assert.Equal(expected, Enumerable.Range(0, found.Length).Where(i => found[i] != 0).ToArray());
            }
        }
    }

    [Fact]
    public void Rounding_is_as_fine_as_the_mode_says()
    {
        float[] change = MadeUpVectors.Values(new RandomStream(7, "frames"), 20, 1);
        float largest = change.AsSpan(0, 12).ToArray().Max(Math.Abs);
        foreach ((ValueMode mode, double error) in ((ValueMode, double)[])[(ValueMode.Fp16, 1.0 / 2048), (ValueMode.Bf16, 1.0 / 256)])
        {
            float[] residual = [.. change];
            FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, residual, new Compression(1, 1, mode));
            for (int i = 0; i < 20; i++) Assert.InRange(Math.Abs(residual[i]), 0, error * Math.Abs(change[i]));
        }
        foreach ((ValueMode mode, int levels) in ((ValueMode, int)[])[(ValueMode.Int8, 127), (ValueMode.Int4, 7)])
        {
            float[] residual = [.. change];
            FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, residual, new Compression(1, 1, mode));
            // Two thirds of a step, which is at most 2^−7 above a 127th or a 7th of the largest.
            for (int i = 0; i < 12; i++) Assert.InRange(Math.Abs(residual[i]), 0, 0.6667 * largest / levels * (1 + 1.0 / 128));
        }
        float[] ones = [.. Enumerable.Range(0, 20).Select(i => i % 3 == 0 ? -1.5f : 1.5f)];
        FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, ones, new Compression(1, 1, ValueMode.Sign));
        Assert.All(ones, left => Assert.Equal(0, left));
    }

    [Fact]
    public void Halves_come_back_as_they_were_but_for_negative_zero()
    {
        var random = new RandomStream(11, "halves");
        for (int trial = 0; trial < 60; trial++)
        {
            LoraLayout layout = MadeUpVectors.RandomLayout(random, trial % 3 == 0 ? 200 : 20);
            Half[] values = [.. MadeUpVectors.Values(random, layout.Length, trial % 12).Select(v => random.NextDouble() < trial / 60.0 ? (Half)0 : (Half)Math.Clamp(v, -65504, 65504))];
            byte[] bytes = new byte[FrameEncoder.MaximumSize(MadeUpVectors.Segment(layout), layout, ValueMode.Fp16)];
            int length = FrameEncoder.Encode(MadeUpVectors.Segment(layout), layout, values, (LosslessCoding)(trial % 2), bytes);
            Half[] decoded = new Half[layout.Length];
            Frame.Open(bytes.AsMemory(0, length), layout).Decode(decoded);
            for (int i = 0; i < values.Length; i++)
                Assert.Equal(values[i] == (Half)0 ? (ushort)0 : BitConverter.HalfToUInt16Bits(values[i]), BitConverter.HalfToUInt16Bits(decoded[i]));
        }
        Half[] bad = new Half[20];
        bad[14] = Half.NegativeInfinity;
        byte[] room = new byte[1000];
        var exception = Assert.Throws<ArgumentException>(() => FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, bad, LosslessCoding.Entropy, room));
        Assert.StartsWith("m0.lora_B[2]: expected a finite number, found ", exception.Message, StringComparison.Ordinal);
        byte[] scaled = FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, MadeUpVectors.Values(random, 20, 1), new Compression(1, 1, ValueMode.Fp16));
        Assert.Throws<InvalidOperationException>(() => Frame.Open(scaled, _layout).Decode(new Half[20]));
    }

    [Fact]
    public void A_thread_that_comes_late_never_disturbs_a_later_call()
    {
        LoraLayout layout = MadeUpVectors.Layout((40, 30, 8));
        float[] change = MadeUpVectors.Values(new RandomStream(14, "threads"), layout.Length, 1);
        FrameHeader header = MadeUpVectors.Segment(layout);
        var compression = new Compression(0.9, 0.9, ValueMode.Fp16);
        byte[] expected = FrameEncoder.Encode(header, layout, [.. change], compression), bytes = new byte[FrameEncoder.MaximumSize(header, layout, ValueMode.Fp16)];
        for (int trial = 0; trial < 3000; trial++)
        {
            int length = FrameEncoder.Encode(header, layout, [.. change], compression, bytes, new CodecExecution(trial % 2 == 0 ? 4 : 1));
            Assert.True(expected.AsSpan().SequenceEqual(bytes.AsSpan(0, length)), $"{trial}");
        }
    }

    [Theory]
    [InlineData(1e-30)]
    [InlineData(1e-20)]
    [InlineData(1e-6)]
    [InlineData(1)]
    [InlineData(1e6)]
    [InlineData(1e30)]
    [InlineData(3.4e38)]
    public void The_scale_keeps_the_precision_of_half_floats_at_every_magnitude(double magnitude)
    {
        var random = new RandomStream(8, "scale");
        float[] change = new float[20];
        for (int i = 0; i < 20; i++) change[i] = (float)((random.NextDouble() * 0.99 + 0.01) * magnitude);
        float[] residual = [.. change];
        FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, residual, new Compression(1, 1, ValueMode.Fp16));
        for (int i = 0; i < 20; i++) Assert.InRange(Math.Abs(residual[i] / change[i]), 0, 1.0 / 2048);
    }

    [Theory]
    [InlineData(ValueMode.Fp16)]
    [InlineData(ValueMode.Bf16)]
    [InlineData(ValueMode.Int8)]
    [InlineData(ValueMode.Int4)]
    [InlineData(ValueMode.Sign)]
    public void The_largest_and_the_smallest_float_stay_what_they_are(ValueMode mode)
    {
        foreach (float extreme in (float[])[float.MaxValue, float.Epsilon, 1e-38f])
        {
            float[] change = new float[20];
            change[3] = extreme;
            change[15] = -extreme;
            float[] residual = [.. change], sent = new float[20];
            byte[] bytes = FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, residual, new Compression(0.5, 0.5, mode));
            Frame.Open(bytes, _layout).Decode(sent);
            for (int i = 0; i < 20; i++)
            {
                Assert.True(float.IsFinite(sent[i]));
                Assert.Equal(change[i], (double)residual[i] + sent[i]);
            }
        }
    }

    [Fact]
    public void Values_that_round_to_zero_are_dropped()
    {
        float[] change = [1, 1e-13f, .. new float[18]], residual = [.. change];
        var some = Frame.Open(FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, residual, new Compression(0.2, 0.2, ValueMode.Fp16)), _layout);
        Assert.Equal((1, 0), (some.Measure().KeptA, some.Measure().KeptB));
        Assert.Equal(1e-13f, residual[1]);
        residual = [.. change];
        byte[] all = FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, residual, new Compression(1, 1, ValueMode.Fp16, LosslessCoding.Golomb));
        Assert.Equal((12, 8), (Frame.Open(all, _layout).Measure().KeptA, Frame.Open(all, _layout).Measure().KeptB));
        Assert.Equal(1e-13f, residual[1]);
    }

    [Fact]
    public void Accumulating_is_adding_the_weight_times_what_is_decoded()
    {
        var random = new RandomStream(9, "accumulate");
        LoraLayout layout = MadeUpVectors.Layout((5, 7, 3), (2, 9, 2), (60, 70, 20));
        foreach (ValueMode mode in Enum.GetValues<ValueMode>())
        {
            byte[] bytes = FrameEncoder.Encode(
                MadeUpVectors.Segment(layout), layout, MadeUpVectors.Values(random, layout.Length, 5), new Compression(0.4, 0.7, mode));
            float[] sent = new float[layout.Length];
            double[] sums = [.. Enumerable.Range(0, layout.Length).Select(i => i * 0.1)];
            Frame.Open(bytes, layout).Decode(sent);
            Frame.Open(bytes, layout).Accumulate(0.37, sums);
            for (int i = 0; i < sums.Length; i++) Assert.Equal(i * 0.1 + 0.37 * sent[i], sums[i]);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void A_value_that_is_not_finite_is_refused_with_its_tensor_and_index(float value)
    {
        float[] change = [1, 2, 3, 4, 5, value]; // Segment 0 of 3 is [0, 6).
        var exception = Assert.Throws<ArgumentException>(() =>
            FrameEncoder.Encode(MadeUpVectors.Segment(_layout, 0, 3), _layout, change, new Compression(1, 1, ValueMode.Fp16)));
        Assert.StartsWith("m0.lora_A[5]: expected a finite number, found ", exception.Message, StringComparison.Ordinal);
        Assert.Equal([1, 2, 3, 4, 5, value], change);
    }

    [Fact]
    public void A_vector_of_another_length_than_the_segment_or_too_little_room_is_refused()
    {
        var compression = new Compression(1, 1, ValueMode.Fp16);
        Assert.Throws<ArgumentException>(() => FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, new float[19], compression));
        int room = FrameEncoder.MaximumSize(MadeUpVectors.Segment(_layout), _layout, ValueMode.Fp16) - 1;
        Assert.Throws<ArgumentException>(() => FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, new float[20], compression, new byte[room]));
        var frame = Frame.Open(FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, new float[20], compression), _layout);
        Assert.Throws<ArgumentException>(() => frame.Decode(new float[19]));
        Assert.Throws<ArgumentException>(() => frame.Accumulate(1, new double[21]));
    }

    [Fact]
    public void The_digest_is_half_of_SHA_256() =>
        Assert.Equal("ba7816bf8f01cfea414140de5dae2223", Frame.DigestOf("abc"u8));

    [Fact]
    public void A_run_of_a_name_has_one_key()
    {
        Assert.Equal(BitConverter.ToUInt64(System.Security.Cryptography.SHA256.HashData("golden"u8)), FrameHeader.KeyOf("golden"));
        Assert.NotEqual(FrameHeader.KeyOf("golden"), FrameHeader.KeyOf("golden-2"));
    }

    private static double Fraction(RandomStream random) => random.NextInt32(5) == 0 ? 1 : 0.001 + 0.999 * random.NextDouble();

    [Fact]
    public void A_frame_keeps_to_its_limit_or_leaves_the_change_as_it_was()
    {
        var random = new RandomStream(7, "within");
        for (int trial = 0; trial < 300; trial++)
        {
            LoraLayout layout = MadeUpVectors.RandomLayout(random, largestSide: trial % 10 == 0 ? 120 : 12);
            int segments = 1 + random.NextInt32(Math.Min(3, layout.Length));
            FrameHeader header = MadeUpVectors.Segment(layout, random.NextInt32(segments), segments);
            float[] values = MadeUpVectors.Values(random, header.Range(layout).Length, 3);
            var compression = new Compression(
                1 - 0.9 * random.NextDouble(), 1 - 0.9 * random.NextDouble(), (ValueMode)random.NextInt32(6), (LosslessCoding)random.NextInt32(2));
            float[] whole = [.. values];
            int free = FrameEncoder.Encode(header, layout, whole, compression).Length, least = FrameEncoder.LeastSize(header, layout, compression.Values);
            foreach (int most in new[] { least, Math.Max(least, free / 2), Math.Max(least, free - 1), Math.Max(least, free) })
            {
                float[] residual = [.. values];
                byte[] frame = FrameEncoder.EncodeWithin(header, layout, residual, compression, most);
                Assert.InRange(frame.Length, 1, most);
                if (most < free) continue;
                Assert.Equal(free, frame.Length);
                Assert.Equal(MadeUpVectors.Bits(whole), MadeUpVectors.Bits(residual));
            }
            float[] change = [.. values];
            Assert.Contains("expected room for", Assert.Throws<ArgumentException>(() => FrameEncoder.EncodeWithin(header, layout, change, compression, 40)).Message, StringComparison.Ordinal);
            Assert.Equal(MadeUpVectors.Bits(values), MadeUpVectors.Bits(change));
        }
    }
}
