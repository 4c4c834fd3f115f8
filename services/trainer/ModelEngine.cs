using System.Collections.Concurrent;
using EcoLora.Federation;
using EcoLora.Numerics;
using EcoLora.Training;

namespace EcoLora.Services.Trainer;

/// <summary>What an engine works on.</summary>
/// <param name="Model">The frozen base, shared by all jobs.</param>
/// <param name="Lora">The adapter's shape.</param>
/// <param name="Training">Local training; its schedule runs over the rounds (see <see cref="ModelEngine"/>).</param>
/// <param name="Compute">How a job uses the machine.</param>
/// <param name="Clients">Each client's examples, by number.</param>
/// <param name="HeldOut">Examples that no client trains on.</param>
/// <param name="Preferences">Pairs to train on and to evaluate instead, with task <c>dpo</c>; or null.</param>
/// <param name="Backend">Where it computes.</param>
public sealed record EngineInput(
    LlamaModel Model, LoraOptions Lora, TrainingOptions Training, ComputeOptions Compute, IReadOnlyList<IReadOnlyList<Example>> Clients, IReadOnlyList<Example> HeldOut,
    PreferenceInput? Preferences, IModelBackend Backend)
{
    /// <summary>Passes at once when models are scored or answer.</summary>
    public int Passes => Backend.Passes(Compute.Threads);
}

/// <summary>How greedy answers are scored.</summary>
/// <param name="Decode">Tokens to text.</param>
/// <param name="MaxNewTokens">Most tokens of an answer.</param>
/// <param name="StopTokens">Tokens that end an answer.</param>
public sealed record ExactMatchOptions(Func<int[], string> Decode, int MaxNewTokens, IReadOnlyCollection<int> StopTokens);

/// <summary>
/// Trains with EcoLora.Training on the managed kernels or on TorchSharp, one job per call. The optimiser starts anew in every job. A cosine schedule runs over the run's rounds:
/// η_t = η·(1 + cos(π·t/T))/2, constant within a job, so that a client's learning rate does not depend on how often it was sampled.
/// </summary>
public sealed class ModelEngine(EngineInput input, ExactMatchOptions? exactMatch) : ITrainingEngine
{
    private readonly PreferenceReference? _reference =
        input.Preferences is { } preferences ? new PreferenceReference(input, preferences) : null;
    private readonly Lock _lock = new();
    private MergedBase _base = new(default, input.Model);

    /// <inheritdoc/>
    public TrainingOutcome Train(RunPlan plan, int client, int round, float[] adapter, ReadOnlyMemory<float> baseChange, CancellationToken cancellation)
    {
        bool freezeA = !plan.FederatedMethod.Trains(Codec.LoraRole.A);
        int rank = plan.RankOf(client);
        MergedBase merged = BaseOf(baseChange);
        ConcurrentBag<LocalTrainer> idle = merged.Idle.GetOrAdd((freezeA, rank), _ => []);
        if (!idle.TryTake(out LocalTrainer? trainer)) trainer = new LocalTrainer(merged.Model, input.Lora.OfRank(rank) with { FreezeA = freezeA }, input.Compute, input.Backend);
        try
        {
            var stream = new RandomStream(plan.Seed, "local-training", round, client);
            TrainingOptions options = OptionsOf(round, plan.Rounds);
            TrainingResult result = _reference is null
                ? trainer.Train(adapter, input.Clients[client], options, stream, null, cancellation)
                : trainer.Train(adapter, input.Preferences!.Clients[client], _reference.OfClient(plan, client, cancellation), options, stream, null, cancellation);
            return result.Outcome switch
            {
                Training.TrainingOutcome.Completed => new TrainingOutcome(result.MeanLoss),
                Training.TrainingOutcome.NonFiniteLoss => new TrainingOutcome(double.NaN, $"the loss is not finite at step {result.Steps + 1}"),
                _ => new TrainingOutcome(double.NaN, $"the gradient is not finite at step {result.Steps + 1}"),
            };
        }
        finally
        {
            idle.Add(trainer);
        }
    }

    /// <inheritdoc/>
    public HeldOutScore Evaluate(RunPlan plan, ReadOnlySpan<float> adapter, ReadOnlyMemory<float> baseChange, CancellationToken cancellation)
    {
        IDecoder model = baseChange.IsEmpty ? input.Backend.Tuned(input.Model, input.Lora, adapter) : input.Backend.Plain(BaseOf(baseChange).Model);
        if (_reference is not null) return Preferred(model, _reference.OfHeldOut(plan, cancellation), cancellation);
        EvaluationResult loss = Evaluator.Evaluate(model, input.HeldOut, input.Passes, cancellation: cancellation);
        bool[]? correct = exactMatch is null ? null : Correct(model, exactMatch, cancellation);
        var categories = loss.ByCategory.Select(category => new CategoryScore(
            category.Key,
            category.Value.Examples,
            category.Value.MeanLoss,
            correct is null ? null : input.HeldOut.Where((example, i) => example.Category == category.Key && correct[i]).Count()));
        return new HeldOutScore(loss.Overall.MeanLoss, loss.Overall.Examples, loss.Overall.Tokens, correct?.Count(right => right), [.. categories]);
    }

    private HeldOutScore Preferred(IDecoder model, PreferenceLoss loss, CancellationToken cancellation)
    {
        PreferenceResult result = PreferenceEvaluator.Evaluate(model, input.Preferences!.HeldOut, loss, input.Passes, cancellation: cancellation);
        PreferenceScore all = result.Overall;
        return new HeldOutScore(
            all.Loss, all.Accuracy.Count, all.Tokens, Correct: null,
            [.. result.ByCategory.Select(c => new CategoryScore(c.Key, c.Value.Accuracy.Count, c.Value.Loss, Correct: null, c.Value.Accuracy.Successes, c.Value.Margin))],
            all.Accuracy.Successes, all.Margin);
    }

    private bool[] Correct(IDecoder model, ExactMatchOptions options, CancellationToken cancellation)
    {
        int[][] prompts = [.. input.HeldOut.Select(example => example.Tokens[..example.PromptLength])];
        int[][] answers = Generator.GenerateAll(model, prompts, options.MaxNewTokens, options.StopTokens, threads: input.Passes, cancellation: cancellation);
        return [.. answers.Select((answer, i) => options.Decode(answer).Trim() == input.HeldOut[i].Answer.Trim())];
    }

    /// <summary>The base with a change merged into it: made once for all jobs that bring the same memory.</summary>
    private MergedBase BaseOf(ReadOnlyMemory<float> change)
    {
        lock (_lock)
        {
            if (!_base.Change.Equals(change)) _base = new MergedBase(change, change.IsEmpty ? input.Model : input.Model.WithChange(input.Lora, change.Span));
            return _base;
        }
    }

    private sealed record MergedBase(ReadOnlyMemory<float> Change, LlamaModel Model)
    {
        /// <summary>Trainers of this base that no job uses, by what they train.</summary>
        public ConcurrentDictionary<(bool FreezeA, int Rank), ConcurrentBag<LocalTrainer>> Idle { get; } = new();
    }

    private TrainingOptions OptionsOf(int round, int rounds) => input.Training.Schedule == LearningRateSchedule.Constant
        ? input.Training
        : input.Training with
        {
            Schedule = LearningRateSchedule.Constant,
            LearningRate = input.Training.LearningRate * 0.5 * (1 + Math.Cos(Math.PI * round / rounds)),
        };
}
