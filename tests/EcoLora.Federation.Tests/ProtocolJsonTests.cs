using System.Text;
using System.Text.Json;
using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Federation.Tests;

public class ProtocolJsonTests
{
    public static TheoryData<string> Dense => ["fp32", "fp16", "ecolora"];

    [Theory]
    [MemberData(nameof(Dense))]
    public void A_plan_comes_back_as_it_was_sent(string exchange)
    {
        RunPlan plan = MadeUpPlan.Plan() with
        {
            Exchange = exchange switch
            {
                "fp32" => ExchangeOptions.Dense(ValueMode.Fp32),
                "fp16" => ExchangeOptions.Dense(ValueMode.Fp16),
                _ => new ExchangeOptions { Segments = 2, GammaA = 0.1 + 0.2 },
            },
        };
        var read = (RunOpened)ProtocolJson.ReadRound(ProtocolJson.Write(new RunOpened(plan.Run, plan)));
        Assert.Equal(plan.Exchange, read.Plan.Exchange);
        Assert.Equal(plan.Roster, read.Plan.Roster);
        Assert.Equal(plan.Modules, read.Plan.Modules);
        Assert.Equal(plan with { Exchange = read.Plan.Exchange, Roster = read.Plan.Roster, Modules = read.Plan.Modules }, read.Plan);
    }

