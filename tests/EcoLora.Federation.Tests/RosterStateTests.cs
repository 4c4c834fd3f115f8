using System.Text;
using EcoLora.Codec;

namespace EcoLora.Federation.Tests;

public class RosterStateTests
{
    private static readonly TrainerEnrolled _first = MadeUpEnrolment.Of("a", 0, 0, 1);

    [Fact]
    public void Where_ranks_differ_each_client_enrols_with_its_own()
    {
        RunPlan draft = MadeUpEnrolment.Draft with { Method = "flora", Scale = 2, Ranks = [5, 2], Exchange = FederatedMethod.Flora.Effective(new ExchangeOptions { Segments = 1 }) };
        TrainerEnrolled all = MadeUpEnrolment.Of("a", 0, 0, 1, 2, 3);
        var roster = new RosterState(draft, 4);
        Assert.Equal("rank of client 0: expected 5, as its modules or lora.ranks have, found 2", roster.Refusal(all));
        all = all with { Clients = [.. all.Clients.Select(client => client with { Rank = client.Client % 2 == 0 ? 5 : 2 })] };
        Assert.Null(roster.Refusal(all));
        roster.Apply(all);
        RunPlan plan = roster.Plan()!;
        Assert.Equal([5, 2, 5, 2], plan.Roster.Select(enrolment => plan.RankOf(enrolment.Client)));
        Assert.Equal([5 * 10, 2 * 10], new[] { 2, 3 }.Select(client => plan.ExchangedLayout(client).Length));
    }

    [Theory]
    [InlineData("run", "run: expected run-1, found run-2")]
    [InlineData("site", "trainer: expected a site of a-z, 0-9 and - and a number, found A b/1")]
    [InlineData("trainer", "trainer: expected a site of a-z, 0-9 and - and a number, found b/-1")]
    [InlineData("no client", "clients: expected one or more, found none")]
    [InlineData("no module", "modules: expected one or more, found none")]
    [InlineData("null module", "modules: expected one or more, found none")]
    [InlineData("other modules", "modules: expected those of the trainers that enrolled before, found others")]
    [InlineData("other clients", "clients: expected what this trainer enrolled with first, found other clients or samples")]
    [InlineData("other samples", "clients: expected what this trainer enrolled with first, found other clients or samples")]
    [InlineData("null client", "client: expected 0 to 3, found ")]
    [InlineData("client below", "client: expected 0 to 3, found -1")]
    [InlineData("client above", "client: expected 0 to 3, found 4")]
    [InlineData("twice", "client 2: expected once, found twice")]
    [InlineData("hosted", "client 1: expected one that no other trainer hosts, found one that does")]
    [InlineData("samples", "samples of client 2: expected 1 or more, found 0")]
    [InlineData("rank", "rank of client 2: expected 2, as its modules have, found 3")]
    public void An_enrolment_that_does_not_count_says_why(string what, string refusal)
    {
        TrainerEnrolled good = MadeUpEnrolment.Of("b", 1, 2, 3);
        EnrolledClient two = good.Clients[0];
        RosterState roster = MadeUpEnrolment.Roster(_first);
        Assert.Null(roster.Refusal(good));
        TrainerEnrolled bad = what switch
        {
            "run" => good with { Run = "run-2" },
            "site" => good with { Site = "A b" },
            "trainer" => good with { Trainer = -1 },
            "no client" => good with { Clients = [] },
            "no module" => good with { Modules = [] },
            "null module" => good with { Modules = [null!] },
            "other modules" => good with { Modules = [new LoraModule("q", 4, 6, 3)] },
            "other clients" => MadeUpEnrolment.Of("a", 0, 0, 1, 2),
            "other samples" => _first with { Clients = [.. _first.Clients.Select(client => client with { Samples = 9 })] },
            "null client" => good with { Clients = [null!] },
            "client below" => MadeUpEnrolment.Of("b", 1, -1),
            "client above" => MadeUpEnrolment.Of("b", 1, 2, 4),
            "twice" => MadeUpEnrolment.Of("b", 1, 2, 2),
            "hosted" => MadeUpEnrolment.Of("b", 1, 2, 1),
            "samples" => good with { Clients = [two with { Samples = 0 }] },
            _ => good with { Clients = [two with { Rank = 3 }] },
        };
        Assert.Equal(refusal, roster.Refusal(bad));
        Assert.False(roster.IsNews(bad));
        Assert.Equal([2, 3], roster.Missing);
    }

    [Fact]
    public void An_enrolment_said_twice_is_neither_news_nor_a_fault()
    {
        RosterState roster = MadeUpEnrolment.Roster(_first);
        TrainerEnrolled again = MadeUpEnrolment.Of("a", 0, 0, 1);
        Assert.Null(roster.Refusal(again));
        Assert.False(roster.IsNews(again));
        Assert.Equal([_first], roster.Trainers);
    }

