namespace EcoLora.Federation.Tests;

/// <summary>A run with a deadline opens with those who are there; trainers come and go.</summary>
public class RunHistoryDeadlineTests
{
    private static readonly TrainerEnrolled _first = MadeUpEnrolment.Of("b", 0, 0, 3);
    private static readonly TrainerEnrolled _second = MadeUpEnrolment.Of("a", 0, 1);
    private static readonly TrainerEnrolled _third = MadeUpEnrolment.Of("b", 1, 2);

    private readonly RunHistory _history = new(
        MadeUpEnrolment.Announcement, new RosterState(MadeUpEnrolment.Draft with { Deadline = new DeadlineOptions(60) }, 4));

    [Fact]
    public void It_opens_with_as_many_clients_as_a_round_samples()
    {
        Assert.IsType<RunAnnounced>(Decide());
        Hear(_second);
        Assert.Null(_history.Next());
        Hear(_first);
        var opened = Assert.IsType<RunOpened>(Decide());
        Assert.Equal([0, 1, 3], opened.Plan.Roster.Select(enrolment => enrolment.Client));
        Assert.Equal([0, 1, 1], new[] { 1, 0, 3 }.Select(client => opened.Plan.EnrolmentOf(client).Site));
        Assert.Null(opened.Plan.FindEnrolment(2));
        Assert.Null(opened.Plan.FindEnrolment(-1));
        Assert.Null(opened.Plan.FindEnrolment(4));
        opened.Plan.Validate();
    }

    [Fact]
    public void Who_enrols_later_is_in_the_next_plan_and_sites_keep_their_numbers()
    {
        RunPlan before = Open();
        Assert.IsType<RoundOpened>(Decide());
        Assert.Null(_history.Next());
        Hear(_second);
        RunPlan grown = Assert.IsType<RunOpened>(Decide()).Plan;
        Assert.Equal(["b", "a"], grown.Places!.Select(place => place.Name));
        Assert.Equal(before.Roster, grown.Roster.Where(enrolment => enrolment.Client != 1));
        Assert.Equal(new Enrolment(1, 1, 2), grown.EnrolmentOf(1));
        Assert.Equal(before.Evaluator, grown.Evaluator);
        Hear(_third);
        grown = Assert.IsType<RunOpened>(Decide()).Plan;
        Assert.Equal([0, 1], grown.Places![0].Trainers);
        Assert.Equal([0, 1, 2, 3], grown.Roster.Select(enrolment => enrolment.Client));
        Assert.Same(grown, _history.Run!.Plan);
        Assert.Null(_history.Next());
        Assert.False(_history.IsNews(_third));
        grown.Validate();
    }

    [Fact]
    public void What_a_later_site_has_cost_is_counted_from_the_beginning()
    {
        Open();
        Decide();
        Assert.Equal([0], _history.Run!.Rounds[0].Control.Keys);
        Hear(_second);
        Decide();
        // To its codec and its trainer: the announcement and the plan; from it: the enrolment.
        Assert.Equal(new ControlBytes(2 * (100 + 100), 7), _history.Run.Rounds[0].Control[1]);
    }

    [Fact]
    public void Rounds_are_sampled_from_the_clients_of_trainers_that_are_there()
    {
        Open();
        Hear(_second);
        Hear(_third);
        Assert.IsType<RunOpened>(Decide());
        Assert.Equal(["trainer-a-0", "trainer-b-0", "trainer-b-1"], _history.Present);
        _history.Apply(new PresenceChanged([], ["trainer-b-0"], new Dictionary<string, long>()));
        Assert.Equal([1, 2], Assert.IsType<RoundOpened>(_history.Next()).Participants.Select(p => p.Client));
        _history.Apply(new PresenceChanged([], ["trainer-b-1"], new Dictionary<string, long>()));
        // One client cannot cover two segments.
        Assert.Null(_history.Next());
        _history.Apply(new PresenceChanged(["trainer-b-0"], [], new Dictionary<string, long>()));
        Assert.IsType<RoundOpened>(_history.Next());
    }

    [Fact]
    public void While_clients_are_missing_the_run_is_announced_again_with_every_round()
    {
        Open();
        Assert.Equal([typeof(RunAnnounced)], _history.ToThoseBehind().Select(message => message.GetType()));
        Hear(_second);
        Hear(_third);
        Decide();
        Assert.Empty(_history.ToThoseBehind());
    }

    [Fact]
    public void In_strict_mode_nobody_joins_later_and_nobody_is_behind()
    {
        var strict = new RunHistory(MadeUpEnrolment.Announcement, new RosterState(MadeUpEnrolment.Draft, 4));
        strict.Apply(new Decided(strict.Next()!, 100));
        foreach (TrainerEnrolled report in new[] { _first, _second }) strict.Apply(new Heard(report, 7));
        Assert.Null(strict.Next());
        strict.Apply(new Heard(_third, 7));
        strict.Apply(new Decided(strict.Next()!, 100));
        Assert.False(strict.IsNews(MadeUpEnrolment.Of("c", 0, 3)));
        Assert.Empty(strict.ToThoseBehind());
    }

    [Theory]
    [InlineData(0.0, 1, 0.0, "federation.deadline: expected above 0, at most 2592000 seconds, found 0")]
    [InlineData(double.NaN, 1, 0.0, "federation.deadline: expected above 0, at most 2592000 seconds, found NaN")]
    [InlineData(60.0, 2, 0.0, "federation.minimum_coverage: expected 0 to 1, which 3 participants with 2 segments can reach, found 2")]
    [InlineData(60.0, -1, 0.0, "federation.minimum_coverage: expected 0 to 1, which 3 participants with 2 segments can reach, found -1")]
    [InlineData(60.0, 1, 10.5, "federation.over_sampling: expected 0 to 10, found 10.5")]
    public void A_deadline_that_cannot_be_is_refused(double seconds, int coverage, double share, string refusal)
    {
        RunPlan plan = MadeUpPlan.Plan() with { Deadline = new DeadlineOptions(seconds, coverage, share) };
        Assert.Equal(refusal, Assert.Throws<ArgumentException>(plan.Validate).Message);
    }

    [Fact]
    public void A_roster_with_gaps_is_one_only_with_a_deadline()
    {
        RunPlan plan = MadeUpPlan.Plan(), gaps = plan with { Roster = [.. plan.Roster.Where(enrolment => enrolment.Client != 2)] };
        Assert.Equal("roster: expected client 2, found 3", Assert.Throws<ArgumentException>(gaps.Validate).Message);
        (gaps with { Deadline = new DeadlineOptions(60) }).Validate();
        RunPlan twice = plan with { Deadline = new DeadlineOptions(60), Roster = [.. plan.Roster, plan.Roster[^1]] };
        Assert.Equal("roster: expected clients in ascending order, each once, found 5", Assert.Throws<ArgumentException>(twice.Validate).Message);
    }

    private RunPlan Open()
    {
        Assert.IsType<RunAnnounced>(Decide());
        Hear(_first);
        return Assert.IsType<RunOpened>(Decide()).Plan;
    }

    private RoundMessage? Decide()
    {
        RoundMessage? next = _history.Next();
        if (next is not null) _history.Apply(new Decided(next, 100));
        return next;
    }

    private void Hear(ReportMessage report)
    {
        Assert.True(_history.IsNews(report));
        _history.Apply(new Heard(report, 7));
    }
}
