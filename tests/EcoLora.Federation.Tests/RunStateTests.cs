namespace EcoLora.Federation.Tests;

public class RunStateTests
{
    private readonly RunState _state = new(MadeUpPlan.Plan());

    [Fact]
    public void A_run_opens_trains_closes_publishes_and_ends()
    {
        var decisions = new List<string>();
        for (RoundMessage? next = Decide(); next is not null || !_state.IsFinished; next = Decide())
        {
            switch (next)
            {
                case RoundOpened opened:
                    decisions.Add($"open {opened.Round}{(opened.Evaluate ? " evaluated" : "")}");
                    AnswerAll(opened, client => 3.0 - opened.Round * 0.1);
                    if (opened.Evaluate) Hear(Evaluation(opened.Round));
                    break;
                case RoundClosed closed:
                    decisions.Add($"close {closed.Round}");
                    Publish(closed.Round);
                    break;
                case RunEnding ending:
                    decisions.Add($"end {ending.Version}");
                    Hear(Evaluation(ending.Version));
                    Hear(new AdapterWritten("run-1", ending.Version, "d"));
                    break;
                default:
                    decisions.Add(next!.GetType().Name);
                    break;
            }
        }
        Assert.Equal(
            ["RunOpened", "open 0 evaluated", "close 0", "open 1", "close 1", "open 2 evaluated", "close 2", "open 3", "close 3", "end 4", "RunFinished"],
            decisions);
        Assert.Equal([0, 2, 4], _state.Evaluations.Keys.Order());
        Assert.Null(_state.Next());
    }

    [Fact]
    public void Participants_stand_in_slot_order_with_their_segments()
    {
        Decide();
        var opened = (RoundOpened)Decide()!;
        Assert.Equal(RoundRobinSchedule.Sample(11, 0, Enumerable.Range(0, 6), 3), opened.Participants.Select(p => p.Client));
        Assert.Equal([0, 1, 2], opened.Participants.Select(p => p.Slot));
        Assert.Equal([0, 1, 0], opened.Participants.Select(p => p.Segment));
        Assert.Equal((0.95, 0.95), (opened.KeepA, opened.KeepB));
    }

    [Fact]
    public void The_loss_is_weighted_by_samples_and_sets_the_next_density()
    {
        RoundOpened opened = OpenFirst();
        int[] clients = [.. opened.Participants.Select(p => p.Client)];
        double[] losses = [2, 3, 5];
        AnswerAll(opened, client => losses[Array.IndexOf(clients, client)]);
        double expected = clients.Select((client, i) => (client + 1) * losses[i]).Sum() / clients.Sum(client => client + 1.0);
        Assert.Equal(expected, _state.Rounds[0].Loss!.Value, 12);
        Hear(Evaluation(0));
        Decide();
        Publish(0);
        var second = (RoundOpened)Decide()!;
        Assert.Equal(0.95, second.KeepA); // L_0 against itself.
        AnswerAll(second, _ => expected - 0.25);
        Decide();
        Publish(1);
        var third = (RoundOpened)Decide()!;
        Assert.Equal(0.7287578044100048, third.KeepA, 10); // 0.6 + 0.35·e^(−4·0.25)
        Assert.Equal(0.5609008774564757, third.KeepB, 10); // 0.5 + 0.45·e^(−8·0.25)
    }

    [Fact]
    public void The_loss_does_not_depend_on_the_order_of_the_reports()
    {
        double[] losses = [0.1, 1e16, -1e16];
        foreach (int[] order in new int[][] { [0, 1, 2], [2, 1, 0], [1, 0, 2] })
        {
            var state = new RunState(MadeUpPlan.Plan() with { Roster = [.. Enumerable.Range(0, 6).Select(c => new Enrolment(c, 0, 1))] });
            for (int i = 0; i < 2; i++) state.Apply(new Decided(state.Next()!, 1));
            int[] clients = [.. state.Rounds[0].Opened.Participants.Select(p => p.Client)];
            foreach (int i in order) state.Apply(new Heard(new ClientReport("run-1", 0, clients[i], 0, 1, losses[i]), 1));
            Assert.Equal((0.1 + 1e16 - 1e16) / 3, state.Rounds[0].Loss);
        }
    }

    [Fact]
    public void A_round_closes_only_when_every_participant_is_answered_and_the_version_is_evaluated()
    {
        RoundOpened opened = OpenFirst();
        AnswerAll(opened, _ => 3);
        Assert.Null(_state.Next());
        Hear(Evaluation(0));
        Assert.IsType<RoundClosed>(_state.Next());
    }

