using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>The codecs of the bench, in the order of the rows.</summary>
internal static class PeerList
{
    /// <summary>Name of this project's codec.</summary>
    public const string Own = "ecolora";

    /// <summary>The codecs that run, or would if their library were here.</summary>
    public static IEnumerable<Peer> Of(ZstdLibrary zstd, LzmaLibrary lzma, SimdPath path)
    {
        yield return new Peer(Own, false, "", null, update => new EcoLoraPeer(update, path));
        yield return new Peer("golomb+fp16", false, "the paper's coding", null, update => new GolombPeer(update));
        yield return Dense("zstd-1", false, zstd.Absent, () => zstd.At(1));
        yield return Dense("zstd-3", false, zstd.Absent, () => zstd.At(3));
        yield return Dense("zstd-19", true, zstd.Absent, () => zstd.At(19));
        yield return Dense("xz-6", true, lzma.Absent, () => lzma.At(6));
        yield return OnPlanes("planes+zstd-1", false, zstd.Absent, () => zstd.At(1));
        yield return OnPlanes("planes+zstd-19", true, zstd.Absent, () => zstd.At(19));
        yield return OnPlanes("planes+xz-6", true, lzma.Absent, () => lzma.At(6));
        yield return OnPlanes("planes+xz-9", true, lzma.Absent, () => lzma.At(9));
        yield return OnPlanes("planes+brotli-11", true, null, () => new BrotliCompressor());
    }

    /// <summary>The word for a path on the command line and in reports.</summary>
    public static string WordOf(SimdPath path) => path switch
    {
        SimdPath.Vector512 => "avx512",
        SimdPath.Vector256 => "avx2",
        SimdPath.Vector128 => "vector128",
        SimdPath.Scalar => "scalar",
        _ => "fastest",
    };

    private static Peer Dense(string name, bool slow, string? absent, Func<IByteCompressor> compressor) =>
        new(name, slow, "dense FP16 bytes", absent, update => new CompressorPeer(update, compressor(), onPlanes: false));

    private static Peer OnPlanes(string name, bool slow, string? absent, Func<IByteCompressor> compressor) =>
        new(name, slow, "without split and merge", absent, update => new CompressorPeer(update, compressor(), onPlanes: true));
}
