using System.Numerics;
using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>One participant's pair of one module in a stack.</summary>
/// <param name="Weight">p_k = n_k/Σn over the senders of the module's segment.</param>
/// <param name="Rank">r_k.</param>
/// <param name="A">A_k [r_k, n], as it arrived: the fresh A of (round, client) and the decoded change.</param>
/// <param name="B">B_k [m, r_k], as it arrived.</param>
public sealed record StackedPair(double Weight, int Rank, ReadOnlyMemory<float> A, ReadOnlyMemory<float> B);

/// <summary>
/// The change that a round of FLoRA (Wang et al. 2024) makes to the base: the participants' pairs, stacked along the rank, so that B·A = Σ p_k·B_k·A_k exactly, whatever
/// their ranks. It is read from the accepted frames alone, so aggregator, sites and export come to the same.
/// </summary>
public sealed class StackedChange
{
    private readonly RunPlan _plan;
    private readonly Sender[] _senders;
    private readonly Dictionary<int, long> _samples = [];

    private StackedChange(RunPlan plan, Sender[] senders)
    {
        (_plan, _senders) = (plan, senders);
        foreach (Sender sender in senders) _samples[sender.Segment] = _samples.GetValueOrDefault(sender.Segment) + sender.Samples;
    }

    /// <summary>The message that publishes a round: the accepted frames as they are, in slot order.</summary>
    /// <param name="plan">The run.</param>
    /// <param name="round">t, which is the base version too.</param>
    /// <param name="accepted">The frames, in any order.</param>
    public static byte[] Write(RunPlan plan, int round, IEnumerable<AcceptedFrame> accepted)
    {
        var header = new FrameHeader(FrameKind.Stack, plan.Key, round, FrameHeader.Aggregator, 0, 1, round, (uint)plan.ExchangedLayout().Fingerprint);
        return StackFrame.Write(header, [.. accepted.OrderBy(frame => frame.Slot).Select(frame => new StackEntry(frame.Frame.Header.Client, frame.Samples, frame.Frame.Bytes))]);
    }

    /// <summary>Sizes of a stack by stage: those of its frames together, and the whole message.</summary>
    public static FrameSizes Sizes(IEnumerable<AcceptedFrame> accepted, int framed)
    {
        FrameSizes[] sizes = [.. accepted.Select(frame => frame.Frame.Measure())];
        return new FrameSizes(
            sizes.Sum(one => one.EntriesA), sizes.Sum(one => one.KeptA), sizes.Sum(one => one.EntriesB), sizes.Sum(one => one.KeptB), sizes.Sum(one => one.Segment),
            sizes.Sum(one => one.Sparse), sizes.Sum(one => one.Golomb), sizes.Sum(one => one.Coded), framed);
    }

    /// <summary>Reads a stack whole.</summary>
    /// <param name="plan">The run.</param>
    /// <param name="version">The version that it must follow.</param>
    /// <param name="bytes">The message.</param>
    /// <exception cref="FrameException">It is not the stack of this run that follows this version, or one of its frames is not what its sender was asked for.</exception>
    public static StackedChange Open(RunPlan plan, int version, ReadOnlyMemory<byte> bytes)
    {
        StackFrame stack = StackFrame.Open(bytes);
        uint layout = (uint)plan.ExchangedLayout().Fingerprint;
        if (stack.Header.RunKey != plan.Key) throw new FrameException("run", $"{plan.Key:x16}", $"{stack.Header.RunKey:x16}");
        if (stack.Header.LayoutKey != layout) throw new FrameException("layout", $"{layout:x8}", $"{stack.Header.LayoutKey:x8}");
        if (stack.Header.BaseVersion != version) throw new FrameException("base version", $"{version}", $"{stack.Header.BaseVersion}");
        // All of it is checked before any of it is decoded.
        Frame[] frames = [.. stack.Entries.Select(entry => Checked(plan, entry))];
        return new StackedChange(plan, [.. stack.Entries.Zip(frames, (entry, frame) => Sender.Of(plan, entry, frame))]);
    }

    /// <summary>The pairs of a module, in slot order; none where nobody sent its segment.</summary>
    /// <param name="module">Its number among the plan's.</param>
    public IEnumerable<StackedPair> PairsOf(int module)
    {
        foreach (Sender sender in _senders)
        {
            LoraTensor a = sender.Layout.Tensors[2 * module], b = sender.Layout.Tensors[2 * module + 1];
            if (a.Offset < sender.Range.Start || b.End > sender.Range.End) continue;
            yield return new StackedPair(
                (double)sender.Samples / _samples[sender.Segment], a.Rows, sender.Adapter.AsMemory(a.Offset, a.Length), sender.Adapter.AsMemory(b.Offset, b.Length));
        }
    }

