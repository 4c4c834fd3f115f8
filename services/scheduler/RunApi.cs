using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;
using Microsoft.AspNetCore.Http.Features;

namespace EcoLora.Services.Scheduler;

/// <summary>Where runs are submitted and watched.</summary>
/// <param name="scheduler">The scheduler.</param>
/// <param name="directory">The submitted runs.</param>
/// <param name="store">The state store, for the journals of runs that are not under way here.</param>
internal sealed class RunApi(SchedulerService scheduler, RunDirectory directory, IStateStore store)
{
    /// <summary>Largest run file: options take a few kilobytes.</summary>
    private const int LargestRun = 256 * 1024;

    /// <summary>Maps <c>/runs</c>.</summary>
    public void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapPost("/runs", SubmitAsync);
        endpoints.MapGet("/runs", async (CancellationToken cancellation) =>
        {
            var all = new List<RunStatus>();
            foreach (SubmittedRun run in await directory.ListAsync(cancellation)) all.Add(await StatusAsync(run, cancellation));
            return Results.Json(all, StatusJson.Default.IReadOnlyListRunStatus);
        });
        endpoints.MapGet("/runs/{name}", async (string name, CancellationToken cancellation) => await FindAsync(name, cancellation) is { } run
            ? Results.Json(await StatusAsync(run, cancellation), StatusJson.Default.RunStatus)
            : Unknown(name));
        endpoints.MapGet("/runs/{name}/journal", async (string name, CancellationToken cancellation) => await FindAsync(name, cancellation) is { } run
            ? Results.Bytes(await JournalAsync(run.Name, cancellation), "application/jsonl")
            : Unknown(name));
    }

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
            await scheduler.StartAsync(HistoryOf(run), null, CancellationToken.None);
            RunStatus status = await StatusAsync(run, CancellationToken.None);
            return Results.Json(status, StatusJson.Default.RunStatus, statusCode: isKnown ? StatusCodes.Status200OK : StatusCodes.Status202Accepted);
        }
        catch (Exception refused) when (refused is JsonException or OptionsException or ArgumentException)
        {
            return Answers.Bad(refused.Message);
        }
    }

    /// <summary>A submitted run before its first journal entry.</summary>
    public static RunHistory HistoryOf(SubmittedRun run)
    {
        RunFile file = AnnouncedOptions.Read(run.Options);
        RunPlan draft = file.Draft(run.Name, file.Exchange) with { Options = run.Options };
        return new RunHistory(new RunAnnounced(run.Name, run.Options), new RosterState(draft, file.Federation.Clients));
    }

    private async Task<RunStatus> StatusAsync(SubmittedRun run, CancellationToken cancellation)
    {
        if (scheduler.Runs.TryGetValue(run.Name, out ScheduledRun? scheduled)) return await scheduled.StatusAsync(cancellation);
        // One that another scheduler was told of.
        RunHistory history = HistoryOf(run);
        using var journal = new StateJournal(store, run.Name);
        IReadOnlyList<JournalEntry> entries = await journal.ReadAsync(0, cancellation);
        foreach (JournalEntry entry in entries) history.Apply(entry);
        return RunStatus.For(history, entries.Count, null);
    }

    private async Task<byte[]> JournalAsync(string name, CancellationToken cancellation)
    {
        using var journal = new StateJournal(store, name);
        var text = new MemoryStream();
        foreach (JournalEntry entry in await journal.ReadAsync(0, cancellation))
        {
            text.Write(JsonSerializer.SerializeToUtf8Bytes(entry, ProtocolJson.Default.JournalEntry));
            text.WriteByte((byte)'\n');
        }
        return text.ToArray();
    }

    private Task<SubmittedRun?> FindAsync(string name, CancellationToken cancellation) =>
        RunPlan.IsName(name) ? directory.FindAsync(name, cancellation) : Task.FromResult<SubmittedRun?>(null);

    private static IResult Unknown(string name) => Answers.Unknown($"run {name}: expected one that was submitted, found none");
}
