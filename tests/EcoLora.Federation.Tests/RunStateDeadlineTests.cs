namespace EcoLora.Federation.Tests;

/// <summary>Six clients, three participants, two segments: what a deadline changes in the decisions.</summary>
public class RunStateDeadlineTests
{
    private static readonly int[] _all = [0, 1, 2, 3, 4, 5];

    private RunState _state = new(MadeUpPlan.Plan() with { Deadline = new DeadlineOptions(60) });
    private int[] _present = _all;

    [Fact]
    public void A_round_with_everybody_s_answer_closes_before_its_deadline_and_the_next_one_waits_for_no_site()
    {
        RoundOpened opened = Open();
        Assert.Null(Decide());
        foreach (Participant participant in opened.Participants) Deliver(opened.Round, participant);
        Assert.Equal(opened.Participants.Select(p => p.Client), Assert.IsType<RoundClosed>(Decide()).Accepted.Select(a => a.Client));
        Assert.Null(Decide());
        Aggregate(0);
        Assert.Equal(1, Assert.IsType<RoundOpened>(Decide()).Round);
    }

    [Fact]
    public void At_the_deadline_a_round_closes_with_what_has_come()
    {
        RoundOpened opened = Open();
        // Slots 0 and 1 carry both segments; slot 2 is late.
        Deliver(0, opened.Participants[0]);
        Deliver(0, opened.Participants[1]);
        Assert.Null(Decide());
        Pass(0);
        var closed = Assert.IsType<RoundClosed>(Decide());
        Assert.Equal([0, 1], closed.Accepted.Select(a => a.Slot));
    }

    [Fact]
    public void A_straggler_counts_as_late_and_is_not_sampled_before_it_has_reported()
    {
        (RoundOpened opened, Participant late) = CloseWithoutLast();
        Assert.Equal([late.Client], _state.Busy);
        for (int round = 1; round < 3; round++)
        {
            Aggregate(round - 1);
            var next = Assert.IsType<RoundOpened>(Decide());
            Assert.DoesNotContain(late.Client, next.Participants.Select(p => p.Client));
            foreach (Participant participant in next.Participants) Deliver(round, participant);
            Assert.IsType<RoundClosed>(Decide());
        }
        double? loss = _state.Rounds[0].Loss;
        Deliver(0, late);
        Assert.Empty(_state.Busy);
        Assert.Equal([late.Client], _state.Rounds[0].LateSegments.Keys);
        Assert.Equal(2, _state.Rounds[0].Segments.Count);
        Assert.Equal(loss, _state.Rounds[0].Loss);
        Assert.False(_state.IsNews(Report(0, late.Client)));
        Assert.Equal(opened.Participants.Count, _state.Rounds[0].Clients.Count);
    }

    [Fact]
    public void Who_has_missed_a_round_may_be_sampled_again()
    {
        (_, Participant late) = CloseWithoutLast();
        var missed = new ClientMissed("run-1", 0, late.Client, late.Client % 3);
        Assert.True(_state.IsNews(missed));
        Assert.False(_state.IsNews(missed with { Site = 7 }));
        Assert.False(_state.IsNews(missed with { Client = _state.Rounds[0].Opened.Participants[0].Client }));
        Hear(missed);
        Assert.False(_state.IsNews(missed));
        Assert.False(_state.IsNews(Report(0, late.Client)));
        Assert.Empty(_state.Busy);
    }

    [Fact]
    public void Nobody_misses_a_round_that_is_open()
    {
        RoundOpened opened = Open();
        int client = opened.Participants[0].Client;
        Assert.False(_state.IsNews(new ClientMissed("run-1", 0, client, client % 3)));
    }

