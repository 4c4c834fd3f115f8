using EcoLora.Local.Bench;
using EcoLora.Numerics;

namespace EcoLora.Local.Tests.Bench;

public class PeerTests
{
    private static readonly double[] Densities = [0, 0.02, 0.3, 0.9, 1];

    public static TheoryData<string> Names => [.. Peers().Select(peer => peer.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_peer_gives_the_bits_back(string name)
    {
        Peer peer = Peers().Single(p => p.Name == name);
        Assert.SkipWhen(peer.Absent is not null, $"{name}: {peer.Absent}");
        int[] lengths = peer.IsSlow ? [1, 7, 64, 255, 256] : [.. Enumerable.Range(1, 256)];
        foreach (int length in lengths)
            foreach (double density in Densities)
            {
                using SparseUpdate update = MadeUpUpdate.Random(length, density);
                AssertExact(peer, update);
            }
        using SparseUpdate large = MadeUpUpdate.Random(100_001, 0.1);
        AssertExact(peer, large);
    }

    [Fact]
    public void Golomb_codes_gaps_of_any_length()
    {
        foreach (int gap in (int[])[0, 1, 30, 31, 32, 33, 63, 64, 65, 1000, 50_000, 99_990])
        {
            double[] values = new double[100_000];
            values[gap] = -1.5;
            values[^1] = 2;
            // Many neighbours make the parameter small, so that the gap's quotient is large.
            for (int i = 0; i < 9; i++) values[gap + i] = 1;
            using SparseUpdate few = MadeUpUpdate.Of(values);
            AssertExact(Peers().Single(peer => peer.Name == "golomb+fp16"), few);
            Array.Fill(values, 1, 50_001, 49_999);
            using SparseUpdate many = MadeUpUpdate.Of(values);
            AssertExact(Peers().Single(peer => peer.Name == "golomb+fp16"), many);
        }
    }

    [Fact]
    public void Golomb_takes_the_bits_of_its_code()
    {
        // M = 1 for half of the entries kept: a zero bit per neighbour, a one for each entry between; 12 bytes of header, 2 per value.
        using SparseUpdate update = MadeUpUpdate.Of(1, 0, 1, 0, 0, 1, 1, 0, 1, 1);
        using var golomb = new GolombPeer(update);
        Assert.Equal(12 + 6 * 2 + 2, golomb.Encode());
    }

    [Fact]
    public void Planes_are_the_bitmap_the_tokens_and_the_low_bytes()
    {
        // bits(1) = 0x3C00, bits(2) = 0x4000: d = 0x400·2 = 0x800; with the sign 0x801.
        using SparseUpdate update = MadeUpUpdate.Of(0, 1, 0, 0, 0, 0, 0, 0, -2, 0);
        byte[] planes = new byte[PeerPlanes.SizeOf(update)];
        PeerPlanes.Split(update, planes);
        Assert.Equal([0b10, 0b1, 0x00, 0x08, 0x00, 0x01], planes);
    }

    [Fact]
    public void A_library_or_function_that_is_missing_makes_peers_absent()
    {
        var zstd = new ZstdLibrary("libnone.so.9");
        var lzma = new LzmaLibrary("libnone.so.9");
        Peer[] peers = [.. PeerList.Of(zstd, lzma, SimdPath.Fastest)];
        Assert.Equal(Peers().Select(peer => peer.Name), peers.Select(peer => peer.Name));
        Assert.All(peers.Where(peer => peer.Name.Contains("zstd", StringComparison.Ordinal) || peer.Name.Contains("xz", StringComparison.Ordinal)),
            peer => Assert.Equal("libnone.so.9 was not found", peer.Absent));
        Assert.Null(peers.Single(peer => peer.Name == "planes+brotli-11").Absent);
        Assert.Null(zstd.Version);

        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs libc.so.6");
        Assert.Equal("libc.so.6 has no no_such_function", new SharedLibrary("libc.so.6", "strlen", "no_such_function").Absent);
        Assert.Null(new SharedLibrary("libc.so.6", "strlen").Absent);
    }

    private static IEnumerable<Peer> Peers() => PeerList.Of(new ZstdLibrary(), new LzmaLibrary(), SimdPath.Fastest);

    private static void AssertExact(Peer peer, SparseUpdate update)
    {
        using Coding coding = peer.Open(update);
        Assert.True(coding.Encode() > 0, peer.Name);
        coding.Decode();
        Assert.True(coding.IsExact(), $"{peer.Name}, {update.Entries} entries, {update.Kept} kept");
    }
}