    [Fact]
    public void There_is_a_plan_once_every_client_is_there_and_somebody_evaluates()
    {
        TrainerEnrolled silent = _first with { Evaluates = false };
        RosterState roster = MadeUpEnrolment.Roster(silent);
        Assert.Null(roster.Plan());
        roster.Apply(MadeUpEnrolment.Of("b", 0, 2) with { Evaluates = false });
        Assert.Equal([3], roster.Missing);
        Assert.Null(roster.Plan());
        roster.Apply(MadeUpEnrolment.Of("c", 7, 3) with { Evaluates = false });
        Assert.Empty(roster.Missing);
        Assert.Null(roster.Plan());
        RunPlan plan = MadeUpEnrolment.Roster(silent, MadeUpEnrolment.Of("b", 0, 2), MadeUpEnrolment.Of("c", 7, 3)).Plan()!;
        Assert.Equal("trainer-b-0", plan.Evaluator);
    }

    [Fact]
    public void Sites_are_numbered_by_name_and_trainers_by_number()
    {
        // In ordinal order, '-' stands before digits and digits before letters.
        RunPlan plan = MadeUpEnrolment.Roster(
            MadeUpEnrolment.Of("b", 10, 3), MadeUpEnrolment.Of("b", 9, 0), MadeUpEnrolment.Of("b-1", 0, 2), MadeUpEnrolment.Of("a", 1, 1)).Plan()!;
        Assert.Equal(["a", "b", "b-1"], plan.Places!.Select(place => place.Name));
        Assert.Equal(["1", "9,10", "0"], plan.Places!.Select(place => string.Join(',', place.Trainers)));
        Assert.Equal([new Enrolment(0, 1, 1), new Enrolment(1, 0, 2), new Enrolment(2, 2, 3), new Enrolment(3, 1, 4)], plan.Roster);
        Assert.Equal((3, "trainer-a-1", 2, (int?)null), (plan.Sites, plan.Evaluator, plan.SiteOf("b-1"), plan.SiteOf("c")));
        Assert.Equal(MadeUpEnrolment.Modules, plan.Modules);
    }

    [Fact]
    public void The_order_in_which_trainers_enrol_changes_nothing_about_the_plan()
    {
        TrainerEnrolled[] reports = [MadeUpEnrolment.Of("b", 1, 3), MadeUpEnrolment.Of("a", 0, 2), MadeUpEnrolment.Of("b", 0, 0, 1) with { Evaluates = false }];
        int[][] orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        string[] plans = [.. orders.Select(order => Text(MadeUpEnrolment.Roster([.. order.Select(i => reports[i])]).Plan()!))];
        Assert.Single(plans.Distinct());
        Assert.Contains("\"evaluator\":\"trainer-a-0\"", plans[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("twice", "lora module: expected a name of its own, found q")]
    [InlineData("rank", "rank of q: expected 1 or more, found 0")]
    [InlineData("shape", "shape of q: expected 1 or more rows and columns, found [4, -6]")]
    [InlineData("huge", "a LoRA vector holds at most 2147483647 entries, found more up to q (Parameter 'modules')")]
    [InlineData("tiny", "exchange.segments: expected at most 2, the number of entries that are exchanged, found 3")]
    public void The_first_trainers_modules_are_refused_when_no_plan_can_have_them(string what, string refusal)
    {
        LoraModule good = MadeUpEnrolment.Modules[0];
        LoraModule[] bad = what switch
        {
            "twice" => [good, good],
            "rank" => [good with { Rank = 0 }],
            "shape" => [good with { Inputs = -6 }],
            "huge" => [good with { Inputs = int.MaxValue }],
            _ => [new LoraModule("q", 1, 1, 1)],
        };
        TrainerEnrolled report = MadeUpEnrolment.Of("a", 0, 0, 1, 2, 3);
        report = report with { Modules = bad, Clients = [.. report.Clients.Select(client => client with { Rank = bad[0].Rank })] };
        var exchange = new ExchangeOptions { Segments = what == "tiny" ? 3 : 2 };
        var roster = new RosterState(MadeUpEnrolment.Draft with { Exchange = exchange, Participants = 3 }, 4);
        Assert.Equal(refusal, roster.Refusal(report));
        Assert.False(roster.IsNews(report));
        Assert.Null(roster.Refusal(MadeUpEnrolment.Of("a", 0, 0, 1, 2, 3)));
    }

    [Fact]
    public void What_makes_no_valid_plan_is_said()
    {
        var roster = new RosterState(MadeUpEnrolment.Draft with { Participants = 5 }, 4);
        roster.Apply(MadeUpEnrolment.Of("a", 0, 0, 1, 2, 3));
        Assert.Equal("federation.participants: expected 1 to 4 (federation.clients), found 5", Assert.Throws<ArgumentException>(() => roster.Plan()).Message);
    }

    private static string Text(RunPlan plan) => Encoding.UTF8.GetString(ProtocolJson.Write(new RunOpened(plan.Run, plan)));
}
