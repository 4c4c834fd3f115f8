using System.Runtime.InteropServices;
using EcoLora.Numerics;

namespace EcoLora.Codec.Tests;

public class ValueKernelTests
{
    private const int Entries = 4099;

    [Theory]
    [InlineData(SectionParameters.SmallestScale)]
    [InlineData(-24)]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(13)]
    [InlineData(126)]
    public void Binary16_is_the_same_on_every_path(int exponent) =>
        Check(new Fp16Kernel(exponent), largest: Math.Min(BitConverter.SingleToUInt32Bits(32767.99f) - ((uint)exponent << 23), 0x7F7F_FFFF), exponent);

    [Fact]
    public void Bfloat16_is_the_same_on_every_path() => Check(new Bf16Kernel(), largest: 0x7F7F_FFFF, 0);

    [Theory]
    [InlineData(1f, 127)]
    [InlineData(0.0123f, 127)]
    [InlineData(1e-30f, 7)]
    [InlineData(3e30f, 7)]
    public void Steps_are_the_same_on_every_path(float step, int levels) =>
        Check(new StepKernel(step, levels), largest: BitConverter.SingleToUInt32Bits(step * levels), levels);

    [Fact]
    public void Signs_are_the_same_on_every_path() => Check(new SignKernel(0.37f), largest: 0x7F7F_FFFF, 0);

    /// <summary>Codes, what is left, the values and the weighted sums, bit by bit, of magnitudes all over the range, of ties and their neighbours.</summary>
    private static void Check<TKernel>(TKernel kernel, uint largest, int seed)
        where TKernel : struct, IValueKernel
    {
        var random = new RandomStream(5, $"values {seed}");
        uint[] change = new uint[Entries];
        for (int i = 0; i < Entries; i++)
        {
            uint magnitude = (uint)random.NextInt32((int)largest + 1);
            // Half of them in the middle between two numbers of 10, of 7 or of fewer bits, or one beside it.
            if ((i & 1) != 0) magnitude = (magnitude & ~0u << (i >> 1) % 20) + (1u << (i >> 1) % 20 >> 1) + (uint)(i % 3) - 1;
            change[i] = Math.Min(magnitude, largest) | (uint)i << 31;
        }
        uint minimum = change[7] & 0x7FFF_FFFF;
        foreach (uint least in (uint[])[0, minimum])
        {
            (ushort[] codes, uint[] residual) = Quantized(kernel, change, least, SimdPath.Scalar);
            Assert.Contains(codes, code => code != 0);
            (uint[] values, ulong[] sums) = Dequantized(kernel, codes, SimdPath.Scalar);
            foreach (SimdPath path in Paths.All)
            {
                (ushort[] found, uint[] left) = Quantized(kernel, change, least, path);
                Assert.Equal(codes, found);
                Assert.Equal(residual, left);
                (uint[] foundValues, ulong[] foundSums) = Dequantized(kernel, codes, path);
                Assert.Equal(values, foundValues);
                Assert.Equal(sums, foundSums);
            }
        }
    }

    private static (ushort[] Codes, uint[] Residual) Quantized<TKernel>(TKernel kernel, uint[] change, uint minimum, SimdPath path)
        where TKernel : struct, IValueKernel
    {
        uint[] residual = [.. change];
        ushort[] codes = new ushort[change.Length];
        Quantize.Run(MemoryMarshal.Cast<uint, float>(residual.AsSpan()), codes, minimum, kernel, path);
        return (codes, residual);
    }

    private static (uint[] Values, ulong[] Sums) Dequantized<TKernel>(TKernel kernel, ushort[] codes, SimdPath path)
        where TKernel : struct, IValueKernel
    {
        uint[] values = new uint[codes.Length];
        double[] sums = new double[codes.Length];
        Array.Fill(sums, 0.1);
        Dequantize.Run(codes, MemoryMarshal.Cast<uint, float>(values.AsSpan()), kernel, path);
        Dequantize.Accumulate(codes, 1.0 / 3, sums, kernel, path);
        return (values, MemoryMarshal.Cast<double, ulong>(sums.AsSpan()).ToArray());
    }
}
