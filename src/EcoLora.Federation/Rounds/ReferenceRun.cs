using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>
/// A whole run as method.md tells it, in one method and in memory: no bus, no services, no crash. It says what the four services must come to, and
/// the tests hold them to it bit by bit. Read it first.
/// </summary>
public static class ReferenceRun
{
    /// <summary>Local training: (client, round, start, whose adapter is trained in place) → mean loss.</summary>
    public delegate double LocalTraining(int client, int round, TrainingStart start);

    /// <summary>Runs all rounds.</summary>
    /// <returns>Q^T as the whole adapter, or ΔW^T.</returns>
    public static float[] Run(RunPlan plan, LocalTraining train)
    {
        FederatedMethod method = plan.FederatedMethod;
        ExchangeOptions exchange = plan.Exchange;
        var published = PublishedAdapter.Start(plan);
        float[] serverResidual = new float[plan.ExchangedLayout().Length];
        var locals = new Dictionary<int, (int Round, float[] Values)>();
        var residuals = new Dictionary<(int Holder, int Segment), float[]>();
        double? firstLoss = null, previousLoss = null;
        ByteBudget? budget = exchange.Budget is null ? null : new ByteBudget(plan);

        for (int round = 0; round < plan.Rounds; round++)
        {
            // 1. Sampling, and Eq. 4 for this round's densities, or what the budget allows.
            int[] sampled = RoundRobinSchedule.Sample(plan.Seed, round, plan.Roster.Select(enrolment => enrolment.Client), plan.Participants);
            (double A, double B) keep = exchange.Keep(round, firstLoss, previousLoss), keepDown = exchange.KeepDown(round, keep);
            FrameAllowance up = budget?.Up(round, firstLoss, previousLoss) ?? new(keep.A, keep.B);
            var uploads = new List<int>();
            var left = new Dictionary<(int Holder, int Segment), float[]>();
            var accepted = new List<AcceptedFrame>();
            double lossSum = 0;
            long samples = 0;
            for (int slot = 0; slot < sampled.Length; slot++)
            {
                int client = sampled[slot];

                // 2. Mixing (Eq. 3); FLoRA: ΔW merged into the base, and a fresh adapter.
                bool returns = locals.TryGetValue(client, out (int Round, float[] Values) last);
                var start = TrainingStart.Of(plan, round, client, published.Values, returns ? last.Round : null, last.Values);

                // 3. Local training.
                double loss = train(client, round, start);
                float[] local = method.Exchanged(plan.AdapterLayout(client), start.Adapter);
                locals[client] = (round, local);

                // 4. to 7. Its segment by round-robin, top-k with error feedback (Eqs. 5 and 6), lossless coding.
                LoraLayout layout = plan.ExchangedLayout(client);
                int segment = RoundRobinSchedule.SegmentOf(slot, round, exchange.Segments);
                int holder = exchange.Residuals == ResidualHolder.Site ? plan.Roster[client].Site : client;
                bool carries = !left.ContainsKey((holder, segment)); // Of a site's participants, the first.
                var header = new FrameHeader(FrameKind.Segment, plan.Key, round, client, segment, exchange.Segments, published.Version, (uint)layout.Fingerprint);
                ClientUpload upload = ClientUpload.Make(header, layout, plan.Reference(round, client, published.Values.Span), local,
                    carries ? residuals.GetValueOrDefault((holder, segment)) : [], Mixing.FeedbackShare(exchange.Feedback, start.MixingWeight), exchange.Up(up.KeepA, up.KeepB), up.FrameBytes);
                uploads.Add(upload.Frame.Length);
                var frame = Frame.Open(upload.Frame, layout);
                bool isAccepted = !(Aggregation.Norm(frame) > exchange.MaxNorm);
                float[] unsent = isAccepted ? upload.Residual : upload.Unsent;
                left[(holder, segment)] = carries ? unsent : ClientUpload.Sum(left[(holder, segment)], unsent);
                if (!isAccepted) continue;
                lossSum += loss * plan.Roster[client].Samples;
                samples += plan.Roster[client].Samples;
                accepted.Add(new AcceptedFrame(slot, plan.Roster[client].Samples, frame));
            }
            foreach (((int, int) key, float[] values) in left) residuals[key] = values;
            FrameAllowance down = budget?.Down(round, firstLoss, previousLoss, uploads) ?? new(keepDown.A, keepDown.B);
            if (samples > 0) previousLoss = lossSum / samples;
            firstLoss ??= previousLoss;

            // 8. and 9. Aggregation, and the published chain.
            byte[] change = method.MergesIntoBase ? StackedChange.Write(plan, round, accepted) : Sum(plan, round, accepted, down, serverResidual);
            published.Apply(change);
            budget?.Spend(up, uploads, down, change.Length);
        }
        return plan.Outcome(published.Values.Span);
    }

    /// <summary>U by Eq. 2, then D = C(U + S), S ← U + S − D; the receivers take Q ← Q + D, or D through the server's momentum.</summary>
    private static byte[] Sum(RunPlan plan, int round, List<AcceptedFrame> accepted, FrameAllowance allowed, float[] serverResidual)
    {
        LoraLayout layout = plan.ExchangedLayout();
        double[] update = Aggregation.WeightedMean(accepted, layout.Length, plan.Exchange.Sums);
        var change = new FrameHeader(FrameKind.GlobalChange, plan.Key, round, FrameHeader.Aggregator, 0, 1, round, (uint)layout.Fingerprint);
        return Aggregation.Publish(change, layout, update, serverResidual, plan.Exchange.Down(allowed.KeepA, allowed.KeepB), allowed.FrameBytes);
    }
}
