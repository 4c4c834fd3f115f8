using EcoLora.Numerics;

namespace EcoLora.Codec.Tests;

public unsafe class RansTests
{
    [Fact]
    public void Every_length_comes_back_and_all_paths_write_the_same_bytes_and_states()
    {
        var random = new RandomStream(1, "rans");
        for (int length = 0; length <= 300; length++)
            foreach (int symbols in (int[])[2, 16, 17, 64])
                Check(Table(random, symbols), random, length);
        Check(Table(random, 50), random, 20_000);
    }

    [Fact]
    public void Every_frequency_divides_every_kind_of_state_alike()
    {
        var random = new RandomStream(2, "rans");
        for (int f = 1; f < RansTable.Total; f++)
        {
            var table = new RansTable();
            table.Set([f, RansTable.Total - f]);
            Check(table, random, 4096);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(32)]
    [InlineData(RansDecoder.VectorLanes)]
    public void A_stream_that_is_too_short_ends_without_reading_beyond_it(int lanes)
    {
        var random = new RandomStream(3, "rans");
        RansTable table = Table(random, 40);
        byte[] symbols = Symbols(table, random, 5000);
        foreach (SimdPath path in Paths.All)
        {
            (byte[] bytes, uint[] states) = Encode(table, symbols, Start(random, lanes), path);
            foreach (int missing in (int[])[1, 2, 63, 64, 65, 1000, bytes.Length])
                Assert.Null(Decode(table, bytes[..^missing], [.. states], symbols.Length, path));
        }
    }

    private static void Check(RansTable table, RandomStream random, int length)
    {
        byte[] symbols = Symbols(table, random, length);
        uint[] start = Start(random, RansDecoder.VectorLanes);
        (byte[] bytes, uint[] states) = Encode(table, symbols, start, SimdPath.Scalar);
        foreach (SimdPath path in Paths.All)
        {
            (byte[] found, uint[] end) = Encode(table, symbols, start, path);
            Assert.True(bytes.AsSpan().SequenceEqual(found), $"{path}, {length} symbols: other bytes");
            Assert.True(states.AsSpan().SequenceEqual(end), $"{path}, {length} symbols: other states");
            uint[] first = [.. states];
            byte[]? decoded = Decode(table, bytes, first, length, path);
            Assert.True(decoded.AsSpan().SequenceEqual(symbols), $"{path}, {length} symbols: other symbols");
            Assert.True(first.AsSpan().SequenceEqual(start), $"{path}, {length} symbols: other states after them");
        }
    }

    /// <summary>Frequencies of which some are 1 and one is large.</summary>
    private static RansTable Table(RandomStream random, int symbols)
    {
        int[] frequencies = [.. Enumerable.Repeat(1, symbols)];
        for (int left = RansTable.Total - symbols; left > 0;)
        {
            int more = Math.Min(left, 1 + random.NextInt32(40));
            frequencies[random.NextInt32(symbols)] += more;
            left -= more;
        }
        var table = new RansTable();
        table.Set(frequencies);
        return table;
    }

    private static byte[] Symbols(RansTable table, RandomStream random, int length) =>
        [.. Enumerable.Range(0, length).Select(_ => table.Symbols[random.NextInt32(RansTable.Total)])];

    private static uint[] Start(RandomStream random, int lanes) =>
        [.. Enumerable.Range(0, lanes).Select(_ => RansDecoder.LowerBound + (uint)random.NextInt32(1 << 15))];

    private static (byte[] Bytes, uint[] States) Encode(RansTable table, byte[] symbols, uint[] start, SimdPath path)
    {
        uint[] states = [.. start];
        byte[] bytes = new byte[symbols.Length + 256];
        fixed (byte* from = symbols, to = bytes)
        fixed (uint* x = states)
        {
            byte* end = to + bytes.Length;
            var cursor = new RansEncoder.Cursor { States = x, Lanes = states.Length, Bytes = end, Lane = symbols.Length & states.Length - 1 };
            RansEncoder.Run(table, ref cursor, from, symbols.Length, path);
            Assert.Equal(0, cursor.Lane);
            return (bytes[^(int)(end - cursor.Bytes)..], states);
        }
    }

    /// <summary>The symbols, or null where the bytes ran out; the states are moved on.</summary>
    private static byte[]? Decode(RansTable table, byte[] bytes, uint[] states, int length, SimdPath path)
    {
        byte[] symbols = new byte[length + 64], readable = [.. bytes, .. new byte[256]];
        fixed (byte* from = readable, to = symbols)
        fixed (uint* x = states)
        {
            var cursor = new RansDecoder.Cursor
            {
                States = x,
                Lanes = states.Length,
                Bytes = from,
                End = from + bytes.Length,
                Readable = from + readable.Length,
            };
            return RansDecoder.Run(table, ref cursor, to, length, path) ? symbols[..length] : null;
        }
    }
}
