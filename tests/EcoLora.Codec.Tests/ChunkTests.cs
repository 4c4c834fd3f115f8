using System.Buffers.Binary;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Codec.Tests;

/// <summary>
/// The chunk coder: what goes in comes out, every code path writes the same bytes and gives the same verdict, and the sizes are what the theory allows.
/// </summary>
public sealed unsafe class ChunkTests
{
    [Fact]
    public void Codes_come_back_from_every_path_and_all_paths_write_the_same_bytes()
    {
        var random = new RandomStream(1, "chunks");
        for (int trial = 0; trial < 250; trial++)
        {
            int n = trial < 70 ? trial + 1 : 1 + random.NextInt32(trial % 10 == 0 ? 300_000 : 6000);
            double density = (trial % 7) switch { 0 => 0.001, 1 => 0.02, 2 => 0.1, 3 => 0.5, 4 => 0.95, 5 => 1, _ => random.NextDouble() };
            ushort[] codes = Codes(random, n, density, scales: trial % 3);
            byte[]? bytes = null;
            foreach (SimdPath path in Paths.All)
            {
                byte[] written = Encode(codes, LosslessCoding.Entropy, path);
                bytes ??= written;
                Assert.Equal(bytes, written);
                Assert.Equal(codes, Decode(bytes, n, path));
            }
            Assert.Equal(codes, Decode(Encode(codes, LosslessCoding.Golomb, SimdPath.Scalar), n, SimdPath.Fastest));
        }
    }

    [Fact]
    public void Binary32_values_come_back_from_every_path()
    {
        var random = new RandomStream(2, "chunks");
        foreach (int n in (int[])[1, 63, 64, 1023, 1025, 5000])
        {
            float[] values = [.. MadeUpVectors.Values(random, n, 20).Select(value => Math.Abs(value) >= 0.5f ? value : 0)];
            foreach (SimdPath path in Paths.All)
            {
                var encoder = new ChunkEncoder();
                encoder.Start(n, ValueMode.Fp32, 1, 1, path);
                for (int i = 0; i < n; i += Planes.Block) encoder.Add(values.AsSpan(i, Math.Min(Planes.Block, n - i)));
                byte[] bytes = new byte[ChunkEncoder.MaximumSize(n, ValueMode.Fp32)];
                int length = encoder.Finish(bytes, LosslessCoding.Entropy, keepAll: false);
                var decoder = new ChunkDecoder();
                float[] found = new float[n];
                fixed (byte* start = bytes)
                {
                    decoder.Open(start, length, length, n, ValueMode.Fp32, 0, path);
                    for (int i = 0; i < n; i += Planes.Block) decoder.Next(found.AsSpan(i));
                }
                Assert.Equal(values, found);
            }
        }
    }

    [Theory]
    [InlineData(0.05)]
    [InlineData(0.1)]
    [InlineData(0.3)]
    [InlineData(0.5)]
    [InlineData(0.6)]
    [InlineData(0.95)]
    public void Gaussian_data_takes_at_most_a_quarter_percent_more_than_its_entropy(double density)
    {
        ushort[] codes = Codes(new RandomStream(3, "sizes"), density < 0.1 ? 1 << 22 : 1 << 20, density, scales: 0);
        int kept = codes.Count(code => code != 0), least = codes.Where(code => code != 0).Min() >> 1;
        double p = (double)kept / codes.Length;
        double[] tokens = new double[256];
        foreach (ushort code in codes)
            if (code != 0)
                tokens[code - 2 * least >> 8]++;
        double bound = -(p * Math.Log2(p) + (1 - p) * Math.Log2(1 - p)) / p - tokens.Where(t => t > 0).Sum(t => t / kept * Math.Log2(t / kept)) + 8;
        double size = 8.0 * Encode(codes, LosslessCoding.Entropy, SimdPath.Fastest).Length / kept;
        Assert.InRange(size, bound, 1.0025 * bound);
        double paper = 8.0 * Encode(codes, LosslessCoding.Golomb, SimdPath.Fastest).Length / kept;
        if (density <= 0.6) Assert.InRange(size, 0, 0.8 * paper);
    }

    [Fact]
    public void Classes_of_density_save_more_than_they_cost()
    {
        ushort[] scaled = Codes(new RandomStream(4, "sizes"), 1 << 20, 0.1, scales: 2);
        int kept = scaled.Count(code => code != 0);
        double p = (double)kept / scaled.Length, single = -(p * Math.Log2(p) + (1 - p) * Math.Log2(1 - p)) / p;
        double positions = 0;
        for (int block = 0; block < scaled.Length; block += Planes.Block)
        {
            double q = scaled.AsSpan(block, Planes.Block).ToArray().Count(code => code != 0) / 1024.0;
            if (q is > 0 and < 1) positions -= 1024 * (q * Math.Log2(q) + (1 - q) * Math.Log2(1 - q));
        }
        double size = 8.0 * Encode(scaled, LosslessCoding.Entropy, SimdPath.Fastest).Length / kept;
        Assert.True(single - positions / kept > 0.3, "the data has no classes");
        // What is left beside the positions, known each block's density, is at most a token of 4 bits and the low byte.
        Assert.InRange(size, 0, positions / kept + 12);
    }

