using System.Text.Json;
using System.Text.Json.Serialization;

namespace EcoLora.Telemetry;

/// <summary>
/// All that a run leaves behind for people: report.json, and all that report.html shows. The schema is docs/report.schema.json. Everything but
/// <see cref="Timing"/> is a
/// function of the run file, the data and the decision log.
/// </summary>
/// <param name="Schema">The schema's identity, <see cref="SchemaId"/>.</param>
/// <param name="SchemaVersion">Raised when a member changes its meaning or goes; 1.</param>
/// <param name="Run">The run's name.</param>
/// <param name="Seed">The run's seed.</param>
/// <param name="ProductVersion">The product's version.</param>
/// <param name="Model">The model.</param>
/// <param name="Data">The data.</param>
/// <param name="Decisions">The decision log in short, or null.</param>
/// <param name="Options">The effective options, a JSON object.</param>
/// <param name="Arms">The method first, then its baselines.</param>
/// <param name="Links">Communication time on the paper's links.</param>
/// <param name="Timing">What a clock measured; absent from the file when null.</param>
public sealed record RunReport(
    [property: JsonPropertyName("$schema")] string Schema, int SchemaVersion, string Run, ulong Seed, string ProductVersion, ModelFacts Model, DataFacts Data,
    DecisionFacts? Decisions, JsonElement Options, IReadOnlyList<ArmReport> Arms, IReadOnlyList<LinkTimes> Links,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] RunTiming? Timing = null)
{
    /// <summary>The identity of schema version 1.</summary>
    public const string SchemaId = "urn:ecolora:report:1";

    /// <summary>Makes the report of a run: sums the ledgers, compares the arms and computes the link times.</summary>
    /// <param name="facts">The run.</param>
    /// <param name="arms">The method first, then its baselines; a run that is still going passes the rounds so far.</param>
    /// <param name="timing">What a clock measured, or null.</param>
    /// <exception cref="ArgumentException">No arm, two arms of one name, options that are not an object, or an arm that <see cref="ArmReport.Of"/>
    /// refuses.</exception>
    public static RunReport Of(RunFacts facts, IReadOnlyList<ArmFacts> arms, RunTiming? timing)
    {
        if (arms.Count == 0) throw new ArgumentException("a report needs at least one arm", nameof(arms));
        if (arms.Select(arm => arm.Name).Distinct(StringComparer.Ordinal).Count() != arms.Count)
            throw new ArgumentException("the arms of a report need different names", nameof(arms));
        if (facts.Options.ValueKind != JsonValueKind.Object)
            throw new ArgumentException($"options: expected a JSON object, found {facts.Options.ValueKind}", nameof(facts));
        ArmReport[] reports = [.. arms.Select(ArmReport.Of)];
        return new RunReport(
            SchemaId, 1, facts.Run, facts.Seed, facts.ProductVersion, facts.Model, facts.Data, facts.Decisions, facts.Options,
            [.. reports.Select(arm => arm.Against(reports))], LinkTimes.Of(arms), timing);
    }
}