    [Fact]
    public void A_report_without_its_frame_and_a_frame_without_its_report_are_no_answer()
    {
        RoundOpened opened = OpenFirst();
        Hear(Evaluation(0));
        foreach (Participant participant in opened.Participants.Skip(1)) Answer(participant, 3);
        Hear(Stored(opened.Participants[0]));
        Assert.Null(_state.Next());
        Hear(Trained(opened.Participants[0], 3));
        Assert.IsType<RoundClosed>(_state.Next());
    }

    [Fact]
    public void A_refused_update_is_not_accepted_and_has_no_part_in_the_loss()
    {
        RoundOpened opened = OpenFirst();
        Hear(Evaluation(0));
        Participant refused = opened.Participants[0];
        Hear(Stored(refused)); // Even if a frame of it is stored.
        Hear(Trained(refused, null, "the loss is NaN"));
        foreach (Participant participant in opened.Participants.Skip(1)) Answer(participant, 3.5);
        Assert.Equal(3.5, _state.Rounds[0].Loss);
        var closed = Assert.IsType<RoundClosed>(Decide());
        Assert.Equal([.. opened.Participants.Skip(1).Select(p => new AcceptedSegment(p.Client, p.Slot, p.Segment, $"digest-{p.Client}"))], closed.Accepted);
        Assert.Equal((opened.KeepA, opened.KeepB), (closed.KeepA, closed.KeepB));
    }

    [Fact]
    public void A_frame_that_the_aggregator_refuses_is_an_answer_but_not_accepted()
    {
        RoundOpened opened = OpenFirst();
        Hear(Evaluation(0));
        Participant refused = opened.Participants[0];
        Hear(Trained(refused, 9));
        Hear(Stored(refused) with { Refused = "norm" });
        foreach (Participant participant in opened.Participants.Skip(1)) Answer(participant, 3.5);
        var closed = Assert.IsType<RoundClosed>(Decide());
        Assert.Equal(opened.Participants.Skip(1).Select(p => p.Client), closed.Accepted.Select(accepted => accepted.Client));
        Assert.Equal((3.5, "norm"), (_state.Rounds[0].Loss, _state.Rounds[0].RefusalOf(refused.Client)));
        Assert.False(_state.IsNews(Stored(refused)));
    }

    [Fact]
    public void A_round_whose_updates_are_all_refused_closes_empty_and_gives_no_loss()
    {
        RoundOpened opened = OpenFirst();
        Hear(Evaluation(0));
        foreach (Participant participant in opened.Participants) Hear(Trained(participant, null, "the loss is NaN"));
        Assert.Empty(Assert.IsType<RoundClosed>(Decide()).Accepted);
        Assert.Null(_state.Rounds[0].Loss);
        Publish(0);
        Assert.Equal(0.95, Assert.IsType<RoundOpened>(Decide()).KeepA);
    }

    [Fact]
    public void The_next_round_waits_for_every_site_and_for_the_aggregator_in_any_order()
    {
        RoundOpened opened = OpenFirst();
        Hear(Evaluation(0));
        AnswerAll(opened, _ => 3);
        Decide();
        Hear(new SiteUpdated("run-1", 2, 1, 90));
        Hear(new SiteUpdated("run-1", 0, 1, 90));
        Hear(Aggregated(0));
        Assert.Null(_state.Next());
        Hear(new SiteUpdated("run-1", 1, 1, 90));
        Assert.IsType<RoundOpened>(_state.Next());
    }

    [Fact]
    public void A_report_said_twice_is_no_news()
    {
        RoundOpened opened = OpenFirst();
        Participant first = opened.Participants[0];
        ReportMessage[] once = [Trained(first, 3), Stored(first), Evaluation(0)];
        foreach (ReportMessage report in once)
        {
            Assert.True(_state.IsNews(report));
            Hear(report);
            Assert.False(_state.IsNews(report));
        }
        Assert.False(_state.IsNews(Trained(first, 4)));
        Assert.False(_state.IsNews(Stored(first) with { Digest = "another" }));
    }

