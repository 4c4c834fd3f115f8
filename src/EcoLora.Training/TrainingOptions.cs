namespace EcoLora.Training;

/// <summary>How the learning rate goes on after the warm-up.</summary>
public enum LearningRateSchedule
{
    /// <summary>It stays.</summary>
    Constant,

    /// <summary>It falls to 0 along half a cosine: η·(1 + cos(π·progress))/2.</summary>
    Cosine,
}

/// <summary>How a training job runs. All options have defaults; <see cref="Validate"/> checks the ranges.</summary>
public sealed record TrainingOptions
{
    /// <summary>Number of optimiser steps, at least 1; null trains for <see cref="Epochs"/> instead.</summary>
    public int? Steps { get; init; }

    /// <summary>Passes over the examples when <see cref="Steps"/> is null, 1 to 100,000.</summary>
    public int Epochs { get; init; } = 1;

    /// <summary>Examples per step, 1 to 65,536; the last batch of an epoch may be smaller.</summary>
    public int BatchSize { get; init; } = 8;

    /// <summary>η, the highest learning rate, positive.</summary>
    public double LearningRate { get; init; } = 3e-4;

    /// <summary>The learning rate after the warm-up.</summary>
    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Constant;

    /// <summary>Steps over which η rises linearly: step t of w (from 1) runs at η·t/w. At least 0.</summary>
    public int WarmupSteps { get; init; }

    /// <summary>λ of AdamW, at least 0; not applied to the gains of normalisations.</summary>
    public double WeightDecay { get; init; }

    /// <summary>β₁ of AdamW, 0 to below 1.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂ of AdamW, 0 to below 1.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>ε of AdamW, positive.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>The largest global norm of a gradient; a longer one is scaled down to it. 0 turns clipping off.</summary>
    public double ClipNorm { get; init; } = 1;

    /// <summary>Checks every option.</summary>
    /// <exception cref="ArgumentException">An option is out of its range; the message names it, its value and the limit.</exception>
    public void Validate()
    {
        if (Steps is { } steps) Limit.Range(nameof(Steps), steps, 1, int.MaxValue);
        Limit.Range(nameof(Epochs), Epochs, 1, 100_000);
        Limit.Range(nameof(BatchSize), BatchSize, 1, 65_536);
        Limit.Positive(nameof(LearningRate), LearningRate);
        if (!Enum.IsDefined(Schedule))
            throw new ArgumentException($"{nameof(Schedule)} is {(int)Schedule}; expected {string.Join(" or ", Enum.GetNames<LearningRateSchedule>())}");
        Limit.Range(nameof(WarmupSteps), WarmupSteps, 0, int.MaxValue);
        Limit.NotNegative(nameof(WeightDecay), WeightDecay);
        Limit.Fraction(nameof(Beta1), Beta1);
        Limit.Fraction(nameof(Beta2), Beta2);
        Limit.Positive(nameof(Epsilon), Epsilon);
        Limit.NotNegative(nameof(ClipNorm), ClipNorm);
    }

    /// <summary>Number of steps over so many examples.</summary>
    public int StepsFor(int examples) => Steps ?? checked(Epochs * ((examples + BatchSize - 1) / BatchSize));

    /// <summary>The learning rate of a step, counted from 0, of a job of <paramref name="total"/> steps.</summary>
    public double LearningRateAt(int step, int total)
    {
        if (step < WarmupSteps) return LearningRate * (step + 1) / WarmupSteps;
        if (Schedule == LearningRateSchedule.Constant) return LearningRate;
        double progress = (step - WarmupSteps) / (double)Math.Max(1, total - WarmupSteps);
        return LearningRate * 0.5 * (1 + Math.Cos(Math.PI * Math.Min(1, progress)));
    }
}
