using System.Text.Json;
using System.Text.Json.Nodes;
using EcoLora.TestKit;

namespace EcoLora.Telemetry.Tests;

public class ReportSchemaTests
{
    private static readonly JsonElement Schema = JsonSerializer.Deserialize<JsonElement>(
        File.ReadAllBytes(Path.Combine(Repository.Root, "docs", "report.schema.json")));

    [Fact]
    public void A_report_fits_the_documented_schema()
    {
        Assert.Empty(Check(Node(SampleRun.Report(timing: SampleRun.Timing))));
        Assert.Empty(Check(Node(SampleRun.Report())));
    }

    [Fact]
    public void A_report_with_nothing_measured_fits_too()
    {
        ArmFacts bare = new("eco", "ffa", Exchange.EcoLora, 10, 1, null, [new RoundFacts(0, [], null, null, null, null)], []);
        RunFacts facts = SampleRun.Facts("x") with { Decisions = null };
        Assert.Empty(Check(Node(RunReport.Of(facts, [bare], null))));
    }

    [Fact]
    public void Rewards_are_in_a_report_about_pairs_and_in_no_other()
    {
        byte[] pairs = ReportJson.Write(SampleRun.OfPairs()), records = ReportJson.Write(SampleRun.Report());
        Assert.Empty(Check(Node(SampleRun.OfPairs())));
        Assert.Equal(pairs, ReportJson.Write(ReportJson.Read(pairs, "report.json")));
        Assert.True(pairs.AsSpan().IndexOf("\"rewardMargin\": 1.5"u8) > 0);
        Assert.True(records.AsSpan().IndexOf("reward"u8) < 0);
    }

    [Fact]
    public void The_schema_leaves_no_object_open()
    {
        JsonNode schema = JsonNode.Parse(Schema.GetRawText())!;
        foreach ((string name, JsonNode? definition) in schema["$defs"]!.AsObject())
            Assert.True(definition!["additionalProperties"]?.GetValue<bool>() == false, name);
    }

    [Theory]
    [InlineData("seed", "-1")]
    [InlineData("schemaVersion", "2")]
    [InlineData("arms", "[]")]
    [InlineData("decisions", "{\"mode\":\"strict\"}")]
    [InlineData("options", "[]")]
    [InlineData("extra", "1")]
    [InlineData("run", null)]
    public void A_report_that_was_changed_does_not_fit(string member, string? json)
    {
        JsonObject report = Node(SampleRun.Report());
        if (json is null) report.Remove(member);
        else report[member] = JsonNode.Parse(json);
        Assert.NotEmpty(Check(report));
    }

    private static JsonObject Node(RunReport report) => JsonNode.Parse(ReportJson.Write(report))!.AsObject();

    private static IReadOnlyList<string> Check(JsonObject report) => new SchemaWalk(Schema).Check(report.Deserialize<JsonElement>());
}