    /// <summary>
    /// ΔW_m += Σ_k p_k·s·B_k·A_k for every module: summed in slot order, then along the rank, in double precision with a product and a sum of their own, and rounded to
    /// binary32 once. The order and the operations are those of every machine, so the bits are too. A module that nobody sent keeps its value.
    /// </summary>
    /// <param name="change">ΔW of all modules in order, each [outputs, inputs] row-major.</param>
    public void AddTo(Span<float> change)
    {
        int at = 0;
        for (int i = 0; i < _plan.Modules.Count; i++)
        {
            LoraModule module = _plan.Modules[i];
            int length = module.Outputs * module.Inputs;
            StackedPair[] pairs = [.. PairsOf(i)];
            if (pairs.Length > 0) Add(pairs, _plan.Scale!.Value, module.Inputs, change.Slice(at, length));
            at += length;
        }
    }

    private static void Add(StackedPair[] pairs, double scale, int inputs, Span<float> change)
    {
        double[] sums = new double[inputs];
        for (int row = 0; row * inputs < change.Length; row++)
        {
            Array.Clear(sums);
            foreach (StackedPair pair in pairs)
            {
                ReadOnlySpan<float> b = pair.B.Span.Slice(row * pair.Rank, pair.Rank), a = pair.A.Span;
                for (int rank = 0; rank < pair.Rank; rank++)
                {
                    double factor = pair.Weight * scale * b[rank];
                    // Sparse: most of B is zero. Adding 0·A changes no bit of a sum that began with +0.
                    if (factor != 0) AddScaled(factor, a.Slice(rank * inputs, inputs), sums);
                }
            }
            Span<float> values = change.Slice(row * inputs, inputs);
            for (int j = 0; j < values.Length; j++) values[j] = (float)(values[j] + sums[j]);
        }
    }

    /// <summary>sums_j += factor·a_j; columns do not meet, so the vector's width changes no bit.</summary>
    private static void AddScaled(double factor, ReadOnlySpan<float> a, Span<double> sums)
    {
        int j = 0, half = Vector<double>.Count;
        var factors = new Vector<double>(factor);
        for (; j <= a.Length - Vector<float>.Count; j += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(a[j..]), out Vector<double> low, out Vector<double> high);
            (new Vector<double>(sums[j..]) + factors * low).CopyTo(sums[j..]);
            (new Vector<double>(sums[(j + half)..]) + factors * high).CopyTo(sums[(j + half)..]);
        }
        for (; j < a.Length; j++) sums[j] += factor * a[j];
    }

    private static Frame Checked(RunPlan plan, StackEntry entry)
    {
        Enrolment? enrolment = plan.FindEnrolment(entry.Client);
        // With a deadline the plan that has a new client may come after the stack; its rank follows from its number.
        if (enrolment is null && plan.Deadline is null) throw new FrameException("client", "one of the run's roster", $"client {entry.Client}");
        if (enrolment is not null && enrolment.Samples != entry.Samples) throw new FrameException("samples", $"{enrolment.Samples} of client {entry.Client}", $"{entry.Samples}");
        var frame = Frame.Open(entry.Frame, plan.ExchangedLayout(entry.Client));
        if (frame.Header.Segments != plan.Exchange.Segments) throw new FrameException("segments", $"{plan.Exchange.Segments}", $"{frame.Header.Segments}");
        frame.Measure();
        return frame;
    }

    /// <summary>A participant's adapter as it arrived; what lies outside the segment is not read.</summary>
    private sealed record Sender(int Segment, int Samples, LoraLayout Layout, SegmentRange Range, float[] Adapter)
    {
        public static Sender Of(RunPlan plan, StackEntry entry, Frame frame)
        {
            float[] adapter = plan.FreshAdapter(frame.Header.Round, entry.Client), change = new float[frame.Range.Length];
            frame.Decode(change);
            Span<float> segment = adapter.AsSpan(frame.Range.Start, change.Length);
            for (int i = 0; i < change.Length; i++) segment[i] += change[i];
            return new Sender(frame.Header.Segment, entry.Samples, plan.AdapterLayout(entry.Client), frame.Range, adapter);
        }
    }
}
