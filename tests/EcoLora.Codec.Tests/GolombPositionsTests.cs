using EcoLora.Numerics;

namespace EcoLora.Codec.Tests;

public class GolombPositionsTests
{
    /// <summary>The example of FORMAT.md: gaps 0, 0, 3, 3 in unary, least significant bit first.</summary>
    [Fact]
    public void The_example_of_the_format_has_these_bytes() => Assert.Equal([0xDC, 0x01], Encode([0, 1, 5, 9], 1));

    /// <summary>M = 5: w = 3, u = 3. Gap 7 = 1·5 + 2: "10", then 2 in two bits "01". Gap 4: "0", c = 7: "11", "1".</summary>
    [Fact]
    public void Truncated_binary_by_hand() => Assert.Equal([0b1110_1001], Encode([7, 12], 5)); // 1 0 | 0 1 | 0 | 1 1 | 1, first bit lowest.

    [Theory]
    [InlineData(4, 10, 1)]
    [InlineData(1, 10, 7)]
    [InlineData(1, 2, 1)]
    [InlineData(0, 10, 1)]
    [InlineData(10, 10, 1)]
    [InlineData(1, int.MaxValue, 65535)]
    public void The_parameter_is_the_smallest_that_satisfies_the_optimum(int kept, int entries, int parameter) =>
        Assert.Equal(parameter, GolombPositions.ParameterFor(kept, entries));

    [Fact]
    public void The_parameter_satisfies_its_definition()
    {
        for (int kept = 1; kept < 1000; kept++)
        {
            double miss = 1 - kept / 1000.0;
            int parameter = GolombPositions.ParameterFor(kept, 1000);
            Assert.True(Math.Pow(miss, parameter) + Math.Pow(miss, parameter + 1) <= 1 + 1e-12);
            Assert.True(parameter == 1 || Math.Pow(miss, parameter - 1) + Math.Pow(miss, parameter) > 1 - 1e-12);
        }
    }

    [Fact]
    public void Bytes_are_those_of_a_bit_by_bit_reference_and_decode_to_what_was_encoded()
    {
        var random = new RandomStream(3, "golomb");
        double[] fractions = [0.0005, 0.01, 0.05, 0.1, 0.3, 0.5, 0.6, 0.8, 0.95, 0.999];
        int[] parameters = [1, 2, 3, 4, 5, 7, 8, 31, 32, 33, 127, 1000, 32768, 65535];
        foreach (double fraction in fractions)
        {
            for (int trial = 0; trial < 30; trial++)
            {
                int entries = 1 + random.NextInt32(3000);
                int[] indexes = [.. Enumerable.Range(0, entries).Where(_ => random.NextDouble() < fraction)];
                int optimum = GolombPositions.ParameterFor(indexes.Length, entries);
                foreach (int parameter in new[] { optimum, parameters[trial % parameters.Length] })
                {
                    byte[] bytes = Encode(indexes, parameter);
                    Assert.Equal(Reference(indexes, parameter), bytes);
                    int[] decoded = new int[indexes.Length];
                    Assert.True(GolombPositions.TryDecode(bytes, parameter, entries, decoded));
                    Assert.Equal(indexes, decoded);
                }
            }
        }
    }

    [Theory]
    [InlineData(new[] { 0 }, 1)]
    [InlineData(new[] { 99_999 }, 100_000)]
    [InlineData(new[] { 0, 99_999 }, 100_000)]
    public void Single_and_far_positions_round_trip(int[] indexes, int entries)
    {
        foreach (int parameter in new[] { 1, 2, 3, 1024, 65535 })
        {
            int[] decoded = new int[indexes.Length];
            Assert.True(GolombPositions.TryDecode(Encode(indexes, parameter), parameter, entries, decoded));
            Assert.Equal(indexes, decoded);
        }
    }

    /// <summary>shared/reference/codec.md: entropy H(p)/p per kept entry and Golomb's excess over it.</summary>
    [Theory]
    [InlineData(0.05, 5.728, 0.006)]
    [InlineData(0.1, 4.690, 0.008)]
    [InlineData(0.3, 2.938, 0.008)]
    [InlineData(0.5, 2.000, 0.000)]
    [InlineData(0.6, 1.618, 0.030)]
    [InlineData(0.8, 0.902, 0.390)]
    [InlineData(0.95, 0.301, 2.490)]
    public void The_coded_size_is_that_of_the_theory(double fraction, double entropy, double excess)
    {
        var random = new RandomStream(4, "golomb-size");
        int entries = 200_000;
        int[] indexes = [.. Enumerable.Range(0, entries).Where(_ => random.NextDouble() < fraction)];
        double bits = 8.0 * Encode(indexes, GolombPositions.ParameterFor(indexes.Length, entries)).Length / indexes.Length;
        Assert.InRange(bits, entropy * (1 + excess) * 0.985, entropy * (1 + excess) * 1.015);
    }

    [Fact]
    public void Bytes_that_are_cut_long_or_point_outside_are_refused()
    {
        byte[] bytes = Encode([0, 1, 5, 9], 1);
        int[] decoded = new int[4];
        Assert.True(GolombPositions.TryDecode(bytes, 1, 10, decoded));
        Assert.False(GolombPositions.TryDecode(bytes, 1, 9, decoded));
        Assert.False(GolombPositions.TryDecode(bytes.AsSpan(0, 1), 1, 10, decoded));
        Assert.False(GolombPositions.TryDecode([.. bytes, 0], 1, 10, decoded));
        Assert.False(GolombPositions.TryDecode([bytes[0], (byte)(bytes[1] | 0x80)], 1, 10, decoded));
        Assert.False(GolombPositions.TryDecode([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], 1, 10, decoded));
        Assert.False(GolombPositions.TryDecode([], 1, 10, decoded));
        Assert.True(GolombPositions.TryDecode([], 1, 10, []));
        Assert.False(GolombPositions.TryDecode([0], 1, 10, []));
    }

    private static byte[] Encode(int[] indexes, int parameter)
    {
        ulong[] bitmap = new ulong[indexes.LastOrDefault() / 64 + 1];
        foreach (int index in indexes) bitmap[index / 64] |= 1UL << index;
        byte[] bytes = new byte[(GolombPositions.Bits(bitmap, parameter) + 7) / 8];
        Assert.Equal(bytes.Length, GolombPositions.Encode(indexes, parameter, bytes));
        return bytes;
    }

    private static byte[] Reference(int[] indexes, int parameter)
    {
        var bits = new List<bool>();
        int width = 0, previous = -1;
        while (1 << width < parameter) width++;
        int unused = (1 << width) - parameter;
        foreach (int index in indexes)
        {
            int gap = index - previous - 1, remainder = gap % parameter;
            previous = index;
            for (int i = 0; i < gap / parameter; i++) bits.Add(true);
            bits.Add(false);
            if (parameter == 1) continue;
            bool isShort = remainder < unused;
            int head = isShort ? remainder : (remainder + unused) / 2;
            for (int i = 0; i < width - 1; i++) bits.Add((head >> i & 1) == 1);
            if (!isShort) bits.Add((remainder + unused) % 2 == 1);
        }
        byte[] bytes = new byte[(bits.Count + 7) / 8];
        for (int i = 0; i < bits.Count; i++) if (bits[i]) bytes[i / 8] |= (byte)(1 << i % 8);
        return bytes;
    }
}