    [Fact]
    public void A_chunk_is_never_larger_than_its_values_as_they_are()
    {
        var random = new RandomStream(5, "sizes");
        for (int n = 1; n <= 130; n++)
        {
            for (int trial = 0; trial < 8; trial++)
            {
                ushort[] codes = Codes(random, n, random.NextDouble(), scales: 0);
                // Beside the values there are a checksum, a mode and the number that is sent.
                Assert.InRange(Encode(codes, LosslessCoding.Entropy, SimdPath.Fastest).Length, 0, 2 * n + 4 + 1 + (n < 128 ? 1 : 2));
            }
        }
    }

    [Fact]
    public void Changed_bytes_get_the_same_verdict_from_every_path()
    {
        var random = new RandomStream(6, "hostile");
        int[] lengths = [5, 100, 1024, 3000, 90_000];
        int refused = 0, accepted = 0;
        foreach (int n in lengths)
        {
            byte[] good = Encode(Codes(random, n, 0.3, scales: 1), LosslessCoding.Entropy, SimdPath.Fastest);
            for (int trial = 0; trial < (n > 10_000 ? 150 : 1500); trial++)
            {
                byte[] bytes = [.. good];
                for (int change = random.NextInt32(3); change >= 0; change--)
                {
                    int at = 4 + random.NextInt32(random.NextInt32(2) == 0 ? bytes.Length - 4 : Math.Min(bytes.Length - 4, 80));
                    bytes[at] = random.NextInt32(3) == 0 ? (byte)random.NextInt32(256) : (byte)(bytes[at] ^ 1 << random.NextInt32(8));
                }
                BinaryPrimitives.WriteUInt32LittleEndian(bytes, Crc32C.Of(bytes.AsSpan(4)));
                string[] verdicts = [.. Paths.All.Select(path => Verdict(bytes, n, path))];
                Assert.All(verdicts, verdict => Assert.Equal(verdicts[0], verdict));
                if (verdicts[0].StartsWith("frame: ", StringComparison.Ordinal)) refused++;
                else accepted++;
            }
        }
        Assert.True(refused > 1000 && accepted > 100, $"{refused} refused, {accepted} accepted");
    }

    [Fact]
    public void Coding_allocates_nothing_in_the_steady_state()
    {
        ushort[] codes = Codes(new RandomStream(7, "allocation"), 50_000, 0.4, scales: 1);
        var encoder = new ChunkEncoder();
        var decoder = new ChunkDecoder();
        byte[] bytes = new byte[ChunkEncoder.MaximumSize(codes.Length, ValueMode.Fp16)];
        ushort[] block = new ushort[Planes.Block];
        Once();
        Assert.Equal(0, Allocations.Of(() =>
        {
            for (int i = 0; i < 5; i++) Once();
        }));

        void Once()
        {
            int length = Encode(encoder, codes, bytes, LosslessCoding.Entropy, CodecPath.Resolve(SimdPath.Fastest));
            fixed (byte* start = bytes)
            fixed (ushort* p = block)
            {
                decoder.Open(start, length, bytes.Length, codes.Length, ValueMode.Fp16, 0x7BFF, CodecPath.Resolve(SimdPath.Fastest));
                for (int at = 0; at < codes.Length; at += Planes.Block) decoder.Next(p, halves: false);
            }
        }
    }

    [Fact]
    public void Planes_of_bits_are_written_and_read_by_every_path_and_a_bit_after_the_last_is_refused()
    {
        var random = new RandomStream(8, "planes");
        foreach (SimdPath path in Paths.All)
        {
            for (int bits = 0; bits <= 8; bits++)
            {
                for (int count = 1; count <= 130; count++)
                {
                    int length = BitPlanes.Size(count, bits);
                    byte[] values = new byte[count + 64], planes = new byte[length + 8], written = new byte[length + 8], found = new byte[count + 64];
                    for (int i = 0; i < count; i++)
                    {
                        values[i] = (byte)random.NextInt32(1 << bits);
                        for (int b = 0; b < bits; b++) planes[b * ((count + 7) / 8) + i / 8] |= (byte)((values[i] >> b & 1) << (i & 7));
                    }
                    for (int i = count; i < values.Length; i++) values[i] = 255;
                    fixed (byte* from = values, to = written) BitPlanes.Pack(from, count, bits, to, path);
                    Assert.True(planes.AsSpan(0, length).SequenceEqual(written.AsSpan(0, length)), $"{path}, {bits} bits, {count}");
                    Assert.True(Unpack());
                    Assert.True(values.AsSpan(0, count).SequenceEqual(found.AsSpan(0, count)), $"{path}, {bits} bits, {count}");
                    if (bits == 0 || count % 8 == 0) continue;
                    planes[length - 1] |= 128;
                    Assert.False(Unpack());

                    bool Unpack()
                    {
                        fixed (byte* from = planes, to = found) return BitPlanes.Unpack(from, count, bits, to, path);
                    }
                }
            }
        }
    }

