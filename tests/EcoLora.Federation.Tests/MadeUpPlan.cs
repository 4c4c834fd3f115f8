using EcoLora.Codec;

namespace EcoLora.Federation.Tests;

/// <summary>Small plans, reports and frames.</summary>
internal static class MadeUpPlan
{
    /// <summary>Client c has c + 1 samples and lives at site c modulo 3.</summary>
    public static RunPlan Plan(int clients = 6, int participants = 3, int segments = 2, int rounds = 4, int evaluateEvery = 2) => new(
        "run-1", 11, "fedit", rounds, participants, evaluateEvery, new ExchangeOptions { Segments = segments },
        [new LoraModule("q", 4, 6, 2)],
        [.. Enumerable.Range(0, clients).Select(c => new Enrolment(c, c % Math.Min(3, clients), c + 1))]);

    public static FrameSizes Sizes { get; } = new(12, 6, 8, 4, 40, 60, 30, 24, 90);

    /// <summary>A segment's frame that keeps everything in FP32, so nothing is lost.</summary>
    public static Frame Lossless(LoraLayout layout, float[] change, int client, int segment = 0, int segments = 1)
    {
        var header = new FrameHeader(FrameKind.Segment, FrameHeader.KeyOf("run-1"), 0, client, segment, segments, 0, (uint)layout.Fingerprint);
        float[] copy = [.. change];
        return Frame.Open(FrameEncoder.Encode(header, layout, copy, new Compression(1, 1, ValueMode.Fp32)), layout);
    }
}
