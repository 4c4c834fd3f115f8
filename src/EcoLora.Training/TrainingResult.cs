namespace EcoLora.Training;

/// <summary>How a training job ended.</summary>
public enum TrainingOutcome
{
    /// <summary>All steps were made.</summary>
    Completed,

    /// <summary>A step's loss was NaN or infinite.</summary>
    NonFiniteLoss,

    /// <summary>A step's gradient held NaN or infinity.</summary>
    NonFiniteGradient,
}

/// <summary>What a training job did. Unless it is completed, the trained vector is as it was before the failing step: refuse the update.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="MeanLoss">Σ −ln p over the scored tokens of all steps, each at the weights before its step, per scored token, in nats; of pairs, the mean of
/// their <see cref="PreferenceLoss"/>; NaN after <see cref="TrainingOutcome.NonFiniteLoss"/>.</param>
/// <param name="Steps">Steps made.</param>
/// <param name="Terms">Predictions that counted in the loss, or pairs.</param>
/// <param name="Tokens">Tokens that went through the model.</param>
public sealed record TrainingResult(TrainingOutcome Outcome, double MeanLoss, int Steps, long Terms, long Tokens);

/// <summary>One step of a job, as it is reported while the job runs.</summary>
/// <param name="Step">From 1.</param>
/// <param name="Total">Steps of the job.</param>
/// <param name="Loss">Mean loss of the step's scored tokens, or pairs, before the step, in nats.</param>
/// <param name="LearningRate">η of the step.</param>
/// <param name="GradientNorm">Global norm of the gradient before clipping.</param>
public readonly record struct TrainingStep(int Step, int Total, double Loss, double LearningRate, double GradientNorm);
