using System.Text;
using System.Text.Json;

namespace EcoLora.Telemetry.Tests;

public class RunReportTests
{
    private static readonly JsonElement NoOptions = JsonSerializer.Deserialize<JsonElement>("{}");
    private static readonly RunFacts Facts = SampleRun.Facts("x") with { Options = NoOptions };

    [Fact]
    public void Recovered_is_the_share_of_the_dense_FP16_improvement()
    {
        ArmReport[] arms = [.. RunReport.Of(Facts, [Arm("eco", Exchange.EcoLora, 3.0, 1.5), Arm("dense", Exchange.DenseFp16, 3.0, 1.0)], null).Arms];
        Assert.Equal(0.75, arms[0].Recovered);
        Assert.Equal(1.0, arms[1].Recovered);
    }

    [Fact]
    public void Recovered_needs_a_dense_FP16_arm_of_the_same_method_that_improved()
    {
        ArmFacts eco = Arm("eco", Exchange.EcoLora, 3.0, 1.5);
        Assert.Null(RunReport.Of(Facts, [eco], null).Arms[0].Recovered);
        Assert.Null(RunReport.Of(Facts, [eco, Arm("dense", Exchange.DenseFp32, 3.0, 1.0)], null).Arms[0].Recovered);
        Assert.Null(RunReport.Of(Facts, [eco, Arm("dense", Exchange.DenseFp16, 3.0, 1.0) with { Method = "ffa" }], null).Arms[0].Recovered);
        Assert.Null(RunReport.Of(Facts, [eco, Arm("dense", Exchange.DenseFp16, 3.0, 3.0)], null).Arms[0].Recovered);
        Assert.Null(RunReport.Of(Facts, [eco, Arm("dense", Exchange.DenseFp16, 3.0, double.NaN)], null).Arms[0].Recovered);
    }

    [Fact]
    public void Measured_ratios_divide_by_the_bytes_of_the_arms_that_ran()
    {
        ArmFacts[] arms = [Arm("eco", Exchange.EcoLora, 3, 2, up: 10, down: 20), Arm("dense", Exchange.DenseFp16, 3, 2, up: 50, down: 40)];
        ArmReport eco = RunReport.Of(Facts, arms, null).Arms[0];
        Assert.Equal(new Reduction(null, 5, null, 2, null, 3), eco.Measured);
    }

    [Fact]
    public void Coverage_counts_the_accepted_updates_of_each_segment()
    {
        Participant[] participants =
        [
            new("a", "s", 0, 0, 1, 1, ParticipantStatus.Accepted), new("b", "s", 1, 0, 1, 1, ParticipantStatus.Accepted),
            new("c", "s", 2, 2, 1, double.NaN, ParticipantStatus.Refused, "loss"), new("d", "s", 3, 1, 1, null, ParticipantStatus.Absent),
            new("e", "s", 4, null, 1, 1, ParticipantStatus.Accepted),
        ];
        ArmReport arm = ArmReport.Of(Arm("eco", Exchange.EcoLora, 3, 2) with { Segments = 3, Rounds = [new(0, participants, 1, null, null, null)] });
        Assert.Equal([3, 1, 1], arm.Rounds[0].Coverage);
        Assert.Equal(1, arm.RefusedUpdates);
        Assert.Equal(1, arm.AbsentUpdates);
        Assert.Equal(3, arm.Final?.Loss);
    }

    [Fact]
    public void Participants_get_their_bytes_from_the_ledger()
    {
        Participant participant = SampleRun.Report().Arms[0].Rounds[3].Participants[4];
        LedgerRow[] rows = [.. SampleRun.Arms()[0].Ledger.Where(row => row.Round == 3)];
        Assert.Equal(rows.Single(row => row.Client == participant.Client).Framed, participant.UpBytes);
        Assert.Equal(rows.Single(row => row.Client == participant.Site && row.Direction == Direction.Down).Framed, participant.DownBytes);
    }

    [Fact]
    public void What_does_not_fit_together_is_refused()
    {
        ArmFacts arm = Arm("eco", Exchange.EcoLora, 3, 2);
        Assert.Throws<ArgumentException>(() => RunReport.Of(Facts, [], null));
        Assert.Throws<ArgumentException>(() => RunReport.Of(Facts, [arm, arm], null));
        Assert.Throws<ArgumentException>(() => RunReport.Of(Facts with { Options = JsonSerializer.Deserialize<JsonElement>("[]") }, [arm], null));
        Assert.Throws<ArgumentException>(() => ArmReport.Of(arm with { Rounds = [arm.Rounds[0], arm.Rounds[0]] }));
        Assert.Throws<ArgumentException>(() => ArmReport.Of(arm with { Ledger = [LedgerRow.Control(7, "s", Direction.ControlUp, 1)] }));
        RoundFacts outside = arm.Rounds[0] with { Participants = [new("a", "s", 0, 1, 1, 1, ParticipantStatus.Accepted)] };
        Assert.Throws<ArgumentException>(() => ArmReport.Of(arm with { Rounds = [outside] }));
    }

