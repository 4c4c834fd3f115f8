using EcoLora.Codec;
using EcoLora.Federation;

namespace EcoLora.EndToEnd.Tests;

/// <summary>
/// What a run with a deadline must come to by its journal, in one method and in memory, as <see cref="ReferenceRun"/> tells the strict run: who took part, who
/// reported and what was accepted is taken from the journal, everything else is computed.
/// </summary>
internal static class JournalReference
{
    public static float[] Run(RunPlan plan, IReadOnlyList<JournalEntry> journal)
    {
        FederatedMethod method = plan.FederatedMethod;
        var published = PublishedAdapter.Start(plan);
        float[] serverResidual = new float[plan.ExchangedLayout().Length];
        var locals = new Dictionary<int, (int Round, float[] Values)>();
        var residuals = new Dictionary<(int Client, int Segment), float[]>();
        RoundMessage[] decisions = [.. journal.OfType<Decided>().Select(decided => decided.Message)];
        ILookup<int, ClientReport> reports = journal.OfType<Heard>().Select(heard => heard.Report).OfType<ClientReport>().ToLookup(report => report.Round);
        foreach (RoundClosed closed in decisions.OfType<RoundClosed>())
        {
            RoundOpened opened = decisions.OfType<RoundOpened>().Last(decision => decision.Round == closed.Round);
            Compression compression = plan.Exchange.Up(opened.KeepA, opened.KeepB);
            var accepted = new List<AcceptedFrame>();
            foreach (Participant participant in opened.Participants)
            {
                if (reports[closed.Round].FirstOrDefault(report => report.Client == participant.Client) is not { Refused: null }) continue;
                bool returns = locals.TryGetValue(participant.Client, out (int Round, float[] Values) last);
                var start = TrainingStart.Of(plan, closed.Round, participant.Client, published.Values, returns ? last.Round : null, last.Values);
                MadeUpEngine.Train(plan, participant.Client, closed.Round, start.Adapter, start.BaseChange.Span);
                float[] local = method.Exchanged(plan.AdapterLayout(participant.Client), start.Adapter);
                LoraLayout layout = plan.ExchangedLayout(participant.Client);
                locals[participant.Client] = (closed.Round, local);
                var header = new FrameHeader(
                    FrameKind.Segment, plan.Key, closed.Round, participant.Client, participant.Segment, plan.Exchange.Segments, published.Version, (uint)layout.Fingerprint);
                ClientUpload upload = ClientUpload.Make(header, layout, plan.Reference(closed.Round, participant.Client, published.Values.Span), local, residuals.GetValueOrDefault((participant.Client, participant.Segment)),
                    Mixing.FeedbackShare(plan.Exchange.Feedback, start.MixingWeight), compression);
                bool isAccepted = closed.Accepted.Any(segment => segment.Client == participant.Client);
                residuals[(participant.Client, participant.Segment)] = isAccepted ? upload.Residual : upload.Unsent;
                if (isAccepted) accepted.Add(new AcceptedFrame(participant.Slot, plan.EnrolmentOf(participant.Client).Samples, Frame.Open(upload.Frame, layout)));
            }
            if (method.MergesIntoBase)
            {
                published.Apply(StackedChange.Write(plan, closed.Round, accepted));
                continue;
            }
            LoraLayout common = plan.ExchangedLayout();
            double[] update = Aggregation.WeightedMean(accepted, common.Length, plan.Exchange.Sums);
            var change = new FrameHeader(FrameKind.GlobalChange, plan.Key, closed.Round, FrameHeader.Aggregator, 0, 1, published.Version, (uint)common.Fingerprint);
            published.Apply(Aggregation.Publish(change, common, update, serverResidual, plan.Exchange.Down(closed.KeepA, closed.KeepB)));
        }
        return plan.Outcome(published.Values.Span);
    }
}