    [Fact]
    public void A_segment_without_an_answer_gets_further_participants_at_the_deadline()
    {
        RoundOpened opened = Open();
        Deliver(0, opened.Participants[0]);
        Deliver(0, opened.Participants[2]);
        Pass(0);
        var again = Assert.IsType<RoundOpened>(Decide());
        Assert.Equal(opened.Participants, again.Participants.Take(3));
        Participant spare = Assert.Single(again.Participants.Skip(3));
        Assert.Equal((3, opened.Participants[1].Segment), (spare.Slot, spare.Segment));
        Assert.DoesNotContain(spare.Client, opened.Participants.Select(p => p.Client));
        // Its time begins anew.
        Assert.False(_state.Rounds[0].IsOverdue);
        Assert.Null(Decide());
        Deliver(0, spare);
        Assert.Equal([0, 2, 3], Assert.IsType<RoundClosed>(Decide()).Accepted.Select(a => a.Slot));
    }

    [Fact]
    public void Without_a_spare_client_a_segment_s_answer_is_waited_for()
    {
        RoundOpened opened = Open();
        Deliver(0, opened.Participants[0]);
        _present = [.. opened.Participants.Select(p => p.Client)];
        Pass(0);
        Assert.Null(Decide());
        _present = _all;
        Assert.IsType<RoundOpened>(Decide());
    }

    [Fact]
    public void A_refused_update_is_an_answer()
    {
        RoundOpened opened = Open();
        foreach (Participant participant in opened.Participants)
            Hear(new ClientReport("run-1", 0, participant.Client, participant.Client % 3, participant.Client + 1, null, "the loss is NaN"));
        Assert.Empty(Assert.IsType<RoundClosed>(Decide()).Accepted);
    }

    [Fact]
    public void Participants_are_drawn_from_those_who_are_present()
    {
        _present = [1, 3, 4, 5];
        RoundOpened opened = Open();
        Assert.All(opened.Participants, participant => Assert.Contains(participant.Client, _present));
        Assert.Equal(RoundRobinSchedule.Sample(11, 0, _present, 3), opened.Participants.Select(p => p.Client));
    }

    [Fact]
    public void A_round_does_not_open_with_fewer_clients_than_segments_need()
    {
        Assert.IsType<RunOpened>(Decide());
        _present = [2];
        Assert.Null(Decide());
        _present = [2, 5];
        Assert.Equal([2, 5], Assert.IsType<RoundOpened>(Decide()).Participants.Select(p => p.Client));
    }

    [Theory]
    [InlineData(0.0, 3)]
    [InlineData(0.3, 4)]
    [InlineData(1.0, 6)]
    [InlineData(9.0, 6)]
    public void Over_sampling_adds_its_share_rounded_up(double share, int sampled)
    {
        _state = new RunState(MadeUpPlan.Plan() with { Deadline = new DeadlineOptions(60, 1, share) });
        Assert.Equal(sampled, Open().Participants.Count);
    }

    [Fact]
    public void An_over_sampled_round_closes_when_as_many_as_participants_have_delivered()
    {
        _state = new RunState(MadeUpPlan.Plan() with { Deadline = new DeadlineOptions(60, 1, 1.0) });
        RoundOpened opened = Open();
        Deliver(0, opened.Participants[1]);
        Deliver(0, opened.Participants[3]);
        Deliver(0, opened.Participants[5]);
        // Three have delivered, all of them the same segment.
        Assert.Null(Decide());
        Deliver(0, opened.Participants[4]);
        Assert.Equal([1, 3, 4, 5], Assert.IsType<RoundClosed>(Decide()).Accepted.Select(a => a.Slot));
    }

    [Fact]
    public void With_a_share_of_a_tenth_ten_participants_are_joined_by_one() => Assert.Equal(11, new DeadlineOptions(1, 1, 0.1).Sampled(10));

    [Fact]
    public void A_run_ends_though_a_site_and_an_evaluation_are_missing_but_not_without_the_last_one()
    {
        for (int round = 0; round < 4; round++)
        {
            RoundOpened opened = round == 0 ? Open() : Assert.IsType<RoundOpened>(Decide());
            foreach (Participant participant in opened.Participants) Deliver(round, participant);
            Assert.IsType<RoundClosed>(Decide());
            Aggregate(round);
        }
        Assert.IsType<RunEnding>(Decide());
        Assert.Equal([0, 1, 2], _state.Awaited().Sites);
        Hear(new AdapterWritten("run-1", 4, "d"));
        Assert.Null(Decide());
        Hear(new Evaluated("run-1", 0, 4, new HeldOutScore(1, 1, 1, null, [])));
        Assert.IsType<RunFinished>(Decide());
        Assert.Null(Decide());
    }

