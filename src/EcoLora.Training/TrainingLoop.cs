using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>Adds the gradient of a batch's mean loss to the gradient vector and returns the sum of its losses.</summary>
internal delegate double BatchGradient(Batch batch, RandomStream? dropout);

/// <summary>
/// The steps of a job, the same for LoRA and for whole models: draw a batch, gradient, clip, AdamW. One thread: a federation trains several clients at once,
/// one thread each, which keeps all cores busy without any synchronisation and makes each result independent of the number of threads.
/// </summary>
internal sealed class TrainingLoop
{
    private readonly Batch _batch = new();
    private readonly float[] _gradient;
    private readonly AdamW _optimiser;
    private readonly int _vocabulary;

    /// <param name="gradient">The vector that the gradient function adds to.</param>
    /// <param name="ranges">What of it is trained.</param>
    /// <param name="vocabulary">Tokens lie below it.</param>
    public TrainingLoop(float[] gradient, TrainedRange[] ranges, int vocabulary)
    {
        _gradient = gradient;
        _optimiser = new AdamW(gradient.Length, ranges);
        _vocabulary = vocabulary;
    }

    /// <summary>Trains the weights in place.</summary>
    public TrainingResult Run(
        Span<float> weights, BatchGradient gradientOf, IReadOnlyList<Example> examples, TrainingOptions options, RandomStream stream, bool dropout,
        Action<TrainingStep>? onStep, CancellationToken cancellation)
    {
        options.Validate();
        if (examples.Count == 0) throw new ArgumentException("examples: expected at least one, found 0", nameof(examples));
        _optimiser.Reset();
        int total = options.StepsFor(examples.Count);
        ulong dropoutSeed = dropout ? stream.NextUInt64() : 0;
        var order = new BatchOrder(examples, options.BatchSize, stream);
        double lossSum = 0;
        long scored = 0, tokens = 0;
        for (int step = 0; step < total; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            _batch.Fill(examples, order.Next(), _vocabulary);
            _gradient.AsSpan().Clear();
            double loss = gradientOf(_batch, dropout ? new RandomStream(dropoutSeed, "dropout", step) : null);
            if (!double.IsFinite(loss)) return new TrainingResult(TrainingOutcome.NonFiniteLoss, double.NaN, step, scored, tokens);
            double norm = _optimiser.Norm(_gradient);
            if (!double.IsFinite(norm)) return new TrainingResult(TrainingOutcome.NonFiniteGradient, lossSum / scored, step, scored, tokens);
            double learningRate = options.LearningRateAt(step, total);
            _optimiser.Update(weights, _gradient, norm, learningRate, options);
            lossSum += loss;
            scored += _batch.Scored;
            tokens += _batch.Rows;
            onStep?.Invoke(new TrainingStep(step + 1, total, loss / _batch.Scored, learningRate, norm));
        }
        return new TrainingResult(TrainingOutcome.Completed, lossSum / scored, total, scored, tokens);
    }
}
