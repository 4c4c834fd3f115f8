using System.Net;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Telemetry;
using Microsoft.AspNetCore.Http.Features;

namespace EcoLora.Services.Scheduler;

/// <summary>Where runs are submitted, watched, cancelled and fetched: /openapi/v1.json describes it.</summary>
/// <param name="scheduler">The scheduler.</param>
/// <param name="directory">The submitted runs.</param>
/// <param name="context">Store and sidecar: journals of runs that are not under way here, and the aggregator, which has the adapters.</param>
internal sealed class RunApi(SchedulerService scheduler, RunDirectory directory, ServiceContext context)
{
    /// <summary>Largest run file: options take a few kilobytes.</summary>
    private const int LargestRun = 256 * 1024;

    /// <summary>How often a watched run is looked at, and how often a watcher hears that nothing has happened.</summary>
    private static readonly TimeSpan _look = TimeSpan.FromMilliseconds(250), _silence = TimeSpan.FromSeconds(15);

    /// <summary>Maps <c>/runs</c>.</summary>
    public void Map(IEndpointRouteBuilder endpoints)
    {
        RouteGroupBuilder runs = endpoints.MapGroup("/runs").WithTags("runs");
        runs.MapPost("", SubmitAsync).WithName("submit").WithSummary("Submit a run: the options of a run file, in which model and data go by name. The same run again changes nothing.")
            .Accepts<JsonElement>("application/json").Produces<RunStatus>().Produces<RunStatus>(202).Produces<string>(400, "text/plain").Produces<string>(409, "text/plain");
        runs.MapGet("", async (CancellationToken cancellation) =>
        {
            var all = new List<RunStatus>();
            foreach (SubmittedRun run in await directory.ListAsync(cancellation)) all.Add(await StatusAsync(run, cancellation));
            return Results.Json(all, StatusJson.Default.IReadOnlyListRunStatus);
        }).WithName("list").WithSummary("All runs, in the order of submission.").Produces<IReadOnlyList<RunStatus>>();
        MapRun(runs, "", "show", "Where a run is.", async (run, cancellation) => Results.Json(await StatusAsync(run, cancellation), StatusJson.Default.RunStatus)).Produces<RunStatus>();
        MapRun(runs, "/events", "watch", "Where a run is, as server-sent events: one now, one at every change, the last when it is over.",
            (run, cancellation) => Task.FromResult<IResult>(TypedResults.ServerSentEvents(WatchAsync(run, cancellation)))).Produces<string>(200, "text/event-stream");
        MapRun(runs, "/journal", "journal", "The decision log, a line an entry: what ecolora run --replay follows.",
            async (run, cancellation) => Results.Bytes(Lines(await JournalAsync(run, cancellation)), "application/jsonl")).Produces<string>(200, "application/jsonl");
        MapRun(runs, "/report", "report", "What the run has cost and come to so far (docs/report.schema.json).",
            (run, cancellation) => ReportAsync(run, report => Results.Bytes(ReportJson.Write(report), "application/json"), cancellation)).Produces<RunReport>().Produces<string>(409, "text/plain");
        MapRun(runs, "/report.html", "report-page", "The report as a page.", ReportPageAsync)
            .Produces<string>(200, "text/html").Produces<string>(409, "text/plain");
        MapRun(runs, "/ledger.csv", "ledger", "The byte ledger of the rounds that are complete (docs/ledger.md).", LedgerAsync).Produces<string>(200, "text/csv").Produces<string>(409, "text/plain");
        MapRun(runs, "/exports", "exports", "Files of the finished run's adapter, in PEFT's format, and of what else it comes to (docs/adapters.md).", ListExportsAsync).Produces<IReadOnlyList<ExportedFile>>();
        runs.MapGet("/{name}/exports/{**file}", (HttpContext http, string name, string file, CancellationToken cancellation) =>
                OfRunAsync(name, run => ExportedFileAsync(http, run, file, cancellation), cancellation))
            .WithName("exported-file").WithSummary("One of them.").Produces<byte[]>(200, "application/octet-stream").Produces<string>(404, "text/plain");
        runs.MapPost("/{name}/cancel", (string name, CancellationToken cancellation) => OfRunAsync(name, run => HoldAsync(run, isHeld: true), cancellation))
            .WithName("cancel").WithSummary("Cancel a run: nothing more is decided; what participants are about to finish is kept.").Produces<RunStatus>().Produces<string>(404, "text/plain").Produces<string>(409, "text/plain");
        runs.MapPost("/{name}/resume", (string name, CancellationToken cancellation) => OfRunAsync(name, run => HoldAsync(run, isHeld: false), cancellation))
            .WithName("resume").WithSummary("Resume a cancelled run where it stood.").Produces<RunStatus>().Produces<string>(404, "text/plain").Produces<string>(409, "text/plain");
    }

