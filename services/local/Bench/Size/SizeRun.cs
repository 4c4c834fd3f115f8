using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Numerics;
using EcoLora.Telemetry;

namespace EcoLora.Local.Bench;

/// <summary>A model's LoRA of rank 16 on queries and values.</summary>
/// <param name="Name">The model's name.</param>
/// <param name="Layers">Its layers.</param>
/// <param name="Hidden">Inputs and outputs of both projections.</param>
internal sealed record SizeModel(string Name, int Layers, int Hidden)
{
    private const int Rank = 16;

    /// <summary>The models that the command knows; <c>small</c> is for tests.</summary>
    public static IReadOnlyList<SizeModel> All { get; } = [new("llama-2-7b", 32, 4096), new("llama-2-13b", 40, 5120), new("small", 3, 128)];

    /// <summary>The layout of A and B: 8,388,608 entries for 7B, 13,107,200 for 13B.</summary>
    public LoraLayout Layout() => LoraLayout.Of(
        from layer in Enumerable.Range(0, Layers)
        from projection in (string[])["q_proj", "v_proj"]
        select new LoraModule($"model.layers.{layer}.self_attn.{projection}", Hidden, Hidden, Rank));
}

/// <summary>What a run of that size is made of.</summary>
/// <param name="Losses">L_t of each round, which drive Eq. 4.</param>
/// <param name="Samples">n_i of each client.</param>
/// <param name="Participants">N_t; a round's change goes to as many sites.</param>
/// <param name="Exchange">What is sent.</param>
/// <param name="Statistics">What the updates are like.</param>
internal sealed record SizePlan(
    IReadOnlyList<double> Losses, IReadOnlyList<int> Samples, int Participants, ExchangeOptions Exchange, UpdateStatistics Statistics);

/// <summary>
/// A run with made-up training: the rounds of <see cref="ReferenceRun"/>, its protocol's own code and the ledger's rows, but a client's change Δ is drawn instead of
/// learnt. A drawn Δ is that after mixing; so Eq. 3 needs no local adapters here and enters by ρ = 1 − m alone.
/// </summary>
/// <param name="model">The model.</param>
/// <param name="method">The method.</param>
/// <param name="plan">The rest.</param>
internal sealed class SizeRun(SizeModel model, FederatedMethod method, SizePlan plan)
{
    private const ulong Seed = 1;

    private readonly LoraLayout _layout = method.ExchangedLayout(model.Layout());
    private readonly List<LedgerRow> _rows = [];

    /// <summary>Gini coefficient and kurtosis of the first participant's drawn change, by role, in the last round that was run.</summary>
    public Dictionary<LoraRole, (double Gini, double Kurtosis)> LastDrawn { get; } = [];

    /// <summary>|P| of what travels.</summary>
    public int Parameters => _layout.Length;

