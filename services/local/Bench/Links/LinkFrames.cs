using EcoLora.Codec;

namespace EcoLora.Local.Bench;

/// <summary>A frame as a run sends it.</summary>
/// <param name="Exchange">What is sent: <c>ecolora</c>, <c>dense-fp16</c> or <c>dense-fp32</c>.</param>
/// <param name="Entries">Entries of the segment.</param>
/// <param name="Bytes">The frame: what the ledger counts as framed.</param>
internal sealed record LinkFrame(string Exchange, int Entries, byte[] Bytes);

/// <summary>Frames made of a run's own updates by the codec; the same updates make the same frames at both ends of a link.</summary>
internal static class LinkFrames
{
    /// <summary>The paper's k_min: what a run sends once its loss has fallen.</summary>
    private const double KeepA = 0.6, KeepB = 0.5;

    /// <summary>For each number of entries a compressed frame and both dense ones.</summary>
    /// <param name="folder">What <c>ecolora run --keep-updates</c> left.</param>
    /// <param name="entries">Most entries of each; as many whole updates are joined as fit.</param>
    public static IReadOnlyList<LinkFrame> Make(string folder, IReadOnlyList<int> entries)
    {
        var frames = new List<LinkFrame>();
        foreach (int most in entries)
        {
            DenseUpdate update = RealUpdate.Read(folder, most);
            frames.Add(Frame("ecolora", update, new Compression(KeepA, KeepB, ValueMode.Fp16)));
            frames.Add(Frame("dense-fp16", update, new Compression(1, 1, ValueMode.Fp16, LosslessCoding.Golomb)));
            frames.Add(Frame("dense-fp32", update, new Compression(1, 1, ValueMode.Fp32, LosslessCoding.Golomb)));
        }
        return frames;
    }

    private static LinkFrame Frame(string exchange, DenseUpdate update, Compression compression)
    {
        var header = new FrameHeader(FrameKind.Segment, FrameHeader.KeyOf("links"), 0, 0, 0, 1, 0, (uint)update.Layout.Fingerprint);
        return new LinkFrame(exchange, update.Values.Length, FrameEncoder.Encode(header, update.Layout, [.. update.Values], compression));
    }
}
