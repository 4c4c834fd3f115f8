using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>A frame that the closing message accepted, with the weight's numerator.</summary>
/// <param name="Slot">The participant's slot: sums run in this order.</param>
/// <param name="Samples">n_i.</param>
/// <param name="Frame">The checked frame.</param>
public sealed record AcceptedFrame(int Slot, int Samples, Frame Frame);

/// <summary>Eq. 2: the weighted mean per segment over the clients that sent it.</summary>
public static class Aggregation
{
    /// <summary>
    /// U_s = Σ w_i·sent_i with w_i = n_i/Σn over the senders of s, summed in slot order in double precision, so that arrival does not matter; then
    /// divided as <paramref name="scale"/> says. A segment that nobody sent keeps its value: U_s = 0.
    /// </summary>
    /// <param name="accepted">The frames, in any order.</param>
    /// <param name="length">|P| of the exchanged vector.</param>
    /// <param name="scale">What the sum of an entry is divided by.</param>
    /// <returns>U, whole.</returns>
    public static double[] WeightedMean(IEnumerable<AcceptedFrame> accepted, int length, CoverageScale scale = CoverageScale.Mean)
    {
        AcceptedFrame[] ordered = [.. accepted.OrderBy(frame => frame.Slot)];
        Dictionary<int, long> samples = [];
        foreach (AcceptedFrame frame in ordered) samples[frame.Frame.Header.Segment] = samples.GetValueOrDefault(frame.Frame.Header.Segment) + frame.Samples;
        double[] sums = new double[length], coverage = scale == CoverageScale.Mean ? [] : new double[length];
        foreach (AcceptedFrame frame in ordered)
        {
            double weight = (double)frame.Samples / samples[frame.Frame.Header.Segment];
            frame.Frame.Accumulate(weight, sums.AsSpan(frame.Frame.Range.Start, frame.Frame.Range.Length));
            if (scale != CoverageScale.Mean) AddCoverage(frame.Frame, weight, coverage);
        }
        // Division and square root are exact to rounding everywhere, so a sum has the same bits on every machine.
        for (int j = 0; j < coverage.Length; j++)
            if (coverage[j] > 0)
                sums[j] /= scale == CoverageScale.Senders ? coverage[j] : Math.Sqrt(coverage[j]);
        return sums;
    }

    /// <summary>c_j += w for every entry that the frame sends.</summary>
    private static void AddCoverage(Frame frame, double weight, Span<double> coverage)
    {
        float[] values = new float[frame.Range.Length];
        frame.Decode(values);
        for (int j = 0; j < values.Length; j++)
            if (values[j] != 0)
                coverage[frame.Range.Start + j] += weight;
    }

    /// <summary>‖sent‖₂ of a frame, which <see cref="ExchangeOptions.MaxNorm"/> limits.</summary>
    public static double Norm(Frame frame)
    {
        float[] values = new float[frame.Range.Length];
        frame.Decode(values);
        return Math.Sqrt(values.Sum(value => (double)value * value));
    }

    /// <summary>How many participants delivered each segment.</summary>
    public static int[] Coverage(IEnumerable<int> segments, int count)
    {
        int[] coverage = new int[count];
        foreach (int segment in segments) coverage[segment]++;
        return coverage;
    }

    /// <summary>D = C(U + S), S ← U + S − D (method.md, step 9).</summary>
    /// <param name="header">Identity of the global change.</param>
    /// <param name="layout">Layout of the exchanged vector.</param>
    /// <param name="update">U.</param>
    /// <param name="serverResidual">S on entry, the new S on return.</param>
    /// <param name="compression">k of this round and the value mode.</param>
    /// <param name="mostBytes">Most bytes of the frame, or null.</param>
    /// <returns>The frame of D.</returns>
    public static byte[] Publish(FrameHeader header, LoraLayout layout, ReadOnlySpan<double> update, Span<float> serverResidual, Compression compression, int? mostBytes = null)
    {
        for (int i = 0; i < serverResidual.Length; i++) serverResidual[i] = (float)(update[i] + serverResidual[i]);
        return FrameEncoder.EncodeWithin(header, layout, serverResidual, compression, mostBytes);
    }
}
