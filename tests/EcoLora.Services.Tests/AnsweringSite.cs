using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Tests;

/// <summary>A trainer, its codec and the aggregator in one, which answer the scheduler at once, and again when they are told again.</summary>
internal sealed class AnsweringSite
{
    private readonly IMessageBus _bus;

    public AnsweringSite(IMessageBus bus)
    {
        _bus = bus;
        bus.Subscribe(Topics.Rounds, "site", AnswerAsync);
    }

    private async Task<Verdict> AnswerAsync(BusMessage message, CancellationToken cancellation)
    {
        RoundMessage round = ProtocolJson.ReadRound(message.Payload.Span);
        foreach (ReportMessage report in Answers(round)) await _bus.PublishAsync(Topics.Reports, round.Run, ProtocolJson.Write(report), cancellation);
        return Verdict.Success;
    }

    private static IEnumerable<ReportMessage> Answers(RoundMessage message)
    {
        var sizes = new FrameSizes(12, 6, 8, 4, 40, 60, 30, 24, 90);
        return message switch
        {
            RunAnnounced m =>
            [
                Enrolment(m.Run, "a", 0, 1), Enrolment(m.Run, "b", 2, 3),
            ],
            RoundOpened m =>
            [
                .. m.Participants.Select(p => new ClientReport(m.Run, m.Round, p.Client, p.Client / 2, p.Client + 1, 3)),
                .. m.Participants.Select(p => new SegmentReceived(m.Run, m.Round, p.Client, p.Segment, $"digest-{p.Client}", sizes)),
                .. m.Evaluate ? [new Evaluated(m.Run, 0, m.Round, new HeldOutScore(3, 1, 2, null, []))] : Array.Empty<ReportMessage>(),
            ],
            RoundClosed m => [new RoundAggregated(m.Run, m.Round, [1, 1], "change", sizes, 0.5), new SiteUpdated(m.Run, 0, m.Round + 1, 90), new SiteUpdated(m.Run, 1, m.Round + 1, 90)],
            RunEnding m => [new AdapterWritten(m.Run, m.Version, "d"), new Evaluated(m.Run, 0, m.Version, new HeldOutScore(3, 1, 2, null, []))],
            _ => [],
        };
    }

    private static TrainerEnrolled Enrolment(string run, string site, params int[] clients) =>
        new(run, site, 0, [.. clients.Select(client => new EnrolledClient(client, client + 1, 2))], [new LoraModule("q", 4, 6, 2)], Evaluates: true);
}
