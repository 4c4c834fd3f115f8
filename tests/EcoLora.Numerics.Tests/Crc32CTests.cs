namespace EcoLora.Numerics.Tests;

public class Crc32CTests
{
    [Fact]
    public void The_check_value_of_the_standard() => Assert.Equal(0xE3069283, Crc32C.Of("123456789"u8));

    [Theory]
    [InlineData(SimdPath.Fastest)]
    [InlineData(SimdPath.Scalar)]
    [InlineData(SimdPath.Vector256)]
    [InlineData(SimdPath.Vector512)]
    public void Every_path_gives_what_single_bits_give(SimdPath path)
    {
        var random = new RandomStream(1, "crc");
        byte[] bytes = new byte[10_000];
        for (int i = 0; i < bytes.Length; i++) bytes[i] = (byte)random.NextInt32(256);
        int[] lengths = [.. Enumerable.Range(0, 600), 1023, 1024, 3071, 3072, 3073, 6143, 6144, 6151, 9216, 9990];
        foreach (int offset in (int[])[0, 1, 7])
            foreach (int length in lengths)
                Assert.Equal(Bitwise(0, bytes.AsSpan(offset, length)), Crc32C.Continue(0, bytes.AsSpan(offset, length), path));
        foreach (int cut in lengths) Assert.Equal(Crc32C.Of(bytes), Crc32C.Continue(Crc32C.Continue(0, bytes.AsSpan(0, cut), path), bytes.AsSpan(cut), path));
    }

    private static uint Bitwise(uint checksum, ReadOnlySpan<byte> bytes)
    {
        uint crc = ~checksum;
        foreach (byte b in bytes)
        {
            crc ^= b;
            for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0x82F63B78 & 0u - (crc & 1));
        }
        return ~crc;
    }
}