    /// <summary>Runs all rounds.</summary>
    /// <param name="progress">Gets each round's number.</param>
    /// <param name="cancellation">Ends the run between two participants.</param>
    /// <returns>The ledger: a row per upload, and one per site and round.</returns>
    public IReadOnlyList<LedgerRow> Run(Action<int> progress, CancellationToken cancellation)
    {
        ExchangeOptions exchange = method.Effective(plan.Exchange);
        uint layoutKey = (uint)_layout.Fingerprint;
        ulong runKey = FrameHeader.KeyOf("size");
        // FLoRA's changes are against fresh adapters, whose values no byte depends on; its chain is of stacks, which nobody applies here.
        PublishedAdapter? published = method.MergesIntoBase ? null : new(runKey, _layout, 0, method.InitialReference(model.Layout(), Seed), exchange.ServerMomentum);
        float[] fresh = published is null ? new float[_layout.Length] : [], serverResidual = new float[_layout.Length], local = new float[_layout.Length];
        var residuals = new Dictionary<(int Client, int Segment), float[]>();
        var lastRounds = new Dictionary<int, int>();
        for (int round = 0; round < plan.Losses.Count; round++)
        {
            double? first = round == 0 ? null : plan.Losses[0], previous = round == 0 ? null : plan.Losses[round - 1];
            (double A, double B) keep = exchange.Keep(round, first, previous), keepDown = exchange.KeepDown(round, keep);
            int[] sampled = RoundRobinSchedule.Sample(Seed, round, Enumerable.Range(0, plan.Samples.Count), plan.Participants);
            var accepted = new List<AcceptedFrame>();
            for (int slot = 0; slot < sampled.Length; slot++)
            {
                cancellation.ThrowIfCancellationRequested();
                int client = sampled[slot], segment = RoundRobinSchedule.SegmentOf(slot, round, exchange.Segments);
                double weight = Mixing.Weight(exchange.MixingBeta, round, lastRounds.TryGetValue(client, out int last) ? last : null);
                lastRounds[client] = round;
                var header = new FrameHeader(FrameKind.Segment, runKey, round, client, segment, exchange.Segments, round, layoutKey);
                ReadOnlySpan<float> reference = published is null ? fresh : published.Values.Span;
                Train(client, round, slot, header.Range(_layout), reference, local);
                ClientUpload upload = ClientUpload.Make(header, _layout, reference, local, residuals.GetValueOrDefault((client, segment)),
                    Mixing.FeedbackShare(exchange.Feedback, weight), exchange.Up(keep.A, keep.B));
                if (published is not null) residuals[(client, segment)] = upload.Residual;
                var frame = Frame.Open(upload.Frame, _layout);
                accepted.Add(new AcceptedFrame(slot, plan.Samples[client], frame));
                _rows.Add(Row(round, $"client-{client:d3}", Direction.Up, segment, Parameters, frame.Measure()));
            }
            var change = new FrameHeader(published is null ? FrameKind.Stack : FrameKind.GlobalChange, runKey, round, FrameHeader.Aggregator, 0, 1, round, layoutKey);
            FrameSizes sizes = published is null ? Stack(change, accepted) : Sum(change, accepted, published, serverResidual, exchange.Down(keepDown.A, keepDown.B), exchange.Sums);
            long dense = (long)Parameters * (published is null ? accepted.Count : 1);
            for (int site = 0; site < plan.Participants; site++) _rows.Add(Row(round, $"site-{site:d3}", Direction.Down, LedgerRow.NoSegment, dense, sizes));
            progress(round);
        }
        return _rows;
    }

    private static FrameSizes Stack(FrameHeader header, IReadOnlyList<AcceptedFrame> accepted) => StackedChange.Sizes(
        accepted, StackFrame.Write(header, [.. accepted.Select(frame => new StackEntry(frame.Frame.Header.Client, frame.Samples, frame.Frame.Bytes))]).Length);

    private FrameSizes Sum(FrameHeader header, IReadOnlyList<AcceptedFrame> accepted, PublishedAdapter published, float[] residual, Compression compression, CoverageScale sums)
    {
        byte[] bytes = Aggregation.Publish(header, _layout, Aggregation.WeightedMean(accepted, _layout.Length, sums), residual, compression);
        published.Apply(bytes);
        return Frame.Open(bytes, _layout).Measure();
    }

    /// <summary>P_i on a segment: Q^t and a change that is drawn tensor by tensor, each from a stream of its own.</summary>
    private void Train(int client, int round, int slot, SegmentRange range, ReadOnlySpan<float> published, float[] local)
    {
        (LoraTensor Tensor, int Start, int End)[] pieces =
        [
            .. _layout.Tensors.Where(tensor => tensor.Offset < range.End && tensor.End > range.Start)
                .Select(tensor => (tensor, Math.Max(tensor.Offset, range.Start), Math.Min(tensor.End, range.End))),
        ];
        Parallel.ForEach(pieces, piece =>
        {
            // A tensor keeps its place among all over the run, as real ones do.
            double rank = new RandomStream(Seed, "size/scale", piece.Tensor.Offset).NextDouble();
            var random = new RandomStream(Seed, "size/change", client, round, piece.Tensor.Offset);
            plan.Statistics.At(round, piece.Tensor.Role).Draw(rank, local.AsSpan(piece.Start..piece.End), random);
        });
        if (slot == 0 && round == plan.Losses.Count - 1)
            foreach (IGrouping<LoraRole, (LoraTensor, int Start, int End)> role in pieces.GroupBy(piece => piece.Tensor.Role))
            {
                float[] drawn = [.. role.SelectMany(piece => local[piece.Start..piece.End])];
                LastDrawn[role.Key] = (RoleStatistics.GiniOf(drawn), RoleStatistics.KurtosisOf(drawn));
            }
        for (int i = range.Start; i < range.End; i++) local[i] += published[i];
    }

    private static LedgerRow Row(int round, string client, Direction direction, int segment, long dense, FrameSizes sizes) => new(
        round, client, direction, segment, 4 * dense, 2 * dense, sizes.Segment, sizes.Sparse, sizes.Golomb, sizes.Coded, sizes.Framed,
        sizes.KeptA, sizes.EntriesA, sizes.KeptB, sizes.EntriesB);
}