    /// <summary>A submitted run before its first journal entry.</summary>
    /// <param name="run">The run.</param>
    /// <param name="overhead">Bytes that every message has besides itself.</param>
    public static RunHistory HistoryOf(SubmittedRun run, int overhead) => AnnouncedOptions.HistoryOf(run.Name, run.Options, overhead);

    private RouteHandlerBuilder MapRun(RouteGroupBuilder runs, string path, string operation, string summary, Func<SubmittedRun, CancellationToken, Task<IResult>> answer) =>
        runs.MapGet($"/{{name}}{path}", (string name, CancellationToken cancellation) => OfRunAsync(name, run => answer(run, cancellation), cancellation))
            .WithName(operation).WithSummary(summary).Produces<string>(404, "text/plain");

    private async Task<IResult> OfRunAsync(string name, Func<SubmittedRun, Task<IResult>> answer, CancellationToken cancellation) =>
        RunPlan.IsName(name) && await directory.FindAsync(name, cancellation) is { } run ? await answer(run) : Answers.Unknown($"run {name}: expected one that was submitted, found none");

    /// <summary>Takes a run: its options as <see cref="AnnouncedOptions.Of(RunFile)"/> makes them. 202 for a new run, 200 for one that is known, 409 for another of that name.</summary>
    private async Task<IResult> SubmitAsync(HttpRequest request)
    {
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = LargestRun;
        try
        {
            JsonElement options = await JsonSerializer.DeserializeAsync(request.Body, StatusJson.Default.JsonElement, request.HttpContext.RequestAborted);
            RunFile file = AnnouncedOptions.Read(options);
            var run = new SubmittedRun(file.Name, options);
            bool isKnown = await directory.FindAsync(run.Name, CancellationToken.None) is not null;
            if (!await directory.TryAddAsync(run, CancellationToken.None)) return Answers.Conflict($"run {run.Name}: expected a new name, found one of a run with other options");
            await scheduler.StartAsync(HistoryOf(run, context.Bus.Overhead), null, CancellationToken.None);
            RunStatus status = await StatusAsync(run, CancellationToken.None);
            return Results.Json(status, StatusJson.Default.RunStatus, statusCode: isKnown ? StatusCodes.Status200OK : StatusCodes.Status202Accepted);
        }
        catch (Exception refused) when (refused is JsonException or OptionsException or ArgumentException)
        {
            return Answers.Bad(refused.Message);
        }
    }

    private async Task<IResult> HoldAsync(SubmittedRun run, bool isHeld)
    {
        ScheduledRun scheduled = await scheduler.StartAsync(HistoryOf(run, context.Bus.Overhead), null, CancellationToken.None);
        return await scheduled.HoldAsync(isHeld, CancellationToken.None)
            ? Results.Json(await scheduled.StatusAsync(CancellationToken.None), StatusJson.Default.RunStatus)
            : Answers.Conflict($"run {run.Name}: expected one that is under way, found it finished");
    }

    private async IAsyncEnumerable<SseItem<string>> WatchAsync(SubmittedRun run, [EnumeratorCancellation] CancellationToken cancellation)
    {
        string last = "";
        long saidAt = 0;
        while (true)
        {
            RunStatus status = await StatusAsync(run, cancellation);
            string text = JsonSerializer.Serialize(status, StatusJson.Default.RunStatus);
            // Said again after a while, so that nobody on the way takes the connection for a dead one.
            if (text != last || System.Diagnostics.Stopwatch.GetElapsedTime(saidAt) >= _silence)
            {
                (last, saidAt) = (text, System.Diagnostics.Stopwatch.GetTimestamp());
                yield return new SseItem<string>(text, "status");
            }
            if (status.State == "finished") yield break;
            await Task.Delay(_look, cancellation);
        }
    }

