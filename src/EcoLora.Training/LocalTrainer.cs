using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>
/// Trains LoRA adapters on a frozen model, one job after the other. It owns the job's memory, which later jobs reuse; one job at a time, the model is shared.
/// The same adapter, examples, options and stream give the same bytes on one instruction-set path, whatever the <see cref="ComputeOptions"/>.
/// </summary>
public sealed class LocalTrainer
{
    private readonly float[] _adapter, _gradient;
    private readonly TrainingLoop<IModelPass<float>> _loop;
    private readonly LoraPlan _lora;

    /// <summary>Prepares for jobs of one adapter shape.</summary>
    /// <param name="model">The base.</param>
    /// <param name="options">The adapter's shape.</param>
    /// <param name="compute">How a job uses the machine; null for one thread.</param>
    /// <param name="backend">Where it computes; null for the managed kernels.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public LocalTrainer(LlamaModel model, LoraOptions options, ComputeOptions? compute = null, IModelBackend? backend = null)
    {
        backend ??= ManagedBackend.Instance;
        compute ??= new ComputeOptions();
        compute.Validate();
        _lora = new LoraPlan(model.Config, options);
        _adapter = new float[_lora.Layout.Length];
        _gradient = new float[_lora.Layout.Length];
        var grouped = new GroupedGradient<IModelPass<float>>(
            _gradient, model.Config.Vocabulary, backend.Passes(compute.Threads), backend.GroupRows, () => backend.NewTrainingPass(model, _lora, compute.RecomputesLayers));
        _loop = new TrainingLoop<IModelPass<float>>(_gradient, TrainedRange.Of(_lora.Layout, options.FreezeA), grouped);
    }

    /// <summary>The order of the adapter's parameters.</summary>
    public LoraLayout Layout => _lora.Layout;

    /// <summary>Trains an adapter in place.</summary>
    /// <param name="adapter">The start, one vector of <see cref="Layout"/>; the result. Unchanged unless the job is completed.</param>
    /// <param name="examples">At least one.</param>
    /// <param name="options">How to train.</param>
    /// <param name="stream">The job's stream: order of the batches, dropout.</param>
    /// <param name="onStep">Called after each step, or null.</param>
    /// <param name="cancellation">Honoured between layers.</param>
    /// <exception cref="ArgumentException">An option is out of its range, the adapter has a wrong length, or an example is malformed or missing.</exception>
    /// <exception cref="OperationCanceledException">The job was cancelled; the adapter is unchanged.</exception>
    public TrainingResult Train(
        Span<float> adapter, IReadOnlyList<Example> examples, TrainingOptions options, RandomStream stream, Action<TrainingStep>? onStep = null,
        CancellationToken cancellation = default)
    {
        var objective = new Objective<IModelPass<float>>(
            OfPairs: false, (pass, batch, divisor, gradient, dropout, cancel) => pass.LossAndGradient(batch, divisor, _adapter, gradient, dropout, cancel));
        return Run(objective, adapter, examples, options, stream, onStep, cancellation);
    }

    /// <summary>Trains an adapter in place on pairs of answers; a batch is of <see cref="TrainingOptions.BatchSize"/> pairs, and dropout is the policy's alone.</summary>
    /// <param name="adapter">The start, one vector of <see cref="Layout"/>; the result. Unchanged unless the job is completed.</param>
    /// <param name="pairs">At least one.</param>
    /// <param name="loss">With the references of these pairs.</param>
    /// <param name="options">How to train.</param>
    /// <param name="stream">The job's stream: order of the batches, dropout.</param>
    /// <param name="onStep">Called after each step, or null.</param>
    /// <param name="cancellation">Honoured between layers.</param>
    /// <exception cref="ArgumentException">As above, or the loss has other pairs.</exception>
    /// <exception cref="OperationCanceledException">The job was cancelled; the adapter is unchanged.</exception>
    public TrainingResult Train(
        Span<float> adapter, IReadOnlyList<PreferencePair> pairs, PreferenceLoss loss, TrainingOptions options, RandomStream stream,
        Action<TrainingStep>? onStep = null, CancellationToken cancellation = default)
    {
        if (loss.Pairs != pairs.Count) throw new ArgumentException($"loss: expected references of {pairs.Count} pairs, found {loss.Pairs}", nameof(loss));
        var objective = new Objective<IModelPass<float>>(
            OfPairs: true, (pass, batch, divisor, gradient, dropout, cancel) =>
                pass.LossAndGradient(batch, (all, losses, scales) => loss.Weigh(all, losses, divisor, scales), _adapter, gradient, dropout, cancel));
        return Run(objective, adapter, PreferencePair.Sequences(pairs), options, stream, onStep, cancellation);
    }

    private TrainingResult Run(
        Objective<IModelPass<float>> objective, Span<float> adapter, IReadOnlyList<Example> examples, TrainingOptions options, RandomStream stream,
        Action<TrainingStep>? onStep, CancellationToken cancellation)
    {
        _lora.Expect(adapter.Length);
        adapter.CopyTo(_adapter);
        TrainingResult result = _loop.Run(objective, _adapter, examples, options, stream, _lora.Options.Dropout > 0, onStep, cancellation);
        if (result.Outcome == TrainingOutcome.Completed) _adapter.CopyTo(adapter);
        return result;
    }
}
