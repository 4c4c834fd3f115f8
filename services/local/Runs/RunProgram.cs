using System.Text.Json;
using System.Text.Json.Nodes;
using EcoLora.Telemetry;

namespace EcoLora.Local.Runs;

/// <summary>Runs, shows how it goes, and ends with the table that compares the method with its baselines.</summary>
public static class RunProgram
{
    /// <summary>Handles <c>ecolora run</c>.</summary>
    public static async Task<int> RunAsync(RunRequest request, CancellationToken cancellation)
    {
        RunReport report = await FollowAsync(request, cancellation);
        SummaryTable summary = SummaryTable.Of(report);
        string start = $"held-out loss before: {Quantity.Loss(summary.Before)}";
        if (summary.BeforeExactMatch is { } exact) start += $", exact match {Quantity.Percent(exact)}";
        JsonNode json = JsonSerializer.SerializeToNode(summary, SummaryJson.Default.SummaryTable)!;
        ResultTable.Print(request.Json, json, new ResultTable(start, summary.Headings, [.. summary.Rows.Select(summary.Cells)]));
        if (!request.Json) Console.Out.WriteLine($"adapter, report.html, report.json and ledger.csv are in {request.Folder}");
        return ExitCodes.Success;
    }

    private static async Task<RunReport> FollowAsync(RunRequest request, CancellationToken cancellation)
    {
        if (request.Json || Console.IsOutputRedirected)
            return await LocalRun.ExecuteAsync(request, new PlainView(request.Json ? Console.Error : Console.Out), cancellation);
        var view = new LiveView();
        Task<RunReport> run = Task.Run(() => LocalRun.ExecuteAsync(request, view, cancellation), CancellationToken.None);
        await view.FollowAsync(run);
        return await run;
    }
}

/// <summary>The comparison for programs.</summary>
[System.Text.Json.Serialization.JsonSourceGenerationOptions(PropertyNamingPolicy = System.Text.Json.Serialization.JsonKnownNamingPolicy.CamelCase)]
[System.Text.Json.Serialization.JsonSerializable(typeof(SummaryTable))]
internal sealed partial class SummaryJson : System.Text.Json.Serialization.JsonSerializerContext;