    private async Task<RunStatus> StatusAsync(SubmittedRun run, CancellationToken cancellation)
    {
        if (scheduler.Runs.TryGetValue(run.Name, out ScheduledRun? scheduled)) return await scheduled.StatusAsync(cancellation);
        // One that another scheduler was told of.
        IReadOnlyList<JournalEntry> entries = await JournalAsync(run, cancellation);
        return RunStatus.For(Fold(run, entries), entries.Count, null, []);
    }

    private RunHistory Fold(SubmittedRun run, IReadOnlyList<JournalEntry> entries)
    {
        RunHistory history = HistoryOf(run, context.Bus.Overhead);
        foreach (JournalEntry entry in entries) history.Apply(entry);
        return history;
    }

    private async Task<IReadOnlyList<JournalEntry>> JournalAsync(SubmittedRun run, CancellationToken cancellation)
    {
        using var journal = new StateJournal(context.Store, run.Name);
        return await journal.ReadAsync(0, cancellation);
    }

    private static byte[] Lines(IReadOnlyList<JournalEntry> entries)
    {
        var text = new MemoryStream();
        foreach (JournalEntry entry in entries)
        {
            text.Write(JsonSerializer.SerializeToUtf8Bytes(entry, ProtocolJson.Default.JournalEntry));
            text.WriteByte((byte)'\n');
        }
        return text.ToArray();
    }

    private async Task<IResult> ReportAsync(SubmittedRun run, Func<RunReport, IResult> answer, CancellationToken cancellation)
    {
        IReadOnlyList<JournalEntry> entries = await JournalAsync(run, cancellation);
        return Fold(run, entries).Run is { } state ? answer(JournalReport.Of(state, entries, AnnouncedOptions.Read(run.Options))) : NotOpen(run);
    }

    /// <summary>The page says itself what it may load.</summary>
    private Task<IResult> ReportPageAsync(SubmittedRun run, CancellationToken cancellation) =>
        ReportAsync(run, report => Results.Text(ReportPage.Render(report), "text/html", Encoding.UTF8), cancellation);

    private async Task<IResult> LedgerAsync(SubmittedRun run, CancellationToken cancellation)
    {
        if (Fold(run, await JournalAsync(run, cancellation)).Run is not { } state) return NotOpen(run);
        var text = new StringWriter();
        LedgerCsv.Write(text, JournalReport.LedgerOf(state));
        return Results.Text(text.ToString(), "text/csv", Encoding.UTF8);
    }

    private async Task<IResult> ListExportsAsync(SubmittedRun run, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await context.Invoker.InvokeAsync(HttpMethod.Get, AppIds.Aggregator, InvocationPaths.Exports(run.Name), null, cancellation);
        return Results.Bytes(await response.Content.ReadAsByteArrayAsync(cancellation), "application/json");
    }

    private async Task<IResult> ExportedFileAsync(HttpContext http, SubmittedRun run, string file, CancellationToken cancellation)
    {
        if (!ExportedFile.IsName(file)) return Answers.Bad($"file: expected {ExportedFile.NameRule}, found '{file}'");
        http.Response.ContentType = "application/octet-stream";
        HttpStatusCode code = await ChunkedContent.CopyAsync(
            context.Invoker, AppIds.Aggregator, InvocationPaths.Exports(run.Name, file), http.Response.Body, length => http.Response.ContentLength = length, cancellation, HttpStatusCode.NotFound);
        return code == HttpStatusCode.OK ? Results.Empty : Answers.Unknown($"run {run.Name}: expected a file of its exports, found no '{file}'; GET /runs/{run.Name}/exports lists them once the run is finished");
    }

    private static IResult NotOpen(SubmittedRun run) => Answers.Conflict($"run {run.Name}: expected one that is open, found it enrolling");
}