    [Fact]
    public void A_report_about_a_closed_round_is_no_news()
    {
        RoundOpened opened = OpenFirst();
        Hear(Evaluation(0));
        AnswerAll(opened, _ => 3);
        Decide();
        Assert.False(_state.IsNews(Trained(opened.Participants[0], 3)));
        Assert.False(_state.IsNews(Stored(opened.Participants[0])));
        Publish(0);
        Assert.False(_state.IsNews(Aggregated(0)));
        Assert.False(_state.IsNews(new SiteUpdated("run-1", 0, 1, 90)));
    }

    [Fact]
    public void Numbers_from_outside_are_no_news_and_never_throw()
    {
        int[] numbers = [int.MinValue, -1, 0, 1, 2, 3, 5, 6, 1000, int.MaxValue];
        RoundOpened opened = OpenFirst();
        HashSet<int> participants = [.. opened.Participants.Select(p => p.Client)];
        foreach (int x in numbers)
        {
            foreach (int y in numbers)
            {
                Assert.Equal(x == 0 && participants.Contains(y), _state.IsNews(new ClientReport("run-1", x, y, y % 3, y is >= 0 and < 6 ? y + 1 : 1, 3)));
                int segment = opened.Participants.FirstOrDefault(p => p.Client == y)?.Segment ?? 0;
                Assert.Equal(x == 0 && participants.Contains(y), _state.IsNews(new SegmentReceived("run-1", x, y, segment, "d", MadeUpPlan.Sizes)));
                Participant first = opened.Participants[0];
                Assert.Equal(y == first.Segment, _state.IsNews(new SegmentReceived("run-1", 0, first.Client, y, "d", MadeUpPlan.Sizes)));
                Assert.False(_state.IsNews(new SiteUpdated("run-1", x, y, 90)));
                Assert.Equal(x == 0 && y is >= 0 and < 3, _state.IsNews(new Evaluated("run-1", y, x, Score(3))));
            }
            Assert.False(_state.IsNews(Aggregated(x)));
            Assert.False(_state.IsNews(new AdapterWritten("run-1", x, "d")));
        }
    }

    [Fact]
    public void A_site_or_aggregator_from_outside_is_no_news_after_the_close_either()
    {
        RoundOpened opened = OpenFirst();
        Hear(Evaluation(0));
        AnswerAll(opened, _ => 3);
        Decide();
        foreach (int site in new[] { -1, 3, int.MaxValue }) Assert.False(_state.IsNews(new SiteUpdated("run-1", site, 1, 90)));
        foreach (int version in new[] { int.MinValue, -1, 0, 2, int.MaxValue }) Assert.False(_state.IsNews(new SiteUpdated("run-1", 0, version, 90)));
        Assert.True(_state.IsNews(new SiteUpdated("run-1", 0, 1, 90)));
        Assert.False(_state.IsNews(Aggregated(1)));
        Assert.True(_state.IsNews(Aggregated(0)));
    }

