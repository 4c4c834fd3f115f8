using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>
/// A whole run as method.md tells it, in one method and in memory: no bus, no services, no crash. It says what the four services must come to, and
/// the tests hold them to it bit by bit. Read it first.
/// </summary>
public static class ReferenceRun
{
    /// <summary>Local training: (client, round, whole adapter trained in place) → mean loss.</summary>
    public delegate double LocalTraining(int client, int round, float[] adapter);

    /// <summary>Runs all rounds.</summary>
    /// <returns>Q^T as the whole adapter.</returns>
    public static float[] Run(RunPlan plan, LocalTraining train)
    {
        FederatedMethod method = plan.FederatedMethod;
        ExchangeOptions exchange = plan.Exchange;
        LoraLayout adapterLayout = plan.AdapterLayout(), layout = method.ExchangedLayout(adapterLayout);
        uint layoutKey = (uint)layout.Fingerprint;
        var published = PublishedAdapter.Start(plan);
        float[] serverResidual = new float[layout.Length];
        var locals = new Dictionary<int, (int Round, float[] Values)>();
        var residuals = new Dictionary<(int Client, int Segment), float[]>();
        double? firstLoss = null, previousLoss = null;

        for (int round = 0; round < plan.Rounds; round++)
        {
            // 1. Sampling, and Eq. 4 for this round's densities.
            int[] sampled = RoundRobinSchedule.Sample(plan.Seed, round, plan.Roster.Select(enrolment => enrolment.Client), plan.Participants);
            (double A, double B) keep = exchange.Keep(round, firstLoss, previousLoss), keepDown = exchange.KeepDown(round, keep);
            var accepted = new List<AcceptedFrame>();
            double lossSum = 0;
            long samples = 0;
            for (int slot = 0; slot < sampled.Length; slot++)
            {
                int client = sampled[slot];

                // 2. Mixing (Eq. 3).
                bool returns = locals.TryGetValue(client, out (int Round, float[] Values) last);
                double weight = Mixing.Weight(exchange.MixingBeta, round, returns ? last.Round : null);
                float[] start = new float[layout.Length];
                Mixing.Mix(weight, published.Values.Span, last.Values, start);

                // 3. Local training.
                float[] adapter = method.WholeAdapter(adapterLayout, plan.Seed, start);
                double loss = train(client, round, adapter);
                float[] local = method.Exchanged(adapterLayout, adapter);
                locals[client] = (round, local);

                // 4. to 7. Its segment by round-robin, top-k with error feedback (Eqs. 5 and 6), lossless coding.
                int segment = RoundRobinSchedule.SegmentOf(slot, round, exchange.Segments);
                var header = new FrameHeader(FrameKind.Segment, plan.Key, round, client, segment, exchange.Segments, published.Version, layoutKey);
                ClientUpload upload = ClientUpload.Make(header, layout, published.Values.Span, local, residuals.GetValueOrDefault((client, segment)),
                    Mixing.FeedbackShare(exchange.Feedback, weight), exchange.Up(keep.A, keep.B));
                var frame = Frame.Open(upload.Frame, layout);
                bool isAccepted = !(Aggregation.Norm(frame) > exchange.MaxNorm);
                residuals[(client, segment)] = isAccepted ? upload.Residual : upload.Unsent;
                if (!isAccepted) continue;
                lossSum += loss * plan.Roster[client].Samples;
                samples += plan.Roster[client].Samples;
                accepted.Add(new AcceptedFrame(slot, plan.Roster[client].Samples, frame));
            }
            if (samples > 0) previousLoss = lossSum / samples;
            firstLoss ??= previousLoss;

            // 8. Aggregation (Eq. 2), and 9. the published chain: D = C(U + S), S ← U + S − D, Q ← Q + D, or D through the server's momentum.
            double[] update = method.Aggregate(accepted, layout.Length, exchange.Sums);
            var change = new FrameHeader(FrameKind.GlobalChange, plan.Key, round, FrameHeader.Aggregator, 0, 1, published.Version, layoutKey);
            published.Apply(Aggregation.Publish(change, layout, update, serverResidual, exchange.Down(keepDown.A, keepDown.B)));
        }
        return method.WholeAdapter(adapterLayout, plan.Seed, published.Values.Span);
    }
}
