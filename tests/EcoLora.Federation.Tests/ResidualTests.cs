using EcoLora.Codec;

namespace EcoLora.Federation.Tests;

/// <summary>Eqs. 5 and 6 over three rounds of one client on one segment of 4 A entries, k = 0.5, FP32, so that every number can be followed.</summary>
public class ResidualTests
{
    private static readonly LoraLayout _layout = LoraLayout.Of([new LoraModule("q", 1, 4, 1)]).Only(LoraRole.A);

    /// <summary>
    /// ρ = 1. Round 0: Δ = (4, 2, 1, −3), sent (4, 0, 0, −3), R = (0, 2, 1, 0). Round 1: Δ = (1, 1, 1, 1), Δ + R = (1, 3, 2, 1), sent (0, 3, 2, 0),
    /// R = (1, 0, 0, 1). Round 2: Δ = (0, 0, 0.5, −3), Δ + R = (1, 0, 0.5, −2), sent (1, 0, 0, −2), R = (0, 0, 0.5, 0).
    /// </summary>
    [Fact]
    public void Three_rounds_with_full_feedback() => Check(1,
        [([4, 2, 1, -3], [4, 0, 0, -3], [0, 2, 1, 0]), ([1, 1, 1, 1], [0, 3, 2, 0], [1, 0, 0, 1]), ([0, 0, 0.5f, -3], [1, 0, 0, -2], [0, 0, 0.5f, 0])]);

    /// <summary>ρ = 0: what was not sent is forgotten; ties go to the lower index.</summary>
    [Fact]
    public void Three_rounds_without_feedback() => Check(0,
        [([4, 2, 1, -3], [4, 0, 0, -3], [0, 2, 1, 0]), ([1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]), ([0, 0, 0.5f, -3], [0, 0, 0.5f, -3], [0, 0, 0, 0])]);

    /// <summary>
    /// ρ = 1 − m = 0.5. Round 1: Δ + R/2 = (1, 2, 1.5, 1), sent (0, 2, 1.5, 0), R = (1, 0, 0, 1). Round 2: Δ + R/2 = (0.5, 0, 0.5, −2.5),
    /// sent (0.5, 0, 0, −2.5), R = (0, 0, 0.5, 0).
    /// </summary>
    [Fact]
    public void Three_rounds_with_one_minus_m() => Check(0.5,
        [([4, 2, 1, -3], [4, 0, 0, -3], [0, 2, 1, 0]), ([1, 1, 1, 1], [0, 2, 1.5f, 0], [1, 0, 0, 1]),
            ([0, 0, 0.5f, -3], [0.5f, 0, 0, -2.5f], [0, 0, 0.5f, 0])]);

    [Fact]
    public void A_frame_that_is_not_accepted_leaves_the_whole_change_as_residual()
    {
        ClientUpload upload = Upload([4, 2, 1, -3], [2, 2, 2, 2], 0.5);
        Assert.Equal([5, 3, 2, -2], upload.Unsent);
        ClientUpload next = Upload([0, 0, 0, 0], upload.Unsent, 1);
        Assert.Equal([5, 3, 0, 0], Sent(next));
        Assert.Equal([0, 0, 2, -2], next.Residual);
    }

    [Fact]
    public void Only_the_segment_that_is_sent_enters_the_residual()
    {
        var header = new FrameHeader(FrameKind.Segment, 1, 0, 0, 1, 2, 0, (uint)_layout.Fingerprint);
        ClientUpload upload = ClientUpload.Make(header, _layout, [0, 0, 0, 0], [9, 9, 5, 1], [], 1, new Compression(0.5, 1, ValueMode.Fp32));
        Assert.Equal([5, 0], Sent(upload));
        Assert.Equal([0, 1], upload.Residual);
    }

    [Fact]
    public void What_rounding_to_half_floats_loses_stays_in_the_residual()
    {
        float value = 1 + 1f / 4096;
        var header = new FrameHeader(FrameKind.Segment, 1, 0, 0, 0, 1, 0, (uint)_layout.Fingerprint);
        ClientUpload upload = ClientUpload.Make(header, _layout, [0, 0, 0, 0], [value, 0, 0, 0], [], 1, new Compression(1, 1, ValueMode.Fp16));
        Assert.Equal([1, 0, 0, 0], Sent(upload));
        Assert.Equal([1f / 4096, 0, 0, 0], upload.Residual);
    }

    /// <summary>Sparsified in absolute parameters, Eq. 6 would add P again every round; against Q nothing is sent when nothing changed.</summary>
    [Fact]
    public void Nothing_is_sent_when_nothing_changed()
    {
        var header = new FrameHeader(FrameKind.Segment, 1, 0, 0, 0, 1, 0, (uint)_layout.Fingerprint);
        ClientUpload upload = ClientUpload.Make(header, _layout, [3, 2, 1, 7], [3, 2, 1, 7], [], 1, new Compression(0.5, 1, ValueMode.Fp16));
        Assert.All(Sent(upload), value => Assert.Equal(0, value));
        Assert.All(upload.Residual, value => Assert.Equal(0, value));
    }

    private static void Check(double feedback, (float[] Change, float[] Sent, float[] Residual)[] rounds)
    {
        float[] residual = [];
        foreach ((float[] change, float[] sent, float[] left) in rounds)
        {
            ClientUpload upload = Upload(change, residual, feedback);
            Assert.Equal(sent, Sent(upload));
            Assert.Equal(left, upload.Residual);
            residual = upload.Residual;
        }
    }

    /// <summary>Q = (10, 20, 30, 40), P = Q + Δ.</summary>
    private static ClientUpload Upload(float[] change, float[] residual, double feedback)
    {
        float[] published = [10, 20, 30, 40];
        var header = new FrameHeader(FrameKind.Segment, 1, 0, 0, 0, 1, 0, (uint)_layout.Fingerprint);
        float[] local = [.. published.Zip(change, (p, c) => p + c)];
        return ClientUpload.Make(header, _layout, published, local, residual, feedback, new Compression(0.5, 1, ValueMode.Fp32));
    }

    private static float[] Sent(ClientUpload upload)
    {
        var frame = Frame.Open(upload.Frame, _layout);
        float[] sent = new float[frame.Range.Length];
        frame.Decode(sent);
        return sent;
    }
}