    [Fact]
    public void Stragglers_that_are_present_are_told_again_what_they_may_have_missed()
    {
        (RoundOpened opened, Participant late) = CloseWithoutLast();
        Assert.Equal(
            [opened, _state.Rounds[0].Closed!, new Reminder("run-1", 0, [late.Client], [], false)],
            _state.SaidToStragglers().Select(message => message is Reminder reminder ? reminder with { Clients = [.. reminder.Clients] } : message),
            (x, y) => Text(x) == Text(y));
        Assert.Empty(_state.SaidToStragglers([.. _all.Where(client => client != late.Client)]));
        Deliver(0, late);
        Assert.Empty(_state.SaidToStragglers());

        static string Text(RoundMessage message) => System.Text.Encoding.UTF8.GetString(ProtocolJson.Write(message));
    }

    [Fact]
    public void Heartbeats_count_as_control_bytes_of_the_round()
    {
        RunPlan plan = MadeUpPlan.Plan() with
        {
            Deadline = new DeadlineOptions(60),
            Places = [new SitePlace("north", [0]), new SitePlace("south", [0]), new SitePlace("west", [0])],
        };
        _state = new RunState(plan);
        Open();
        long before = _state.Rounds[0].Control[1].Up;
        _state.Apply(new PresenceChanged([], ["trainer-south-0"], new Dictionary<string, long> { ["south"] = 321, ["elsewhere"] = 5 }));
        Assert.Equal(before + 321, _state.Rounds[0].Control[1].Up);
    }

    [Fact]
    public void In_strict_mode_what_comes_after_the_close_is_no_news()
    {
        _state = new RunState(MadeUpPlan.Plan());
        RoundOpened opened = Open();
        foreach (Participant participant in opened.Participants) Deliver(0, participant);
        Hear(new Evaluated("run-1", 0, 0, new HeldOutScore(1, 1, 1, null, [])));
        Assert.IsType<RoundClosed>(Decide());
        Participant first = opened.Participants[0];
        Assert.False(_state.IsNews(Report(0, first.Client)));
        Assert.False(_state.IsNews(new ClientMissed("run-1", 0, first.Client, first.Client % 3)));
    }

    private RoundOpened Open()
    {
        Assert.IsType<RunOpened>(Decide());
        return Assert.IsType<RoundOpened>(Decide());
    }

    private (RoundOpened Opened, Participant Late) CloseWithoutLast()
    {
        RoundOpened opened = Open();
        Deliver(0, opened.Participants[0]);
        Deliver(0, opened.Participants[1]);
        Pass(0);
        Assert.IsType<RoundClosed>(Decide());
        return (opened, opened.Participants[2]);
    }

    private RoundMessage? Decide()
    {
        RoundMessage? next = _state.Next(_present);
        if (next is not null) _state.Apply(new Decided(next, 100));
        return next;
    }

    private void Deliver(int round, Participant participant)
    {
        Hear(Report(round, participant.Client));
        Hear(new SegmentReceived("run-1", round, participant.Client, participant.Segment, $"digest-{participant.Client}", MadeUpPlan.Sizes));
    }

    private static ClientReport Report(int round, int client) => new("run-1", round, client, client % 3, client + 1, 1.0 + client);

    private void Aggregate(int round) => Hear(new RoundAggregated("run-1", round, [1, 1], "digest", MadeUpPlan.Sizes, 0));

    private void Pass(int round) => _state.Apply(new DeadlinePassed(round));

    private void Hear(ReportMessage report)
    {
        Assert.True(_state.IsNews(report), $"{report}");
        _state.Apply(new Heard(report, 10));
    }
}
