using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>The steps of a job, the same for LoRA and for whole models: draw a batch, gradient, clip, AdamW.</summary>
internal sealed class TrainingLoop<TPass>
    where TPass : class
{
    private readonly float[] _gradient;
    private readonly GroupedGradient<TPass> _grouped;
    private readonly AdamW _optimiser;

    /// <param name="gradient">The vector that the steps' gradients are written to.</param>
    /// <param name="ranges">What of it is trained.</param>
    /// <param name="grouped">Writes them.</param>
    public TrainingLoop(float[] gradient, TrainedRange[] ranges, GroupedGradient<TPass> grouped)
    {
        _gradient = gradient;
        _optimiser = new AdamW(gradient.Length, ranges);
        _grouped = grouped;
    }

    /// <summary>Trains the weights in place.</summary>
    public TrainingResult Run(
        Objective<TPass> objective, Span<float> weights, IReadOnlyList<Example> examples, TrainingOptions options, RandomStream stream, bool dropout,
        Action<TrainingStep>? onStep, CancellationToken cancellation)
    {
        options.Validate();
        if (examples.Count == 0) throw new ArgumentException("examples: expected at least one, found 0", nameof(examples));
        _optimiser.Reset();
        int total = options.StepsFor(examples.Count / objective.Together);
        ulong dropoutSeed = dropout ? stream.NextUInt64() : 0;
        var order = new BatchOrder(examples, options.BatchSize, stream, objective.Together);
        double lossSum = 0;
        long terms = 0, tokens = 0;
        for (int step = 0; step < total; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            int at = step;
            StepLoss loss = _grouped.Run(objective, examples, order.Next(), dropout ? first => new DropoutMasks(dropoutSeed, at, first) : null, cancellation);
            if (!double.IsFinite(loss.LossSum)) return new TrainingResult(TrainingOutcome.NonFiniteLoss, double.NaN, step, terms, tokens);
            double norm = _optimiser.Norm(_gradient);
            if (!double.IsFinite(norm)) return new TrainingResult(TrainingOutcome.NonFiniteGradient, lossSum / terms, step, terms, tokens);
            double learningRate = options.LearningRateAt(step, total);
            _optimiser.Update(weights, _gradient, norm, learningRate, options);
            lossSum += loss.LossSum;
            terms += loss.Terms;
            tokens += loss.Rows;
            onStep?.Invoke(new TrainingStep(step + 1, total, loss.LossSum / loss.Terms, learningRate, norm));
        }
        return new TrainingResult(TrainingOutcome.Completed, lossSum / terms, total, terms, tokens);
    }
}
