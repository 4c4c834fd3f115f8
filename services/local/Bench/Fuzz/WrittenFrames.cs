using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>Valid frames of the project's own writer: every value mode and coding, several densities, segments, and blocks of unlike density.</summary>
internal static class WrittenFrames
{
    private static readonly double[] _densities = [.02, .1, .3, .6, .95, 1];

    /// <summary>Makes them from a seed.</summary>
    public static IReadOnlyList<BaseFrame> Make(ulong seed)
    {
        var random = new RandomStream(seed, "fuzz-written");
        var frames = new List<BaseFrame>();
        for (int layout = 0; layout < FuzzLayouts.All.Count; layout++)
            foreach (ValueMode mode in Enum.GetValues<ValueMode>())
                foreach (LosslessCoding coding in Enum.GetValues<LosslessCoding>())
                    foreach (double density in _densities)
                        if (layout != FuzzLayouts.Large || coding == LosslessCoding.Entropy && density is .3 or .95)
                            frames.Add(new BaseFrame(layout, Encode(random, layout, new Compression(density, Math.Min(1, 1.2 * density), mode, coding))));
        return frames;
    }

    private static byte[] Encode(RandomStream random, int number, Compression compression)
    {
        LoraLayout layout = FuzzLayouts.All[number];
        bool isGlobal = random.NextInt32(4) == 0;
        int segments = isGlobal || number == FuzzLayouts.Large || random.NextInt32(2) == 0 ? 1 : 2 + random.NextInt32(4);
        var header = new FrameHeader(isGlobal ? FrameKind.GlobalChange : FrameKind.Segment, FrameHeader.KeyOf("fuzz"), random.NextInt32(100),
            isGlobal ? FrameHeader.Aggregator : random.NextInt32(100), random.NextInt32(segments), segments, random.NextInt32(100), (uint)layout.Fingerprint);
        float[] change = new float[header.Range(layout).Length];
        bool byBlock = random.NextInt32(2) == 0;
        double scale = 1;
        if (random.NextInt32(16) == 0) return FrameEncoder.Encode(header, layout, change, compression);
        // A scale for every so many entries gives blocks of unlike density, thus density classes; the wider it is, the more escapes.
        for (int i = 0; i < change.Length; i++)
        {
            if (byBlock && i % 1024 == 0) scale = Math.Exp(1.5 * random.NextGaussian());
            change[i] = (float)(scale * random.NextGaussian());
        }
        if (compression.Values == ValueMode.Fp16 && random.NextInt32(3) == 0) return EncodeHalves(header, layout, change, compression);
        return FrameEncoder.Encode(header, layout, change, compression);
    }

    private static byte[] EncodeHalves(FrameHeader header, LoraLayout layout, float[] change, Compression compression)
    {
        Half[] halves = [.. change.Select(value => Math.Abs(value) < 1 - compression.KeepA ? default : (Half)value)];
        byte[] bytes = new byte[FrameEncoder.MaximumSize(header, layout, ValueMode.Fp16)];
        return bytes[..FrameEncoder.Encode(header, layout, halves, compression.Coding, bytes)];
    }
}
