namespace EcoLora.Codec.Tests;

/// <summary>A pinned frame: what it is made from. Its bytes are in Golden/, and what they decode to in Golden/frames.json.</summary>
internal sealed record GoldenFrame(string Name, LoraLayout Layout, FrameHeader Header, Compression Compression, Func<int, float> Change)
{
    /// <summary>The run of all of them.</summary>
    public const string Run = "golden";

    /// <summary>Every mode of values and positions, and every branch of the format that a writer takes.</summary>
    public static IReadOnlyList<GoldenFrame> All { get; } =
    [
        Make("one-entry", MadeUpVectors.Layout((1, 1, 1)).Only(LoraRole.B), ValueMode.Fp16, 1, i => -0.37f),
        Make("all-zero", Small, ValueMode.Fp16, 0.5, i => 0),
        Make("tiny-fp16", MadeUpVectors.Layout((4, 6, 2)), ValueMode.Fp16, 0.3, Smooth(1)),
        Make("golomb-fp16", Small, ValueMode.Fp16, 0.07, Smooth(2), LosslessCoding.Golomb),
        Make("golomb-sign", Small, ValueMode.Sign, 0.3, Smooth(3), LosslessCoding.Golomb),
        Make("plain-fp32", Small, ValueMode.Fp32, 1, Smooth(4), LosslessCoding.Golomb),
        Make("plain-int4", Small, ValueMode.Int4, 1, Smooth(5), LosslessCoding.Golomb),
        Make("fp32", Small, ValueMode.Fp32, 0.4, Smooth(6)),
        Make("fp16", Small, ValueMode.Fp16, 0.6, Smooth(7)),
        Make("fp16-sparse", MadeUpVectors.Layout((640, 384, 16)), ValueMode.Fp16, 0.002, Smooth(8)),
        Make("bf16", Small, ValueMode.Bf16, 0.5, Smooth(9)),
        Make("int8", Small, ValueMode.Int8, 0.6, Smooth(10)),
        Make("int4", Small, ValueMode.Int4, 0.6, Smooth(11)),
        Make("sign", Small, ValueMode.Sign, 0.5, Smooth(12)),
        Make("segment-of-five", Small, ValueMode.Fp16, 0.95, Smooth(13), segments: 5),
        Make("largest-floats", Small, ValueMode.Fp16, 0.9, i => i % 97 == 0 ? float.MaxValue : 1e37f * Smooth(14)(i)),
        Make("wide-fp16", Small, ValueMode.Fp16, 1, i => Smooth(15)(i) * Power(-(i * 7 % 23))),
        Make("wide-bf16", Small, ValueMode.Bf16, 1, i => Smooth(16)(i) * Power(-(i * 11 % 60))),
        Make("density-classes", MadeUpVectors.Layout([.. Enumerable.Repeat((256, 128, 16), 8)]), ValueMode.Fp16, 0.1, i => Smooth(17)(i) * Power(-(i >> 12) * 5 % 7)),
        Make("many-lanes", MadeUpVectors.Layout((8192, 1, 16)).Only(LoraRole.B), ValueMode.Int4, 0.6, Smooth(18)),
        Make("two-chunks", MadeUpVectors.Layout((4096, 16, 75)).Only(LoraRole.B), ValueMode.Sign, 0.97, Smooth(19)),
        Make("nearly-all", MadeUpVectors.Layout((3, 3, 1)), ValueMode.Sign, 0.7, Smooth(21)),
        Make("fp32-sparse", MadeUpVectors.Layout((640, 384, 16)), ValueMode.Fp32, 0.03, Smooth(22)),
        Make("escapes", MadeUpVectors.Layout([.. Enumerable.Repeat((256, 128, 16), 8)]), ValueMode.Fp16, 0.3,
            i => Smooth(23)(i) * Power((i & 63) == 5 ? 3 : 0) * Power(-(i >> 12) * 5 % 7)),
        Make("global-change", Small, ValueMode.Fp16, 0.7, Smooth(20)) with
        {
            Header = new FrameHeader(FrameKind.GlobalChange, FrameHeader.KeyOf(Run), 4, FrameHeader.Aggregator, 0, 1, 4, (uint)Small.Fingerprint),
        },
    ];

    private static LoraLayout Small => MadeUpVectors.Layout((96, 64, 8), (40, 96, 8), (24, 24, 3));

    public float[] Values() => [.. Enumerable.Range(0, Header.Range(Layout).Length).Select(Change)];

    private static GoldenFrame Make(string name, LoraLayout layout, ValueMode mode, double keep, Func<int, float> change,
        LosslessCoding coding = LosslessCoding.Entropy, int segments = 1) =>
        new(name, layout, MadeUpVectors.Segment(layout, segments / 2, segments), new Compression(keep, Math.Max(0.001, keep * 0.9), mode, coding), change);

    /// <summary>Nearly Gaussian numbers from whole-number arithmetic alone, so that every machine makes the same.</summary>
    private static Func<int, float> Smooth(ulong seed) => i =>
    {
        ulong state = (ulong)i * 0x9E3779B97F4A7C15 + seed * 0xD1B54A32D192ED03;
        long sum = 0;
        for (int term = 0; term < 12; term++)
        {
            state = (state ^ state >> 29) * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB;
            sum += (long)(state >> 40);
        }
        return (sum - 6 * (1 << 24)) / (float)(1 << 24);
    };

    private static float Power(int exponent) => MathF.ScaleB(1, exponent);
}