    [Fact]
    public void Link_time_is_the_slowest_participants_download_and_upload()
    {
        // a is the slowest: its frame and its site's control messages up, its site's down.
        Participant[] participants = [new("a", "s", 0, 0, 1, 1, ParticipantStatus.Accepted), new("b", "s", 1, 0, 1, null, ParticipantStatus.Absent)];
        ArmFacts arm = Arm("eco", Exchange.EcoLora, 3, 2) with
        {
            Rounds = [new(0, participants, 1, 1, 1, null), new(1, [], null, 1, 1, null)],
            Ledger =
            [
                new(0, "a", Direction.Up, 0, 80_000, 40_000, 1, 1, 1, 1, 25_000, 0, 0, 0, 0),
                new(0, "s", Direction.Down, -1, 160_000, 80_000, 1, 1, 1, 1, 50_000, 0, 0, 0, 0),
                LedgerRow.Control(0, "s", Direction.ControlUp, 100), LedgerRow.Control(0, "s", Direction.ControlDown, 300),
            ],
        };
        LinkTimes slow = LinkTimes.Of([arm])[0];
        Assert.Equal(["eco", "dense fp32", "dense fp16"], slow.Arms.Select(time => time.Name));
        Assert.Equal(TcpTransfer.Seconds(25_100, 0.2, 1, 50) + TcpTransfer.Seconds(50_300, 1, 0.2, 50), slow.Arms[0].Seconds);
        Assert.Equal(0, slow.Arms[0].PerRound[1]);
        Assert.Equal(slow.Link.Seconds(80_100, 160_300), slow.Arms[1].Seconds);
        Assert.Equal(slow.Link.Seconds(40_100, 80_300), slow.Arms[2].Seconds);
        Assert.Equal([0.2, 1, 2, 5], LinkTimes.Of([arm]).Select(times => times.Link.UpMbps));
    }

    [Fact]
    public void Equal_runs_are_equal_bytes_and_only_timing_may_differ()
    {
        byte[] bare = ReportJson.Write(SampleRun.Report());
        Assert.Equal(bare, ReportJson.Write(SampleRun.Report()));
        RunReport timed = SampleRun.Report(timing: SampleRun.Timing);
        Assert.NotEqual(bare, ReportJson.Write(timed));
        Assert.Equal(bare, ReportJson.Write(timed with { Timing = null }));
        Assert.Equal(ReportJson.Write(timed), ReportJson.Write(ReportJson.Read(ReportJson.Write(timed), "report.json")));
    }

    [Fact]
    public void The_ledgers_order_does_not_change_the_report()
    {
        ArmFacts[] reversed = [.. SampleRun.Arms().Select(arm => arm with { Ledger = [.. arm.Ledger.Reverse()] })];
        Assert.Equal(ReportJson.Write(SampleRun.Report()), ReportJson.Write(RunReport.Of(SampleRun.Facts("quickstart"), reversed, null)));
    }

    [Fact]
    public void A_number_that_is_not_finite_is_null()
    {
        byte[] json = ReportJson.Write(SampleRun.Report());
        using var document = JsonDocument.Parse(json);
        JsonElement refused = document.RootElement.GetProperty("arms")[0].GetProperty("rounds")[6].GetProperty("participants")[3];
        Assert.Equal("refused", refused.GetProperty("status").GetString());
        Assert.Equal(JsonValueKind.Null, refused.GetProperty("loss").ValueKind);
        Assert.DoesNotContain((byte)'\r', json);
    }

    [Theory]
    [InlineData("", "report.json: line 1")]
    [InlineData("null", "expected an object, found null")]
    [InlineData("{}", "report.json: line 1, '$': expected report version 1")]
    [InlineData("{\"unknown\":1}", "expected report version 1")]
    public void What_is_no_report_is_refused_in_one_line(string json, string message)
    {
        var error = Assert.Throws<ReportException>(() => ReportJson.Read(Encoding.UTF8.GetBytes(json), "report.json"));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Another_schema_version_is_refused()
    {
        byte[] other = ReportJson.Write(SampleRun.Report() with { SchemaVersion = 2 });
        Assert.Equal("report.json: 'schemaVersion': expected 1, found 2", Assert.Throws<ReportException>(() => ReportJson.Read(other, "report.json")).Message);
    }

    private static ArmFacts Arm(string name, Exchange exchange, double before, double after, long up = 1, long down = 1) => new(
        name, "fedit", exchange, 100, 1, new Evaluation(10, before, 0, []), [new RoundFacts(0, [], 1, null, null, new Evaluation(10, after, 0.5, []))],
        [new(0, "a", Direction.Up, 0, 400, 200, 1, 1, 1, 1, up, 0, 0, 0, 0), new(0, "s", Direction.Down, -1, 400, 200, 1, 1, 1, 1, down, 0, 0, 0, 0)]);
}