    [Fact]
    public void A_chunk_of_more_blocks_than_the_format_has_is_refused()
    {
        int entries = ChunkFormat.MaximumEntries + 1;
        Assert.Throws<ArgumentOutOfRangeException>(() => new ChunkEncoder().Start(entries, ValueMode.Fp16, 1, 1, SimdPath.Scalar));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ChunkDecoder().Open(null, 0, 0, entries, ValueMode.Fp16, 0x7BFF, SimdPath.Scalar));
    }

    [Fact]
    public void Logarithms_by_integers_are_right()
    {
        for (ulong value = 1; value < 1 << 20; value = value * 9 / 8 + 1)
            Assert.InRange(FixedLog2.Of(value) / (double)FixedLog2.One - Math.Log2(value), -4e-5, 4e-5);
    }

    private static string Verdict(byte[] bytes, int n, SimdPath path)
    {
        try
        {
            return Frame.DigestOf(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Decode(bytes, n, path).AsSpan()));
        }
        catch (FrameException exception)
        {
            return exception.Message;
        }
    }

    /// <summary>FP16 codes of a Gaussian vector of which the largest are sent, with one scale, a scale per 1024 entries, or per 4096.</summary>
    private static ushort[] Codes(RandomStream random, int n, double density, int scales)
    {
        float[] values = new float[n];
        double scale = 1;
        for (int i = 0; i < n; i++)
        {
            if (scales > 0 && i % (scales == 1 ? 1024 : 4096) == 0) scale = Math.Exp(random.NextGaussian());
            values[i] = (float)(random.NextGaussian() * scale);
        }
        ushort[] codes = new ushort[n];
        SegmentPiece[] all = [new(new LoraTensor("m", LoraRole.A, 1, n, 0), 0, n)];
        Selection selection = TopK.Find(values, all, TopK.CountFor(density, n), new uint[1], new TopKScratch(), SimdPath.Scalar);
        for (int i = 0; i < n; i++)
        {
            if ((BitConverter.SingleToUInt32Bits(values[i]) & 0x7FFFFFFF) < selection.MinimumAt(i)) continue;
            uint half = BitConverter.HalfToUInt16Bits((Half)values[i]);
            if ((half & 0x7FFF) != 0) codes[i] = (ushort)(half << 1 | half >> 15);
        }
        return codes;
    }

    private static byte[] Encode(ushort[] codes, LosslessCoding coding, SimdPath path)
    {
        byte[] bytes = new byte[ChunkEncoder.MaximumSize(codes.Length, ValueMode.Fp16)];
        return bytes[..Encode(new ChunkEncoder(), codes, bytes, coding, CodecPath.Resolve(path))];
    }

    private static int Encode(ChunkEncoder encoder, ushort[] codes, byte[] bytes, LosslessCoding coding, SimdPath path)
    {
        int least = int.MaxValue;
        foreach (ushort code in codes)
            if (code != 0)
                least = Math.Min(least, code >> 1);
        encoder.Start(codes.Length, ValueMode.Fp16, least == int.MaxValue ? 1 : least, codes.Max() >> 1, path);
        ushort* block = stackalloc ushort[Planes.Block];
        for (int at = 0; at < codes.Length; at += Planes.Block)
        {
            int n = Math.Min(Planes.Block, codes.Length - at);
            new Span<ushort>(block, Planes.Block).Clear();
            codes.AsSpan(at, n).CopyTo(new Span<ushort>(block, n));
            encoder.Add(block, n, halves: false);
        }
        return encoder.Finish(bytes, coding, keepAll: false);
    }

    private static ushort[] Decode(byte[] bytes, int n, SimdPath path)
    {
        var decoder = new ChunkDecoder();
        ushort[] codes = new ushort[n];
        ushort* block = stackalloc ushort[Planes.Block];
        fixed (byte* start = bytes)
        {
            decoder.Open(start, bytes.Length, bytes.Length, n, ValueMode.Fp16, 0x7BFF, CodecPath.Resolve(path));
            for (int at = 0; at < n; at += Planes.Block)
            {
                int count = decoder.Next(block, halves: false);
                new Span<ushort>(block, count).CopyTo(codes.AsSpan(at));
            }
        }
        return codes;
    }
}
