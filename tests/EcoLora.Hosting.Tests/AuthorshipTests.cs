using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Hosting.Tests;

/// <summary>Who may say what, message by message. Site 0 is north with client 0, site 1 south with client 1.</summary>
public class AuthorshipTests
{
    private static readonly RunPlan _plan = new(
        "run-1", 11, "fedit", 2, 2, 2, new ExchangeOptions { Segments = 1 }, [new LoraModule("q", 12, 16, 4)], [new Enrolment(0, 0, 1), new Enrolment(1, 1, 2)])
    {
        Places = [new SitePlace("north", [0]), new SitePlace("south", [0])],
    };

    private static readonly FrameSizes _sizes = new(1, 1, 1, 1, 1, 1, 1, 1, 1);
    private static readonly HeldOutScore _score = new(1, 1, 1, null, []);

    /// <summary>A report, and who may say it: a site's name, or the hub.</summary>
    public static TheoryData<ReportMessage, string> Reports => new()
    {
        { new TrainerEnrolled("run-1", "north", 0, [], [], true), "north" },
        { new TrainerPresent("run-1", "south", 0, 5), "south" },
        { new ClientReport("run-1", 0, 0, 0, 1, 0.5), "north" },
        { new ClientReport("run-1", 0, 1, 1, 2, 0.5), "south" },
        { new ClientMissed("run-1", 0, 1, 1), "south" },
        { new SiteUpdated("run-1", 0, 1, 100), "north" },
        { new Evaluated("run-1", 1, 1, _score), "south" },
        { new TrainerDeclined("run-1", "south", 0, "no model"), "south" },
        { new SegmentReceived("run-1", 0, 0, 0, "digest", _sizes), "hub" },
        { new RoundAggregated("run-1", 0, [1], "digest", _sizes, 0), "hub" },
        { new AdapterWritten("run-1", 2, "digest"), "hub" },
        // A client that is not this site's, and sites that are not there.
        { new ClientReport("run-1", 0, 1, 0, 2, 0.5), "nobody" },
        { new ClientReport("run-1", 0, 2, 0, 2, 0.5), "nobody" },
        { new SiteUpdated("run-1", 2, 1, 100), "nobody" },
        { new SiteUpdated("run-1", -1, 1, 100), "nobody" },
    };

    [Theory]
    [MemberData(nameof(Reports))]
    public void A_report_may_be_said_by_one(ReportMessage report, string by)
    {
        foreach (Signer signer in new[] { Signer.Hub, new Signer("north"), new Signer("south"), new Signer("hub") })
            Assert.Equal((signer, (signer.Site ?? "the hub") == (by == "hub" ? "the hub" : by)), (signer, Authorship.RefusalOf(report, _plan, signer) is null));
        Assert.Null(Authorship.RefusalOf(report, _plan, null));
    }

    [Fact]
    public void Before_the_run_is_open_trainers_of_a_site_enrol_and_nothing_else_is_a_sites()
    {
        var north = new Signer("north");
        Assert.Null(Authorship.RefusalOf(new TrainerEnrolled("run-1", "north", 0, [], [], true), null, north));
        Assert.Equal("another site", Authorship.RefusalOf(new TrainerEnrolled("run-1", "south", 0, [], [], true), null, north));
        Assert.Equal("another site's client", Authorship.RefusalOf(new ClientReport("run-1", 0, 0, 0, 1, 0.5), null, north));
    }

    [Theory]
    [InlineData(0, "north", null)]
    [InlineData(0, "south", "another site's client")]
    [InlineData(1, "north", "another site's client")]
    [InlineData(1, "south", null)]
    [InlineData(1, null, "not a site's")]
    [InlineData(2, "south", null)] // Not in this plan yet, perhaps.
    public void A_frame_is_its_clients_sites(int client, string? site, string? refusal)
    {
        var header = new FrameHeader(FrameKind.Segment, _plan.Key, 0, client, 0, 1, 0, 0);
        Assert.Equal(refusal, Authorship.RefusalOf(header, _plan, new Signer(site)));
        Assert.Null(Authorship.RefusalOf(header, _plan, null));
    }

    [Fact]
    public void The_hubs_words_are_the_hubs()
    {
        Assert.Null(Authorship.RefusalOfHubMessage(Signer.Hub));
        Assert.Null(Authorship.RefusalOfHubMessage(null));
        Assert.Equal("not the hub's", Authorship.RefusalOfHubMessage(new Signer("north")));
    }
}
