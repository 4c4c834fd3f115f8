using System.Collections.Concurrent;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Telemetry;
using Participant = EcoLora.Federation.Participant;

namespace EcoLora.Services.Trainer;

/// <summary>Owns data and model: hosts clients, mixes (Eq. 3), trains, and hands the result to the site's codec.</summary>
public sealed partial class TrainerService : IAsyncDisposable
{
    private const string ActiveKey = "active";

    private readonly IMessageBus _bus;
    private readonly IStateStore _store;
    private readonly DurableFolder _folder;
    private readonly ISiteCodec _codec;
    private readonly TrainerOptions _options;
    private readonly ConcurrentDictionary<ulong, TrainedRun> _runs = new();
    private readonly ConcurrentDictionary<ulong, bool> _active = new();
    private readonly Dictionary<string, Task> _jobs = new(StringComparer.Ordinal);
    private readonly HashSet<string> _done = new(StringComparer.Ordinal);
    private readonly Lock _jobLock = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _stop = new();

    /// <summary>Subscribes to rounds.</summary>
    /// <param name="bus">The bus, not yet started.</param>
    /// <param name="store">Where it is written what counts.</param>
    /// <param name="folder">Where the clients' local adapters live.</param>
    /// <param name="codec">The site's codec.</param>
    /// <param name="options">The rest.</param>
    public TrainerService(IMessageBus bus, IStateStore store, DurableFolder folder, ISiteCodec codec, TrainerOptions options)
    {
        (_bus, _store, _folder, _codec, _options) = (bus, store, folder, codec, options);
        bus.Subscribe(Topics.Rounds, options.Consumer, HandleRoundAsync);
    }

    /// <summary>Messages that were refused.</summary>
    public Refusals Refused { get; init; } = new();

    /// <summary>Participations and evaluations that are under way or wait for a thread.</summary>
    public int Jobs
    {
        get
        {
            lock (_jobLock) return _jobs.Count;
        }
    }

    /// <summary>Goes on with what an earlier process had begun.</summary>
    public async Task ResumeAsync(CancellationToken cancellation)
    {
        StateRecord<ActiveRuns> active = await StateRecord.ReadAsync(_store, ActiveKey, TrainerJson.Default.ActiveRuns, cancellation);
        foreach (ulong key in active.Value?.Keys ?? [])
        {
            await _turn.WaitAsync(cancellation);
            try
            {
                _active[key] = true;
                if (await FindAsync(key, cancellation) is not { } run || _options.PartIn(run.Plan) is not { } part) continue;
                if (run.Open is { } opened) StartRound(run, part, opened);
                if (run.Ending is { } version) StartEvaluation(run, part, version);
            }
            catch (FormatException unreadable)
            {
                // The others go on.
                _options.Fault(unreadable);
            }
            finally
            {
                _turn.Release();
            }
        }
    }

