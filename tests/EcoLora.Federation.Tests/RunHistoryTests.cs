namespace EcoLora.Federation.Tests;

public class RunHistoryTests
{
    private static readonly TrainerEnrolled _first = MadeUpEnrolment.Of("a", 0, 0, 1);
    private static readonly TrainerEnrolled _second = MadeUpEnrolment.Of("a", 1, 2);
    private static readonly TrainerEnrolled _third = MadeUpEnrolment.Of("b", 0, 3);

    private readonly RunHistory _history = new(MadeUpEnrolment.Announcement, new RosterState(MadeUpEnrolment.Draft, 4));

    [Fact]
    public void A_run_is_announced_then_trainers_enrol_then_it_opens_with_their_roster()
    {
        Assert.Null(_history.Run);
        Assert.IsType<RunAnnounced>(Decide(30));
        foreach (TrainerEnrolled report in new[] { _third, _first, _second })
        {
            Assert.Null(_history.Next());
            Assert.True(_history.IsNews(report));
            _history.Apply(new Heard(report, 5));
        }
        var opened = Assert.IsType<RunOpened>(Decide(100));
        Assert.Equal(["a", "b"], opened.Plan.Places!.Select(place => place.Name));
        Assert.Equal(opened.Plan, _history.Run!.Plan);
        Assert.IsType<RoundOpened>(_history.Next());
        Assert.False(_history.IsFinished);
        Assert.Equal("run-1", _history.Name);
    }

    [Fact]
    public void An_enrolment_is_news_between_the_announcement_and_the_opening_only()
    {
        Assert.False(_history.IsNews(_first));
        Decide(30);
        Assert.True(_history.IsNews(_first));
        _history.Apply(new Heard(_first, 5));
        Assert.False(_history.IsNews(_first));
        Assert.False(_history.IsNews(_second with { Clients = [] }));
        _history.Apply(new Heard(_second, 5));
        _history.Apply(new Heard(_third, 5));
        Decide(100);
        Assert.False(_history.IsNews(MadeUpEnrolment.Of("c", 0, 3)));
    }

    [Fact]
    public void Reports_of_a_run_that_is_not_open_are_no_news_and_never_throw()
    {
        ReportMessage[] reports =
        [
            new ClientReport("run-1", 0, 0, 0, 1, 3), new SiteUpdated("run-1", 0, 1, 90), new AdapterWritten("run-1", 0, "d"),
            new SegmentReceived("run-1", 0, 0, 0, "d", MadeUpPlan.Sizes), new Evaluated("run-1", 0, 0, new HeldOutScore(1, 1, 1, null, [])),
        ];
        foreach (ReportMessage report in reports) Assert.False(_history.IsNews(report));
        Decide(30);
        foreach (ReportMessage report in reports) Assert.False(_history.IsNews(report));
        Assert.False(new RunHistory(MadeUpPlan.Plan()).IsNews(_first));
    }

    [Fact]
    public void What_is_said_again_is_the_announcement_then_the_decisions_then_nothing()
    {
        Assert.Empty(_history.Again());
        Enrol();
        Assert.Equal([typeof(RunAnnounced)], Types());
        Decide(100);
        Assert.Equal([typeof(RunOpened), typeof(Reminder)], Types());
        Decide(50);
        Assert.Equal([typeof(RunOpened), typeof(RoundOpened), typeof(Reminder)], Types());
        _history.Apply(new Decided(new RunFinished("run-1"), 1));
        Assert.True(_history.IsFinished);
        Assert.Empty(_history.Again());

        IEnumerable<Type> Types() => _history.Again().Select(message => message.GetType());
    }

    [Fact]
    public void Control_bytes_of_the_opening_belong_to_round_0_by_the_sites_own_trainers()
    {
        Enrol();
        Decide(100);
        Decide(50);
        // Site a has a codec and two trainers that hear each broadcast, site b a codec and one.
        SortedDictionary<int, ControlBytes> control = _history.Run!.Rounds[0].Control;
        Assert.Equal(new ControlBytes(3 * (30 + 100 + 50), 7 + 8), control[0]);
        Assert.Equal(new ControlBytes(2 * (30 + 100 + 50), 9), control[1]);
        Assert.Equal([0, 1], control.Keys);
    }

    [Fact]
    public void A_run_whose_plan_is_known_has_no_roster_and_opens_at_once()
    {
        var history = new RunHistory(MadeUpPlan.Plan());
        Assert.Null(history.Roster);
        Assert.Equal("run-1", history.Name);
        Assert.Empty(history.Again()); // A reminder would come before the opening, to services that do not know the run.
        Assert.IsType<RunOpened>(history.Next());
        history.Apply(new Decided(history.Next()!, 10));
        Assert.IsType<RoundOpened>(history.Next());
    }

    private void Enrol()
    {
        Decide(30);
        _history.Apply(new Heard(_third, 9));
        _history.Apply(new Heard(_second, 8));
        _history.Apply(new Heard(_first, 7));
    }

    private RoundMessage Decide(int bytes)
    {
        RoundMessage next = _history.Next()!;
        _history.Apply(new Decided(next, bytes));
        return next;
    }
}
