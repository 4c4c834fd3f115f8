using EcoLora.Numerics;

namespace EcoLora.Codec.Tests;

public class FrameTests
{
    private static readonly LoraLayout _layout = MadeUpVectors.Layout((4, 6, 2));

    [Fact]
    public void A_frame_by_hand()
    {
        // A: the larger half of 12 entries, B: the largest of 8.
        float[] change = [1, 0, -2, 0, 4, 0, 0.5f, 0, 0.25f, 0, -0.125f, 0, 3, 1, 1, 1, 1, 1, 1, 1];
        float[] sent = new float[20], residual = new float[20];
        byte[] bytes = FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, change, new Compression(0.25, 0.125, ValueMode.Fp16), sent, residual);
        Assert.Equal([1, 0, -2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0], sent);
        Assert.Equal([0, 0, 0, 0, 0, 0, 0.5f, 0, 0.25f, 0, -0.125f, 0, 0, 1, 1, 1, 1, 1, 1, 1], residual);

        // p = 3/12: M = ceil(ln(1/1.75)/ln(0.75)) = 2; gaps 0, 1, 1 are 0·0, 0·1, 0·1: one byte.
        // p = 1/8: M = ceil(ln(1/1.875)/ln(0.875)) = 5, gap 0: 3 bits.
        FrameSizes sizes = Frame.Read(bytes, _layout).Sizes;
        Assert.Equal(new FrameSizes(12, 3, 8, 1, Segment: 40, Sparse: 4 * 6, Coded: 1 + 6 + 1 + 2, Framed: 36 + 13 + 7 + 13 + 3 + 4), sizes);
        Assert.Equal(sizes.Framed, bytes.Length);
    }

    [Theory]
    [InlineData(ValueMode.Fp32)]
    [InlineData(ValueMode.Fp16)]
    public void What_is_decoded_is_what_was_sent_and_residual_plus_sent_is_the_change_exactly(ValueMode mode)
    {
        var random = new RandomStream(5, "frames", (long)mode);
        for (int trial = 0; trial < 400; trial++)
        {
            LoraLayout layout = MadeUpVectors.RandomLayout(random);
            int segments = 1 + random.NextInt32(Math.Min(layout.Length, 7)), segment = random.NextInt32(segments);
            FrameHeader header = MadeUpVectors.Segment(layout, segment, segments);
            float[] change = MadeUpVectors.Values(random, header.Range(layout.Length).Length, spread: trial % 5 * 35);
            var compression = new Compression(Fraction(random), Fraction(random), mode);
            float[] sent = new float[change.Length], residual = new float[change.Length];
            byte[] bytes = FrameEncoder.Encode(header, layout, change, compression, sent, residual);
            var frame = Frame.Read(bytes, layout);
            float[] decoded = new float[change.Length];
            Array.Fill(decoded, 99f);
            frame.Decode(decoded);

            Assert.Equal(header, frame.Header);
            Assert.Equal(MadeUpVectors.Bits(sent), MadeUpVectors.Bits(decoded));
            for (int i = 0; i < change.Length; i++)
            {
                float sum = residual[i] + sent[i];
                bool isExact = change[i] == 0 ? sum == 0 : BitConverter.SingleToUInt32Bits(sum) == BitConverter.SingleToUInt32Bits(change[i]);
                Assert.True(isExact, $"{change[i]:g9} = {sent[i]:g9} + {residual[i]:g9}");
                Assert.Equal(change[i], (double)residual[i] + sent[i]);
            }
            CheckDensity(frame.Sizes, LoraRole.A, compression.KeepA);
            CheckDensity(frame.Sizes, LoraRole.B, compression.KeepB);
        }

        static void CheckDensity(FrameSizes sizes, LoraRole role, double fraction)
        {
            (int entries, int kept) = role == LoraRole.A ? (sizes.EntriesA, sizes.KeptA) : (sizes.EntriesB, sizes.KeptB);
            int asked = TopK.CountFor(fraction, entries);
            if (asked == entries) Assert.Equal(entries, kept);
            else Assert.InRange(kept, 0, asked);
        }
    }

    [Fact]
    public void Entries_that_are_kept_are_never_smaller_than_those_that_are_not()
    {
        var random = new RandomStream(6, "frames");
        float[] change = MadeUpVectors.Values(random, 20, 2), sent = new float[20], residual = new float[20];
        FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, change, new Compression(0.5, 0.5, ValueMode.Fp32), sent, residual);
        foreach (LoraTensor tensor in _layout.Tensors)
            Assert.True(tensor.In(sent.AsSpan()).ToArray().Where(v => v != 0).Min(Math.Abs) >= tensor.In(residual.AsSpan()).ToArray().Max(Math.Abs));
    }

    [Fact]
    public void The_residual_may_lie_in_the_memory_of_the_change()
    {
        float[] change = MadeUpVectors.Values(new RandomStream(7, "frames"), 20, 1), sent = new float[20], apart = new float[20];
        var compression = new Compression(0.3, 0.6, ValueMode.Fp16);
        byte[] first = FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, change, compression, sent, apart);
        byte[] second = FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, change, compression, sent, change);
        Assert.Equal(first, second);
        Assert.Equal(MadeUpVectors.Bits(apart), MadeUpVectors.Bits(change));
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
        float[] change = new float[20], sent = new float[20], residual = new float[20];
        for (int i = 0; i < 20; i++) change[i] = (float)((random.NextDouble() * 0.99 + 0.01) * magnitude);
        FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, change, new Compression(1, 1, ValueMode.Fp16), sent, residual);
        for (int i = 0; i < 20; i++) Assert.InRange(Math.Abs(residual[i] / change[i]), 0, 1.0 / 2048);
    }

    [Fact]
    public void The_largest_float_stays_finite()
    {
        float[] change = new float[20], sent = new float[20], residual = new float[20];
        change[3] = float.MaxValue;
        change[15] = -float.MaxValue;
        byte[] bytes = FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, change, new Compression(0.5, 0.5, ValueMode.Fp16), sent, residual);
        Assert.Equal(change[3], residual[3] + sent[3]);
        Assert.Equal(change[15], residual[15] + sent[15]);
        Frame.Read(bytes, _layout);
    }

    [Fact]
    public void Values_that_round_to_zero_are_dropped_unless_all_are_kept()
    {
        float[] change = [1, 1e-13f, .. new float[18]];
        float[] sent = new float[20], residual = new float[20];
        byte[] some = FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, change, new Compression(0.2, 0.2, ValueMode.Fp16), sent, residual);
        Assert.Equal((1, 0), (Frame.Read(some, _layout).Sizes.KeptA, Frame.Read(some, _layout).Sizes.KeptB));
        Assert.Equal(1e-13f, residual[1]);
        byte[] all = FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, change, new Compression(1, 1, ValueMode.Fp16), sent, residual);
        Assert.Equal((12, 8), (Frame.Read(all, _layout).Sizes.KeptA, Frame.Read(all, _layout).Sizes.KeptB));
        Assert.Equal(1e-13f, residual[1]);
    }

    [Fact]
    public void Accumulating_is_adding_the_weight_times_what_is_decoded()
    {
        var random = new RandomStream(9, "accumulate");
        LoraLayout layout = MadeUpVectors.Layout((5, 7, 3), (2, 9, 2));
        float[] change = MadeUpVectors.Values(random, layout.Length, 5), sent = new float[layout.Length];
        var compression = new Compression(0.4, 0.7, ValueMode.Fp16);
        byte[] bytes = FrameEncoder.Encode(MadeUpVectors.Segment(layout), layout, change, compression, sent, new float[layout.Length]);
        double[] sums = [.. Enumerable.Range(0, layout.Length).Select(i => i * 0.1)];
        Frame.Read(bytes, layout).Accumulate(0.37, sums);
        for (int i = 0; i < sums.Length; i++) Assert.Equal(i * 0.1 + 0.37 * sent[i], sums[i]);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void A_value_that_is_not_finite_is_refused_with_its_tensor_and_index(float value)
    {
        float[] change = new float[6], other = new float[6], third = new float[6];
        change[5] = value; // Segment 0 of 3 is [0, 6).
        var exception = Assert.Throws<ArgumentException>(() =>
            FrameEncoder.Encode(MadeUpVectors.Segment(_layout, 0, 3), _layout, change, new Compression(1, 1, ValueMode.Fp16), other, third));
        Assert.StartsWith("m0.lora_A[5]: expected a finite number, found ", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_vector_of_another_length_than_the_segment_is_refused() => Assert.Throws<ArgumentException>(() =>
        FrameEncoder.Encode(MadeUpVectors.Segment(_layout), _layout, new float[19], new Compression(1, 1, ValueMode.Fp16), new float[20], new float[20]));

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
}