    /// <summary>Stops the jobs between steps and waits for them.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Task[] jobs;
        lock (_jobLock) jobs = [.. _jobs.Values];
        await Task.WhenAll(jobs);
        _stop.Dispose();
        _turn.Dispose();
    }

    private async Task<Verdict> HandleRoundAsync(BusMessage message, CancellationToken cancellation)
    {
        RoundMessage round;
        try
        {
            round = ProtocolJson.ReadRound(message.Payload.Span);
        }
        catch (MessageException)
        {
            return Refused.Drop("malformed message", message.From);
        }
        if (round is RunAnnounced announced)
        {
            StartEnrolment(announced);
            return Verdict.Success;
        }
        await _turn.WaitAsync(cancellation);
        try
        {
            ulong key = FrameHeader.KeyOf(round.Run);
            TrainedRun? run = await FindAsync(key, cancellation);
            if (run is null && round is RunOpened opened)
            {
                run = _runs[key] = await TrainedRun.OpenAsync(opened.Plan, _store, _folder, cancellation);
                await SetActiveAsync(key, isActive: true, cancellation);
            }
            if (run is null) return Verdict.Retry;
            // It may be the plan that first gives this trainer a part.
            if (round is RunOpened { Plan: var plan }) await run.GrowAsync(plan, cancellation);
            if (_options.PartIn(run.Plan) is { } part) await HandleAsync(run, part, round, cancellation);
            return Verdict.Success;
        }
        catch (StateConflictException)
        {
            // What is in memory is behind what is stored; the message comes again to what is read anew.
            _runs.TryRemove(FrameHeader.KeyOf(round.Run), out _);
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>What a message makes the trainer do: it is durable before the message is acknowledged; nobody trains inside a handler.</summary>
    private async Task HandleAsync(TrainedRun run, TrainerPart part, RoundMessage message, CancellationToken cancellation)
    {
        switch (message)
        {
            case RunOpened when run.Plan.Deadline is not null:
                await SayPresentAsync(run.Plan, _options.Presence?.Lease ?? TimeSpan.Zero, cancellation);
                break;
            case RoundOpened opened:
                await run.OpenRoundAsync(opened, cancellation);
                StartRound(run, part, opened);
                break;
            case RunEnding ending:
                await run.EndAsync(ending.Version, cancellation);
                StartEvaluation(run, part, ending.Version);
                break;
            case Reminder reminder:
                foreach (int client in reminder.Clients.Where(client => part.Hosts(client) && part.Trains(reminder.Round, client)))
                    Start(Participation(run, reminder.Round, client), () => TakePartAsync(run, part, reminder.Round, client), again: true);
                if (reminder.Evaluation is { } version) StartEvaluation(run, part, version, again: true);
                break;
            case RunFinished:
                run.Release();
                await SetActiveAsync(run.Plan.Key, isActive: false, cancellation);
                lock (_jobLock) _done.RemoveWhere(name => name.StartsWith(run.Plan.Run + "/", StringComparison.Ordinal));
                break;
        }
    }

    private void StartRound(TrainedRun run, TrainerPart part, RoundOpened opened)
    {
        if (opened.Evaluate) StartEvaluation(run, part, opened.Round);
        foreach (Participant participant in opened.Participants.Where(participant => part.Hosts(participant.Client) && part.Trains(opened.Round, participant.Client)))
            Start(Participation(run, opened.Round, participant.Client), () => TakePartAsync(run, part, opened.Round, participant.Client));
    }

    private static string Participation(TrainedRun run, int round, int client) => $"{run.Plan.Run}/{round}/{client}";

    /// <summary>One participant's round, from top to bottom; what is durable already is not done again.</summary>
    private async Task TakePartAsync(TrainedRun run, TrainerPart part, int round, int client)
    {
        RunPlan plan = run.Plan;
        int? last = await run.LastRoundAsync(client, _stop.Token);
        // A message about a round before the client's last one: that one was answered.
        if (last > round) return;
        ReadOnlyMemory<float> published = default;
        try
        {
            if (last != round) published = await run.PublishedAsync(round, () => _codec.GetPublishedAsync(plan.Run, round, client, _stop.Token));
        }
        catch (VersionPassedException) when (plan.Deadline is not null)
        {
            await ReportAsync(new ClientMissed(plan.Run, round, client, part.Site));
            return;
        }
        // Who waits for a thread holds no vector of its own (but under a deadline, its version): memory grows with the threads, and with what the codec has not taken yet.
        int samples = plan.EnrolmentOf(client).Samples;
        (LocalAdapter? local, string? refused) = await OnThreadAsync(() => TrainAsync(run, part, round, client, published));
        if (local is null && refused is null) return;
        if (local is not null) await _codec.SubmitAsync(plan.Run, new LocalUpdate(round, client, local.MixingWeight, local.Values), _stop.Token);
        await ReportAsync(new ClientReport(plan.Run, round, client, part.Site, samples, local?.Loss, refused));
    }

    /// <summary>The durable local adapter of the round, trained unless it is there, or why there is none; neither where a later round has overtaken this one.</summary>
    private async Task<(LocalAdapter? Local, string? Refused)> TrainAsync(TrainedRun run, TrainerPart part, int round, int client, ReadOnlyMemory<float> published)
    {
        RunPlan plan = run.Plan;
        LocalAdapter? local = await run.ReadLocalAsync(client, _stop.Token);
        if (local?.Round == round) return (local, null);
        if (local?.Round > round) return (null, null);
        var start = TrainingStart.Of(plan, round, client, published, local?.Round, local?.Values);
        TrainingOutcome outcome = await ComputeAsync("train", plan.Run, round, () => part.Engine().Train(plan, client, round, start.Adapter, start.BaseChange, _stop.Token));
        string? refused = outcome.Refused ?? FirstNonFinite(plan.AdapterLayout(client), start.Adapter) ?? (double.IsFinite(outcome.Loss) ? null : $"the loss is {outcome.Loss}");
        if (refused is not null) return (null, refused);
        local = new LocalAdapter(round, outcome.Loss, start.MixingWeight, run.Exchanged(client, start.Adapter));
        await run.WriteLocalAsync(client, local, _stop.Token);
        return (local, null);
    }

    private void StartEvaluation(TrainedRun run, TrainerPart part, int version, bool again = false)
    {
        if (!part.Evaluates) return;
        Start($"{run.Plan.Run}/evaluation/{version}", async () =>
        {
            if (run.LastEvaluation is not { } evaluated || evaluated.Version != version)
            {
                ReadOnlyMemory<float> published = await run.PublishedAsync(version, () => _codec.GetPublishedAsync(run.Plan.Run, version, null, _stop.Token));
                bool isMerged = run.Plan.FederatedMethod.MergesIntoBase;
                float[] adapter = isMerged ? [] : run.Plan.Outcome(published.Span);
                HeldOutScore score = await OnThreadAsync(() => ComputeAsync(
                    "evaluate", run.Plan.Run, version, () => part.Engine().Evaluate(run.Plan, adapter, isMerged ? published : default, _stop.Token)));
                if (!double.IsFinite(score.Loss)) throw new DivergedException(run.Plan.Run, version);
                run.LastEvaluation = evaluated = new Evaluated(run.Plan.Run, part.Site, version, score);
            }
            await ReportAsync(evaluated);
        }, again);
    }

    private void StartEnrolment(RunAnnounced announced)
    {
        if (_options.Enrol is not { } enrol) return;
        Start($"{announced.Run}/enrolment", async () =>
        {
            await ReportAsync(await Task.Run(() => enrol(announced), _stop.Token));
        }, again: true);
    }

    private async Task<TrainedRun?> FindAsync(ulong key, CancellationToken cancellation)
    {
        if (_runs.TryGetValue(key, out TrainedRun? run)) return run;
        run = await TrainedRun.FindAsync(key, _store, _folder, cancellation);
        if (run is not null) _runs[key] = run;
        return run;
    }

    private async Task SetActiveAsync(ulong key, bool isActive, CancellationToken cancellation)
    {
        if (isActive) _active[key] = true;
        else _active.TryRemove(key, out _);
        StateRecord<ActiveRuns> record = await StateRecord.ReadAsync(_store, ActiveKey, TrainerJson.Default.ActiveRuns, cancellation);
        IReadOnlyList<ulong> keys = record.Value?.Keys ?? [];
        if (keys.Contains(key) != isActive) await record.WriteAsync(new ActiveRuns(isActive ? [.. keys, key] : [.. keys.Where(other => other != key)]), cancellation);
    }

    /// <summary>Starts a job unless the same one is under way or, but for a reminder, was done by this process: a message that comes again sends nothing again.</summary>
    private void Start(string name, Func<Task> job, bool again = false)
    {
        lock (_jobLock)
        {
            // A message that comes while the service ends begins nothing: nobody would wait for it, and another process may have the volume by then.
            if (_stop.IsCancellationRequested || _jobs.ContainsKey(name) || (_done.Contains(name) && !again)) return;
            _jobs[name] = Task.Run(() => RunAsync(name, job));
        }
    }

    private async Task RunAsync(string name, Func<Task> job)
    {
        bool isDone = false;
        try
        {
            await job();
            isDone = true;
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The service is stopping; what was durable is taken up again.
        }
        catch (VersionPassedException)
        {
            // A message said again about a round that is over: it was answered the first time.
            isDone = true;
        }
        catch (Exception exception)
        {
            if (exception is StateConflictException) _runs.TryRemove(FrameHeader.KeyOf(name[..name.IndexOf('/', StringComparison.Ordinal)]), out _);
            _options.Fault(exception);
        }
        lock (_jobLock)
        {
            if (isDone) _done.Add(name);
            _jobs.Remove(name);
        }
    }

    private async Task<T> OnThreadAsync<T>(Func<Task<T>> work)
    {
        await _options.Threads.WaitAsync(_stop.Token);
        try
        {
            return await work();
        }
        finally
        {
            _options.Threads.Release();
        }
    }

    private async Task<T> ComputeAsync<T>(string kind, string run, int round, Func<T> compute)
    {
        using Measured work = Instruments.Train(kind, run, round);
        return await Task.Run(compute, _stop.Token);
    }

    private static string? FirstNonFinite(LoraLayout layout, float[] adapter)
    {
        int index = Array.FindIndex(adapter, value => !float.IsFinite(value));
        if (index < 0) return null;
        LoraTensor tensor = layout.Tensors.First(t => index < t.End);
        return $"{tensor.Module}.lora_{tensor.Role}[{index - tensor.Offset}] is {adapter[index]}";
    }

    private Task ReportAsync(ReportMessage report) => _bus.PublishAsync(Topics.Reports, report.Run, ProtocolJson.Write(report), _stop.Token);
}

/// <summary>The published adapter gives a held-out loss that is not a number: going on would only waste time.</summary>
/// <param name="run">The run's name.</param>
/// <param name="version">Its version.</param>
public sealed class DivergedException(string run, int version)
    : FormatException($"run {run}: expected a finite held-out loss of version {version}, found none: training diverged; try a lower training.learning_rate");
