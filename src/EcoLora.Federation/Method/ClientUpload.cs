using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>A participant's upload of one round, before it is known whether it will be accepted.</summary>
/// <param name="Frame">The frame.</param>
/// <param name="Residual">R_new of the segment, if the frame is accepted.</param>
/// <param name="Unsent">ρR + Δ of the segment, the residual if the frame is not accepted: nothing is forgotten.</param>
public sealed record ClientUpload(byte[] Frame, float[] Residual, float[] Unsent)
{
    /// <summary>
    /// Steps 4 to 7 for one participant: Δ = P_i − Q^t on its segment, sent = TopK(Δ + ρR), R_new = Δ + ρR − sent.
    /// </summary>
    /// <param name="header">Identity of the frame; names the segment.</param>
    /// <param name="layout">Layout of the exchanged vector.</param>
    /// <param name="published">Q^t, whole.</param>
    /// <param name="local">P_i, whole.</param>
    /// <param name="residual">R of the segment; empty means zero.</param>
    /// <param name="feedback">ρ.</param>
    /// <param name="compression">k of this round and the value mode.</param>
    /// <param name="mostBytes">Most bytes of the frame, or null.</param>
    /// <exception cref="ArgumentException">A change that is not finite, named by tensor and index.</exception>
    public static ClientUpload Make(FrameHeader header, LoraLayout layout, ReadOnlySpan<float> published, ReadOnlySpan<float> local,
        ReadOnlySpan<float> residual, double feedback, Compression compression, int? mostBytes = null)
    {
        float[] unsent = WithResidual(header.Range(layout), published, local, residual, feedback);
        float[] left = [.. unsent];
        byte[] frame = FrameEncoder.EncodeWithin(header, layout, left, compression, mostBytes);
        return new ClientUpload(frame, left, unsent);
    }

    /// <summary>What two participants at a site leave of the same segment: their sum, entry by entry in binary32.</summary>
    public static float[] Sum(ReadOnlySpan<float> first, ReadOnlySpan<float> second)
    {
        float[] sum = new float[first.Length];
        for (int i = 0; i < sum.Length; i++) sum[i] = first[i] + second[i];
        return sum;
    }

    /// <summary>ρR + Δ of a segment, with Δ = P_i − Q^t: what an update becomes that is not sent.</summary>
    /// <param name="range">The segment.</param>
    /// <param name="published">Q^t, whole.</param>
    /// <param name="local">P_i, whole.</param>
    /// <param name="residual">R of the segment; empty means zero.</param>
    /// <param name="feedback">ρ.</param>
    public static float[] WithResidual(SegmentRange range, ReadOnlySpan<float> published, ReadOnlySpan<float> local, ReadOnlySpan<float> residual, double feedback)
    {
        float[] unsent = new float[range.Length];
        for (int i = 0; i < unsent.Length; i++)
        {
            float change = local[range.Start + i] - published[range.Start + i];
            unsent[i] = residual.IsEmpty ? change : (float)(change + feedback * residual[i]);
        }
        return unsent;
    }
}
