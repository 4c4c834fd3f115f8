using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Services.Aggregator;
using EcoLora.Services.Codec;
using EcoLora.Services.Scheduler;
using EcoLora.Services.Trainer;

namespace EcoLora.Local.Runs;

/// <summary>What a run in one process is made of.</summary>
public sealed record ClusterOptions
{
    /// <summary>The plan.</summary>
    public required RunPlan Plan { get; init; }

    /// <summary>Where the four services keep their state; a folder that already holds the run is gone on with.</summary>
    public required DurableFolder State { get; init; }

    /// <summary>What trains.</summary>
    public required ITrainingEngine Engine { get; init; }

    /// <summary>Writes what the finished run comes to.</summary>
    public required AdapterWriter WriteAdapter { get; init; }

    /// <summary>Training jobs at once; the outcome does not depend on it.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Decisions to follow, or null.</summary>
    public DecisionReplay? Replay { get; init; }

    /// <summary>Is given every accepted change before sparsification, from the sites' threads, or null.</summary>
    public Action<AcceptedChange>? KeepChange { get; init; }

    /// <summary>Is told the state after every journal entry.</summary>
    public Action<RunState, JournalEntry>? Observer { get; init; }

    /// <summary>Puts something between the services and the bus; tests lose, repeat and reorder messages here.</summary>
    public Func<IMessageBus, IMessageBus> Wrap { get; init; } = bus => bus;
}

/// <summary>The four services in one process over an in-process bus: the same messages and frames that a broker carries.</summary>
public static class LocalCluster
{
    /// <summary>Runs the plan to its end.</summary>
    /// <returns>The finished run's state.</returns>
    /// <exception cref="OperationCanceledException">Cancelled; what is durable can be gone on with.</exception>
    public static async Task<RunState> RunAsync(ClusterOptions options, CancellationToken cancellation)
    {
        RunPlan plan = options.Plan;
        plan.Validate();
        var fault = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        var inner = new InProcessBus();
        IMessageBus bus = options.Wrap(inner);
        using var threads = new SemaphoreSlim(options.Threads);
        DurableFolder journals = options.State.Folder("scheduler");
        using var scheduler = new SchedulerService(bus, name => new FileJournal(journals.FileAt(name + ".journal.jsonl")))
        {
            Observer = (history, entry) => options.Observer?.Invoke(history.Run!, entry),
        };
        DurableFolder folder = options.State.Folder("aggregator");
        using var aggregator = new AggregatorService(bus, StoreIn(folder), folder, options.WriteAdapter);
        var codecs = new List<CodecService>();
        var trainers = new List<TrainerService>();
        for (int site = 0; site < plan.Sites; site++)
        {
            int number = site;
            folder = options.State.Folder($"codec-{site:d3}");
            codecs.Add(new CodecService(bus, StoreIn(folder), folder, new CodecOptions($"codec-{site}", _ => number, options.KeepChange, (run, round, waiting) => aggregator.ChangeAsync(run, round, null, waiting))));
            var part = new TrainerPart(site, Evaluates: site == 0, client => plan.FindEnrolment(client)?.Site == number, () => options.Engine)
            {
                Trains = options.Replay is { } replay ? replay.HasTrained : (_, _) => true,
            };
            folder = options.State.Folder($"trainer-{site:d3}");
            var trainer = new TrainerOptions($"trainer-{site}", _ => part, threads, exception => fault.TrySetResult(exception));
            trainers.Add(new TrainerService(bus, StoreIn(folder), folder, codecs[site], trainer));
        }
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task clock = Task.CompletedTask;
        try
        {
            inner.Start();
            ScheduledRun run = await scheduler.StartAsync(new RunHistory(plan), options.Replay, cancellation);
            clock = scheduler.WatchClockAsync(ended.Token);
            Task first = await Task.WhenAny(run.Finished, fault.Task, inner.Fault).WaitAsync(cancellation);
            if (first != run.Finished) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(await (Task<Exception>)first);
            await run.Finished;
            return run.History.Run!;
        }
        finally
        {
            await ended.CancelAsync();
            await clock.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            foreach (TrainerService trainer in trainers) await trainer.DisposeAsync();
            await inner.DisposeAsync();
            foreach (CodecService codec in codecs) codec.Dispose();
        }
    }

    /// <summary>A service's records beside its tensors; no run's name has an underscore.</summary>
    private static FolderStateStore StoreIn(DurableFolder folder) => new(folder.Folder("_state"));
}
