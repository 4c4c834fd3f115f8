using System.Collections.Concurrent;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Trainer;

/// <summary>What a trainer needs besides the bus.</summary>
/// <param name="Site">Number of its site.</param>
/// <param name="Evaluates">Whether this one scores the published versions on held-out records.</param>
/// <param name="Threads">Training jobs that may run at once; shared by the trainers of one machine.</param>
/// <param name="Fault">Is told an exception of a job that ended without a report.</param>
public sealed record TrainerOptions(int Site, bool Evaluates, SemaphoreSlim Threads, Action<Exception> Fault);

/// <summary>Owns data and model: hosts clients, mixes (Eq. 3), trains, and hands the result to the site's codec.</summary>
public sealed class TrainerService : IAsyncDisposable
{
    private readonly IMessageBus _bus;
    private readonly DurableFolder _folder;
    private readonly ISiteCodec _codec;
    private readonly ITrainingEngine _engine;
    private readonly TrainerOptions _options;
    private readonly ConcurrentDictionary<string, TrainedRun> _runs = new();
    private readonly ConcurrentDictionary<string, Task> _jobs = new();
    private readonly CancellationTokenSource _stop = new();

    /// <summary>Subscribes to rounds.</summary>
    /// <param name="bus">The bus, not yet started.</param>
    /// <param name="folder">Where the clients' local adapters live.</param>
    /// <param name="codec">The site's codec.</param>
    /// <param name="engine">What trains.</param>
    /// <param name="options">The rest.</param>
    public TrainerService(IMessageBus bus, DurableFolder folder, ISiteCodec codec, ITrainingEngine engine, TrainerOptions options)
    {
        (_bus, _folder, _codec, _engine, _options) = (bus, folder, codec, engine, options);
        bus.Subscribe(Topics.Rounds, $"trainer-{options.Site}", HandleRoundAsync);
    }

    /// <summary>Stops the jobs between steps and waits for them.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_jobs.Values);
        _stop.Dispose();
    }

    private Task<Verdict> HandleRoundAsync(BusMessage message, CancellationToken cancellation)
    {
        RoundMessage round;
        try
        {
            round = ProtocolJson.ReadRound(message.Payload.Span);
        }
        catch (MessageException)
        {
            return Task.FromResult(Verdict.Drop);
        }
        if (round is RunOpened run) _runs.GetOrAdd(run.Run, name => new TrainedRun(run.Plan, _folder.Folder(name)));
        if (!_runs.TryGetValue(round.Run, out TrainedRun? trained)) return Task.FromResult(Verdict.Retry);
        switch (round)
        {
            case RoundOpened opened:
                if (opened.Evaluate) StartEvaluation(trained, opened.Round);
                foreach (Participant participant in opened.Participants)
                    if (trained.Plan.Roster[participant.Client].Site == _options.Site)
                        Start($"{opened.Run}/{opened.Round}/{participant.Client}", () => TakePartAsync(trained, opened.Round, participant.Client));
                break;
            case RunEnding ending:
                StartEvaluation(trained, ending.Version);
                break;
        }
        return Task.FromResult(Verdict.Success);
    }

    /// <summary>One participant's round, from top to bottom; what is durable already is not done again.</summary>
    private async Task TakePartAsync(TrainedRun run, int round, int client)
    {
        RunPlan plan = run.Plan;
        LocalAdapter? local = run.ReadLocal(client);
        if (local?.Round != round)
        {
            ReadOnlyMemory<float> published = await _codec.GetPublishedAsync(plan.Run, round, _stop.Token);
            double weight = Mixing.Weight(plan.Exchange.MixingBeta, round, local?.Round);
            float[] start = new float[published.Length];
            Mixing.Mix(weight, published.Span, local?.Values, start);
            float[] adapter = run.Whole(start);
            TrainingOutcome outcome = await ComputeAsync(() => _engine.Train(plan, client, round, adapter, _stop.Token));
            string? refused = outcome.Refused ?? FirstNonFinite(run, adapter) ?? (double.IsFinite(outcome.Loss) ? null : $"the loss is {outcome.Loss}");
            if (refused is not null)
            {
                await ReportAsync(new ClientReport(plan.Run, round, client, _options.Site, plan.Roster[client].Samples, null, refused));
                return;
            }
            local = new LocalAdapter(round, outcome.Loss, weight, run.Exchanged(adapter));
            run.WriteLocal(client, local);
        }
        await _codec.SubmitAsync(plan.Run, new LocalUpdate(round, client, local.MixingWeight, local.Values), _stop.Token);
        await ReportAsync(new ClientReport(plan.Run, round, client, _options.Site, plan.Roster[client].Samples, local.Loss, null));
    }

    private void StartEvaluation(TrainedRun run, int version)
    {
        if (!_options.Evaluates) return;
        Start($"{run.Plan.Run}/evaluation/{version}", async () =>
        {
            ReadOnlyMemory<float> published = await _codec.GetPublishedAsync(run.Plan.Run, version, _stop.Token);
            float[] adapter = run.Whole(published.Span);
            HeldOutScore score = await ComputeAsync(() => _engine.Evaluate(run.Plan, adapter, _stop.Token));
            if (!double.IsFinite(score.Loss)) throw new DivergedException(run.Plan.Run, version);
            await ReportAsync(new Evaluated(run.Plan.Run, _options.Site, version, score));
        });
    }

    /// <summary>Starts a job unless the same one is under way; nobody trains inside a handler.</summary>
    private void Start(string name, Func<Task> job)
    {
        if (_jobs.TryGetValue(name, out Task? known) && !known.IsCompleted) return;
        foreach ((string finished, Task task) in _jobs)
            if (task.IsCompleted)
                _jobs.TryRemove(finished, out _);
        _jobs[name] = Task.Run(async () =>
        {
            try
            {
                await job();
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                // The service is stopping; what was durable is taken up again.
            }
            catch (VersionPassedException)
            {
                // A message said again about a round that is over: it was answered the first time.
            }
            catch (Exception exception)
            {
                _options.Fault(exception);
            }
        });
    }

    private async Task<T> ComputeAsync<T>(Func<T> compute)
    {
        await _options.Threads.WaitAsync(_stop.Token);
        try
        {
            return await Task.Run(compute, _stop.Token);
        }
        finally
        {
            _options.Threads.Release();
        }
    }

    private static string? FirstNonFinite(TrainedRun run, float[] adapter)
    {
        int index = Array.FindIndex(adapter, value => !float.IsFinite(value));
        if (index < 0) return null;
        LoraTensor tensor = run.Layout.Tensors.First(t => index < t.End);
        return $"{tensor.Module}.lora_{tensor.Role}[{index - tensor.Offset}] is {adapter[index]}";
    }

    private Task ReportAsync(ReportMessage report) => _bus.PublishAsync(Topics.Reports, report.Run, ProtocolJson.Write(report), _stop.Token);
}

/// <summary>The published adapter gives a held-out loss that is not a number: going on would only waste time.</summary>
/// <param name="run">The run's name.</param>
/// <param name="version">Its version.</param>
public sealed class DivergedException(string run, int version)
    : FormatException($"run {run}: expected a finite held-out loss of version {version}, found none: training diverged; try a lower training.learning_rate");
