namespace EcoLora.Federation.Tests;

/// <summary>What a scheduler says that it waits for, at each stage of a round.</summary>
public class RunStateAwaitedTests
{
    private readonly RunState _state = new(MadeUpPlan.Plan());

    [Fact]
    public void Before_the_first_round_nothing_is_awaited()
    {
        Assert.Equal("round -1", Awaited());
        Decide();
        Assert.Equal("round -1", Awaited());
    }

    [Fact]
    public void A_participant_is_awaited_until_both_its_report_and_its_frame_are_there()
    {
        Participant[] p = [.. OpenFirst().Participants];
        Assert.Equal($"round 0 clients {p[0].Client},{p[1].Client},{p[2].Client} evaluation 0", Awaited());
        Hear(Trained(p[1]));
        Hear(Stored(p[2]));
        Assert.Equal($"round 0 clients {p[0].Client},{p[1].Client},{p[2].Client} evaluation 0", Awaited());
        Hear(Stored(p[1]));
        Assert.Equal($"round 0 clients {p[0].Client},{p[2].Client} evaluation 0", Awaited());
        Hear(Trained(p[0]) with { Loss = null, Refused = "the loss is NaN" });
        Assert.Equal($"round 0 clients {p[2].Client} evaluation 0", Awaited());
        Hear(Trained(p[2]));
        Assert.Equal("round 0 evaluation 0", Awaited());
        Hear(Evaluation(0));
        Assert.Equal("round 0", Awaited());
        Assert.IsType<RoundClosed>(_state.Next());
    }

    [Fact]
    public void After_the_close_the_change_is_awaited_then_the_sites()
    {
        Answer(OpenFirst());
        Hear(Evaluation(0));
        Decide();
        Assert.Equal("round 0 change", Awaited());
        Hear(new SiteUpdated("run-1", 1, 1, 90)); // A site may be quicker than the aggregator's report.
        Assert.Equal("round 0 change", Awaited());
        Hear(new RoundAggregated("run-1", 0, [2, 1], "change", MadeUpPlan.Sizes, 0.5));
        Assert.Equal("round 0 sites 0,2", Awaited());
        Hear(new SiteUpdated("run-1", 0, 1, 90));
        Assert.Equal("round 0 sites 2", Awaited());
        Hear(new SiteUpdated("run-1", 2, 1, 90));
        Assert.Equal("round 0", Awaited());
    }

    [Fact]
    public void A_version_that_nobody_asked_to_evaluate_is_not_awaited_and_the_last_one_is()
    {
        var awaited = new List<string>();
        Decide();
        for (int round = 0; round < 4; round++)
        {
            var opened = (RoundOpened)Decide();
            Answer(opened);
            awaited.Add(Awaited());
            if (opened.Evaluate) Hear(Evaluation(round));
            Decide();
            Hear(new RoundAggregated("run-1", round, [2, 1], "change", MadeUpPlan.Sizes, 0.5));
            for (int site = 0; site < 3; site++) Hear(new SiteUpdated("run-1", site, round + 1, 90));
        }
        Assert.Equal(["round 0 evaluation 0", "round 1", "round 2 evaluation 2", "round 3"], awaited);
        Assert.IsType<RunEnding>(Decide());
        Assert.Equal("round 3 evaluation 4", Awaited());
        Assert.Equal(["RunOpened", "RoundClosed 2", "RoundOpened 3", "RoundClosed 3", "RunEnding"], Said());
        Hear(Evaluation(4));
        Assert.Equal("round 3", Awaited());
        Hear(new AdapterWritten("run-1", 4, "d"));
        Assert.IsType<RunFinished>(Decide());
        Assert.Empty(_state.RecentDecisions());
    }

    private IEnumerable<string> Said() => _state.RecentDecisions().Select(message => message switch
    {
        RoundOpened m => $"RoundOpened {m.Round}",
        RoundClosed m => $"RoundClosed {m.Round}",
        _ => message.GetType().Name,
    });

    private string Awaited()
    {
        Reminder awaited = _state.Awaited();
        Assert.Equal("run-1", awaited.Run);
        string clients = awaited.Clients.Count == 0 ? "" : $" clients {string.Join(',', awaited.Clients)}";
        string sites = awaited.Sites.Count == 0 ? "" : $" sites {string.Join(',', awaited.Sites)}";
        return $"round {awaited.Round}{clients}{sites}{(awaited.Change ? " change" : "")}{(awaited.Evaluation is { } version ? $" evaluation {version}" : "")}";
    }

    private RoundMessage Decide()
    {
        RoundMessage next = _state.Next()!;
        _state.Apply(new Decided(next, 1));
        return next;
    }

    private RoundOpened OpenFirst()
    {
        Decide();
        return (RoundOpened)Decide();
    }

    private void Answer(RoundOpened opened)
    {
        foreach (Participant participant in opened.Participants)
        {
            Hear(Trained(participant) with { Round = opened.Round });
            Hear(Stored(participant) with { Round = opened.Round });
        }
    }

    private void Hear(ReportMessage report)
    {
        Assert.True(_state.IsNews(report), $"{report}");
        _state.Apply(new Heard(report, 1));
    }

    private static ClientReport Trained(Participant participant) => new("run-1", 0, participant.Client, participant.Client % 3, participant.Client + 1, 3);

    private static SegmentReceived Stored(Participant participant) => new("run-1", 0, participant.Client, participant.Segment, "d", MadeUpPlan.Sizes);

    private static Evaluated Evaluation(int version) => new("run-1", 0, version, new HeldOutScore(3, 1, 2, null, []));
}
