namespace EcoLora.Numerics.Tests;

public class FloatConversionTests
{
    private static readonly ushort[] AllBits = [.. Enumerable.Range(0, 65_536).Select(i => (ushort)i)];

    [Fact]
    public void Every_half_widens_to_its_value()
    {
        float[] vector = new float[AllBits.Length];
        FloatConversion.WidenHalf(AllBits, vector);
        for (int i = 0; i < AllBits.Length; i++)
        {
            // The definition: (-1)^s · 2^(e-15) · 1.f, subnormals 2^-14 · 0.f, e = 31 infinity or NaN.
            int exponent = (i >> 10) & 31, fraction = i & 1023;
            double magnitude = exponent switch
            {
                31 => fraction == 0 ? double.PositiveInfinity : double.NaN,
                0 => fraction * Math.Pow(2, -24),
                _ => (1024 + fraction) * Math.Pow(2, exponent - 25),
            };
            float expected = (float)(i >= 0x8000 ? -magnitude : magnitude);
            Assert.Equal(expected, FloatConversion.WidenHalf(AllBits[i]));
            Assert.Equal((float)BitConverter.UInt16BitsToHalf(AllBits[i]), FloatConversion.WidenHalf(AllBits[i]));
            Assert.Equal(BitConverter.SingleToUInt32Bits(FloatConversion.WidenHalf(AllBits[i])), BitConverter.SingleToUInt32Bits(vector[i]));
            Assert.Equal(i >= 0x8000, float.IsNegative(vector[i]));
            if (!float.IsNaN(vector[i])) Assert.Equal(AllBits[i], FloatConversion.NarrowHalf(vector[i]));
            else Assert.True(Half.IsNaN(BitConverter.UInt16BitsToHalf(FloatConversion.NarrowHalf(vector[i]))));
        }
    }

    [Fact]
    public void Every_bfloat16_is_the_upper_half_of_its_float()
    {
        float[] vector = new float[AllBits.Length];
        FloatConversion.WidenBrain(AllBits, vector);
        for (int i = 0; i < AllBits.Length; i++)
        {
            Assert.Equal((uint)i << 16, BitConverter.SingleToUInt32Bits(FloatConversion.WidenBrain(AllBits[i])));
            Assert.Equal((uint)i << 16, BitConverter.SingleToUInt32Bits(vector[i]));
            if (!float.IsNaN(vector[i])) Assert.Equal(AllBits[i], FloatConversion.NarrowBrain(vector[i]));
            else Assert.True(float.IsNaN(FloatConversion.WidenBrain(FloatConversion.NarrowBrain(vector[i]))));
        }
    }

    /// <summary>Bits on both sides of the midpoint between two bfloat16 values, and on it.</summary>
    [Theory]
    [InlineData(0x3F80_7FFFu, 0x3F80)]
    [InlineData(0x3F80_8000u, 0x3F80)]
    [InlineData(0x3F80_8001u, 0x3F81)]
    [InlineData(0x3F81_8000u, 0x3F82)]
    [InlineData(0x7F7F_FFFFu, 0x7F80)]
    [InlineData(0x0000_8001u, 0x0001)]
    [InlineData(0x7F80_0001u, 0x7FC0)]
    [InlineData(0xFFFF_FFFFu, 0xFFFF)]
    public void Narrowing_to_bfloat16_rounds_to_the_nearest_even(uint bits, int expected) =>
        Assert.Equal(expected, FloatConversion.NarrowBrain(BitConverter.UInt32BitsToSingle(bits)));

    [Fact]
    public void Vectors_equal_scalars_at_every_length()
    {
        var random = new RandomStream(5, "bits");
        for (int length = 0; length <= 256; length++)
        {
            ushort[] source = [.. Enumerable.Range(0, length).Select(_ => (ushort)random.NextInt32(65_536))];
            float[] half = new float[length], brain = new float[length];
            FloatConversion.WidenHalf(source, half);
            FloatConversion.WidenBrain(source, brain);
            Assert.Equal(source.Select(FloatConversion.WidenHalf), half);
            Assert.Equal(source.Select(FloatConversion.WidenBrain), brain);
        }
    }
}