    [Fact]
    public void A_plan_travels_without_what_follows_from_it()
    {
        string json = Encoding.UTF8.GetString(ProtocolJson.Write(new RunOpened("run-1", MadeUpPlan.Plan())));
        Assert.All(new[] { "sites", "key", "federatedMethod" }, name => Assert.DoesNotContain($"\"{name}\"", json, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_report_comes_back_as_it_was_sent()
    {
        ReportMessage[] reports =
        [
            new ClientReport("r", 1, 2, 3, 4, 0.1 + 0.2),
            new ClientReport("r", 1, 2, 3, 4, null, "the loss is NaN"),
            new TrainerDeclined("r", "a", 0, "no model"), new SegmentReceived("r", 1, 2, 3, "d", MadeUpPlan.Sizes, "norm"),
            new SegmentReceived("r", 1, 2, 3, "d", MadeUpPlan.Sizes),
            new SiteUpdated("r", 1, 2, 3), new AdapterWritten("r", 1, "d"),
        ];
        foreach (ReportMessage report in reports) Assert.Equal(report, ProtocolJson.ReadReport(ProtocolJson.Write(report)));
        var evaluation = new Evaluated("r", 1, 2, new HeldOutScore(1.5, 2, 3, null, [new CategoryScore("c", 1, 2)]));
        var evaluated = (Evaluated)ProtocolJson.ReadReport(ProtocolJson.Write(evaluation));
        Assert.Equal(new HeldOutScore(1.5, 2, 3, null, evaluated.Score.Categories), evaluated.Score);
        Assert.Equal([new CategoryScore("c", 1, 2)], evaluated.Score.Categories);
        Assert.DoesNotContain("eward", System.Text.Encoding.UTF8.GetString(ProtocolJson.Write(evaluation)), StringComparison.Ordinal);
        var pairs = new HeldOutScore(0.6, 2, 30, null, [new CategoryScore("c", 2, 0.6, null, 1, 0.25)], 1, 0.25);
        evaluated = (Evaluated)ProtocolJson.ReadReport(ProtocolJson.Write(evaluation with { Score = pairs }));
        Assert.Equal(pairs with { Categories = evaluated.Score.Categories }, evaluated.Score);
        Assert.Equal(pairs.Categories, evaluated.Score.Categories);
        var aggregated = (RoundAggregated)ProtocolJson.ReadReport(ProtocolJson.Write(new RoundAggregated("r", 1, [1, 2], "d", MadeUpPlan.Sizes, 0.5)));
        Assert.Equal([1, 2], aggregated.Coverage);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"type":"unheard-of","run":"r"}""")]
    [InlineData("""{"type":"client","run":"r","round":1,"client":2,"site":3}""")] // No samples.
    [InlineData("""{"type":"client","run":null,"round":1,"client":2,"site":3,"samples":4,"loss":1}""")]
    [InlineData("""{"type":"client","round":1,"client":2,"site":3,"samples":4,"loss":1}""")]
    [InlineData("""{"type":"client","run":"r","round":99999999999,"client":2,"site":3,"samples":4,"loss":1}""")]
    [InlineData("""{"type":"client","run":"r","round":1.5,"client":2,"site":3,"samples":4,"loss":1}""")]
    [InlineData("""{"type":"client","run":"r","round":1,"client":2,"site":3,"samples":4,"loss":"NaN"}""")]
    [InlineData("""{"type":"segment-received","run":"r","round":1,"client":2,"segment":0,"digest":null,"sizes":null}""")]
    [InlineData("""{"type":"evaluated","run":"r","site":1,"version":2}""")]
    [InlineData("\u0000\u0001")]
    public void Bytes_that_are_no_report_are_refused(string json)
    {
        string message = Assert.Throws<MessageException>(() => ProtocolJson.ReadReport(Encoding.UTF8.GetBytes(json))).Message;
        Assert.StartsWith("topic reports: expected one of its messages, found ", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_opens_with_a_bad_plan_is_refused_before_anything_is_made_of_it()
    {
        RunPlan plan = MadeUpPlan.Plan();
        RunOpened[] bad =
        [
            new("../../etc", plan), new("../../etc", plan with { Run = "../../etc" }), new("run-1", plan with { Rounds = 0 }),
            new("run-1", plan with { Method = "x" }),
            new("run-1", plan with { Roster = [] }), new("run-1", plan with { Modules = [] }), new("run-1", plan with { Roster = [.. plan.Roster.Skip(1)] }),
            new("run-1", plan with { Roster = [null!, .. plan.Roster.Skip(1)] }), new("run-1", plan with { Modules = [null!] }),
            new("run-1", plan with { Exchange = plan.Exchange with { Values = (ValueMode)7 } }), new("run-1", null!),
        ];
        foreach (RunOpened opened in bad) Assert.Throws<MessageException>(() => ProtocolJson.ReadRound(ProtocolJson.Write(opened)));
        ProtocolJson.ReadRound(ProtocolJson.Write(new RunOpened("run-1", plan)));
    }

    [Fact]
    public void Changed_bytes_give_a_message_or_a_refusal()
    {
        var random = new RandomStream(1, "json");
        byte[] good = ProtocolJson.Write(new RunOpened("run-1", MadeUpPlan.Plan()));
        for (int trial = 0; trial < 3000; trial++)
        {
            byte[] bytes = [.. good];
            for (int i = random.NextInt32(4); i >= 0; i--)
                bytes[random.NextInt32(bytes.Length)] = (byte)(random.NextInt32(2) == 0 ? random.NextInt32(256) : good[random.NextInt32(good.Length)]);
            try
            {
                ProtocolJson.ReadRound(bytes);
            }
            catch (MessageException)
            {
                // The one answer that is allowed besides a message.
            }
        }
    }

    [Fact]
    public void A_message_names_each_participant_in_a_dozen_bytes()
    {
        var opened = new RoundOpened("r", 1, [new Participant(712, 0, 1), new Participant(85, 1, 2)], 0.5, 0.25, false);
        Assert.Contains("\"participants\":[[712,0,1],[85,1,2]]", Encoding.UTF8.GetString(ProtocolJson.Write(opened)), StringComparison.Ordinal);
        Assert.Equal(opened.Participants, ((RoundOpened)ProtocolJson.ReadRound(ProtocolJson.Write(opened))).Participants);
        var closed = new RoundClosed("r", 1, [new AcceptedSegment(712, 0, 1, "ab\"c")], 0.5, 0.25);
        Assert.Equal(closed.Accepted, ((RoundClosed)ProtocolJson.ReadRound(ProtocolJson.Write(closed))).Accepted);
    }

    [Theory]
    [InlineData("[[1,2]]")]
    [InlineData("[[1,2,3,4]]")]
    [InlineData("[[1,2,null]]")]
    [InlineData("[[1,2,3000000000]]")]
    [InlineData("[[1,2,1.5]]")]
    [InlineData("[[1,2,[3]]]")]
    [InlineData("[{\"client\":1,\"slot\":2,\"segment\":3}]")]
    [InlineData("[1,2,3]")]
    [InlineData("[[1,2,3]")]
    public void Participants_of_another_form_are_refused(string participants) =>
        Assert.Throws<MessageException>(() => ProtocolJson.ReadRound(Encoding.UTF8.GetBytes(
            $$"""{"type":"round-opened","run":"r","round":1,"participants":{{participants}},"keepA":1,"keepB":1,"evaluate":false}""")));

    [Fact]
    public void A_journal_entry_comes_back_as_it_was_written()
    {
        JournalEntry entry = new Decided(new RunFinished("run-1"), 12), heard = new Heard(new AdapterWritten("run-1", 4, "d"), 7);
        foreach (JournalEntry each in new[] { entry, heard })
        {
            byte[] line = JsonSerializer.SerializeToUtf8Bytes(each, ProtocolJson.Default.JournalEntry);
            Assert.Equal(each, JsonSerializer.Deserialize(line, ProtocolJson.Default.JournalEntry));
        }
    }
}