    [Fact]
    public void A_report_of_another_run_site_or_sample_count_is_no_news()
    {
        Participant first = OpenFirst().Participants[0];
        var report = (ClientReport)Trained(first, 3);
        Assert.True(_state.IsNews(report));
        Assert.False(_state.IsNews(report with { Run = "run-2" }));
        Assert.False(_state.IsNews(report with { Site = report.Site + 1 }));
        Assert.False(_state.IsNews(report with { Samples = report.Samples + 1 }));
        Assert.False(_state.IsNews(report with { Loss = null }));
        Assert.False(_state.IsNews(report with { Refused = "and a loss too" }));
        foreach (double loss in new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity })
            Assert.False(_state.IsNews(report with { Loss = loss }));
        Assert.False(_state.IsNews(new Evaluated("run-1", 0, 0, Score(double.NaN))));
    }

    [Fact]
    public void Nothing_is_news_before_the_first_round() => Assert.False(new RunState(MadeUpPlan.Plan()).IsNews(Evaluation(0)));

    [Fact]
    public void The_fold_of_the_journal_is_the_state_whose_next_decision_is_the_same()
    {
        var entries = new List<JournalEntry>();
        var state = new RunState(MadeUpPlan.Plan());
        while (!state.IsFinished)
        {
            RoundMessage next = state.Next()!;
            Take(new Decided(next, 10));
            foreach (ReportMessage report in Answers(next)) Take(new Heard(report, 5));
        }
        Assert.Equal(4 + 4 + 3, entries.OfType<Decided>().Count());

        void Take(JournalEntry entry)
        {
            entries.Add(entry);
            state.Apply(entry);
            var folded = new RunState(MadeUpPlan.Plan());
            foreach (JournalEntry line in entries) folded.Apply(line);
            Assert.Equal(state.Next() is { } next ? ProtocolJson.Write(next) : null, folded.Next() is { } same ? ProtocolJson.Write(same) : null);
        }
    }

    [Fact]
    public void A_scheduler_that_comes_back_says_the_plan_the_last_close_and_the_last_round_again()
    {
        Assert.Empty(_state.RecentDecisions());
        RoundOpened first = OpenFirst();
        Assert.Equal(["RunOpened", "RoundOpened 0"], Said());
        Hear(Evaluation(0));
        AnswerAll(first, _ => 3);
        Decide();
        Assert.Equal(["RunOpened", "RoundOpened 0", "RoundClosed 0"], Said());
        Publish(0);
        Decide();
        Assert.Equal(["RunOpened", "RoundClosed 0", "RoundOpened 1"], Said());

        IEnumerable<string> Said() => _state.RecentDecisions().Select(message => message switch
        {
            RoundOpened m => $"RoundOpened {m.Round}",
            RoundClosed m => $"RoundClosed {m.Round}",
            _ => message.GetType().Name,
        });
    }

    [Fact]
    public void Control_bytes_belong_to_the_round_under_way_twice_down_per_site_and_up_from_the_sender()
    {
        _state.Apply(new Decided(_state.Next()!, 100));
        _state.Apply(new Decided(_state.Next()!, 50));
        Participant first = _state.Rounds[0].Opened.Participants[0];
        int site = first.Client % 3;
        _state.Apply(new Heard(Trained(first, 3), 7));
        _state.Apply(new Heard(Stored(first), 1000)); // The aggregator stands beside the scheduler.
        // To the site's codec and trainer: 2·100 of opening the run, which counts with round 0, and 2·50 of opening the round.
        Assert.Equal(new ControlBytes(300, 7), _state.Rounds[0].Control[site]);
        Assert.Equal(new ControlBytes(300, 0), _state.Rounds[0].Control[(site + 1) % 3]);
    }

    private static IEnumerable<ReportMessage> Answers(RoundMessage message) => message switch
    {
        RoundOpened m =>
        [
            .. m.Participants.SelectMany(p => new[] { Trained(p, 3, round: m.Round), Stored(p, m.Round) }),
            .. m.Evaluate ? [Evaluation(m.Round)] : Array.Empty<ReportMessage>(),
        ],
        RoundClosed m => [Aggregated(m.Round), .. Enumerable.Range(0, 3).Select(site => new SiteUpdated("run-1", site, m.Round + 1, 90))],
        RunEnding m => [new AdapterWritten("run-1", m.Version, "d"), Evaluation(m.Version)],
        _ => [],
    };

    private RoundMessage? Decide()
    {
        if (_state.Next() is not { } next) return null;
        _state.Apply(new Decided(next, 1));
        return next;
    }

    private RoundOpened OpenFirst()
    {
        Decide();
        return (RoundOpened)Decide()!;
    }

    private void Hear(ReportMessage report)
    {
        Assert.True(_state.IsNews(report), $"{report}");
        _state.Apply(new Heard(report, 1));
    }

    private void AnswerAll(RoundOpened opened, Func<int, double> loss)
    {
        foreach (Participant participant in opened.Participants.Reverse()) Answer(participant, loss(participant.Client), opened.Round);
    }

    private void Answer(Participant participant, double loss, int round = 0)
    {
        Hear(Trained(participant, loss, round: round));
        Hear(Stored(participant, round));
    }

    private void Publish(int round)
    {
        Hear(Aggregated(round));
        for (int site = 0; site < 3; site++) Hear(new SiteUpdated("run-1", site, round + 1, 90));
    }

    private static ReportMessage Trained(Participant participant, double? loss, string? refused = null, int round = 0) =>
        new ClientReport("run-1", round, participant.Client, participant.Client % 3, participant.Client + 1, loss, refused);

    private static SegmentReceived Stored(Participant participant, int round = 0) =>
        new("run-1", round, participant.Client, participant.Segment, $"digest-{participant.Client}", MadeUpPlan.Sizes);

    private static RoundAggregated Aggregated(int round) => new("run-1", round, [2, 1], "change", MadeUpPlan.Sizes, 0.5);

    private static Evaluated Evaluation(int version) => new("run-1", 0, version, Score(3));

    private static HeldOutScore Score(double loss) => new(loss, 1, 2, null, []);
}
