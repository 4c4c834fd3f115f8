using System.Text;
using System.Text.Json;

namespace EcoLora.Federation.Tests;

/// <summary>The messages of runs whose services are processes of their own.</summary>
public class EnrolmentJsonTests
{
    private static readonly JsonElement _options = JsonSerializer.SerializeToElement(new { name = "run-1", lora = new { rank = 2, alpha = 0.1 + 0.2 } });

    [Fact]
    public void An_announcement_comes_back_as_it_was_sent()
    {
        var read = (RunAnnounced)Again(new RunAnnounced("run-1", _options));
        Assert.Equal("run-1", read.Run);
        Assert.True(JsonElement.DeepEquals(_options, read.Options));
    }

    [Fact]
    public void A_reminder_comes_back_as_it_was_sent()
    {
        foreach (int? version in new int?[] { null, 0, 7 })
        {
            var read = (Reminder)Again(new Reminder("run-1", -1, [2, 5], [0], true, version));
            Assert.Equal(("run-1", -1, true, version), (read.Run, read.Round, read.Change, read.Evaluation));
            Assert.Equal([2, 5], read.Clients);
            Assert.Equal([0], read.Sites);
        }
    }

    [Fact]
    public void An_enrolment_comes_back_as_it_was_sent()
    {
        TrainerEnrolled sent = MadeUpEnrolment.Of("site-1", 3, 0, 2);
        var read = (TrainerEnrolled)ProtocolJson.ReadReport(ProtocolJson.Write(sent));
        Assert.Equal(sent with { Clients = read.Clients, Modules = read.Modules }, read);
        Assert.Equal(sent.Clients, read.Clients);
        Assert.Equal(sent.Modules, read.Modules);
    }

    [Fact]
    public void A_plan_comes_back_with_its_places_evaluator_and_options()
    {
        RunPlan plan = Plan();
        RunPlan read = ((RunOpened)Again(new RunOpened("run-1", plan))).Plan;
        Assert.Equal(["a", "b"], read.Places!.Select(place => place.Name));
        Assert.Equal(plan.Places!.Select(place => string.Join(',', place.Trainers)), read.Places!.Select(place => string.Join(',', place.Trainers)));
        Assert.Equal("trainer-a-0", read.Evaluator);
        Assert.True(JsonElement.DeepEquals(_options, read.Options!.Value));
        Assert.Equal((2, 1), (read.Sites, read.SiteOf("b")));
        // What is written again is the same byte for byte: decisions are compared so.
        Assert.Equal(ProtocolJson.Write(new RunOpened("run-1", plan)), ProtocolJson.Write(new RunOpened("run-1", read)));
    }

    [Fact]
    public void A_plan_of_one_process_names_neither_places_nor_evaluator_nor_options()
    {
        string json = Encoding.UTF8.GetString(ProtocolJson.Write(new RunOpened("run-1", MadeUpPlan.Plan())));
        Assert.All(new[] { "places", "evaluator", "options" }, name => Assert.DoesNotContain($"\"{name}\"", json, StringComparison.Ordinal));
    }

    [Fact]
    public void A_plan_whose_sites_are_none_is_refused()
    {
        RunPlan plan = Plan();
        SitePlace first = plan.Places![0], second = plan.Places[1];
        IReadOnlyList<SitePlace>[] bad =
        [
            [], [first, null!], [first, second with { Name = "a" }], [first, second with { Name = "../b" }], [first, second with { Name = null! }],
            [first, second with { Trainers = [] }], [first, second with { Trainers = null! }],
            [first], // Client 3 lives at site 1.
        ];
        foreach (IReadOnlyList<SitePlace> places in bad)
            Assert.Throws<MessageException>(() => ProtocolJson.ReadRound(ProtocolJson.Write(new RunOpened("run-1", plan with { Places = places }))));
    }

    [Theory]
    [InlineData("""{"type":"run-announced","run":"run-1"}""")]
    [InlineData("""{"type":"run-announced","options":{}}""")]
    [InlineData("""{"type":"run-announced","run":"../etc","options":{}}""")]
    [InlineData("""{"type":"reminder","run":"run-1","round":0,"clients":[],"sites":[]}""")] // No change.
    [InlineData("""{"type":"reminder","run":"run-1","round":0,"clients":null,"sites":[],"change":false}""")]
    [InlineData("""{"type":"reminder","run":"run-1","round":0,"clients":[],"change":false}""")]
    [InlineData("""{"type":"reminder","run":"run-1","round":0,"clients":[1.5],"sites":[],"change":false}""")]
    [InlineData("""{"type":"reminder","run":"run-1","round":0,"clients":[],"sites":[null],"change":false}""")]
    [InlineData("""{"type":"reminder","run":"run-1","round":0,"clients":[],"sites":[],"change":false,"evaluation":"0"}""")]
    [InlineData("""{"type":"trainer-enrolled","run":"run-1","site":"a","trainer":0,"clients":[],"modules":[],"evaluates":true}""")] // A report.
    public void Bytes_that_are_no_message_are_refused(string json) =>
        Assert.Throws<MessageException>(() => ProtocolJson.ReadRound(Encoding.UTF8.GetBytes(json)));

    [Theory]
    [InlineData("""{"type":"trainer-enrolled","run":"run-1","site":"a","trainer":0,"clients":[],"modules":[]}""")]
    [InlineData("""{"type":"trainer-enrolled","run":"run-1","site":null,"trainer":0,"clients":[],"modules":[],"evaluates":true}""")]
    [InlineData("""{"type":"trainer-enrolled","run":"run-1","site":"a","trainer":0,"clients":null,"modules":[],"evaluates":true}""")]
    [InlineData("""{"type":"trainer-enrolled","run":"run-1","site":"a","trainer":0,"clients":[{"client":0,"samples":1}],"modules":[],"evaluates":true}""")]
    [InlineData("""{"type":"trainer-enrolled","run":"run-1","site":"a","trainer":99999999999,"clients":[],"modules":[],"evaluates":true}""")]
    [InlineData("""{"type":"trainer-enrolled","run":"run-1","site":"a","trainer":0,"clients":[],"modules":[{"name":"q"}],"evaluates":true}""")]
    [InlineData("""{"type":"trainer-enrolled","run":"run-1","site":"a","trainer":0,"clients":[],"modules":[],"evaluates":"yes"}""")]
    public void Bytes_that_are_no_enrolment_are_refused(string json) =>
        Assert.Throws<MessageException>(() => ProtocolJson.ReadReport(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void An_enrolment_of_nothing_but_nulls_can_be_read_and_is_refused_by_the_roster()
    {
        const string Text = """{"type":"trainer-enrolled","run":"run-1","site":"a","trainer":0,"clients":[null],"modules":[null],"evaluates":true}""";
        var read = (TrainerEnrolled)ProtocolJson.ReadReport(Encoding.UTF8.GetBytes(Text));
        Assert.Equal("modules: expected one or more, found none", MadeUpEnrolment.Roster().Refusal(read));
        Assert.Equal("client: expected 0 to 3, found ", MadeUpEnrolment.Roster().Refusal(read with { Modules = MadeUpEnrolment.Modules }));
    }

    private static RunPlan Plan() =>
        MadeUpEnrolment.Roster(MadeUpEnrolment.Of("a", 0, 0), MadeUpEnrolment.Of("a", 2, 1), MadeUpEnrolment.Of("b", 1, 2, 3)).Plan()! with { Options = _options };

    private static RoundMessage Again(RoundMessage message) => ProtocolJson.ReadRound(ProtocolJson.Write(message));
}
